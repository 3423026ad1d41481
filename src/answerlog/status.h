/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The exit status. */
enum status {
    STATUS_OK,
    STATUS_DAMAGED, /* or nothing matched */
    STATUS_USAGE,
    STATUS_SYSTEM, /* the log cannot be opened or read, or the output not written */
};
