/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The page's style sheet. */
extern const char report_style[];
