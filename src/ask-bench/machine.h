/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <sys/utsname.h>

/* The machine that ran the test; "unknown" if it does not tell. */
struct machine {
    char processor[128];
    long processors; /* online */
    uint64_t memory; /* bytes; 0 unknown */
    struct utsname system;
};

void machine_read(struct machine *ret);
