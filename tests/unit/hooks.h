/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "record/event.h"

/*
 * Hooks between the code and the system: a clock that the test moves, a loop that never sleeps,
 * faults, and the operational log. In everything linked statically, the linker replaces the
 * system's functions with those of hooks.c (ld(1), --wrap; `hooks_ldflags` in local.mk).
 */
struct hooks {
    uint64_t now_us;       /* the time of every clock; 0: use the system's clocks and waits */
    uint64_t timeout_us;   /* what the last wait for events asked for; UINT64_MAX: forever */
    uint64_t events;       /* events from epoll so far */
    int patience_ms;       /* how long a wait for events may really take; 0: no sleep */
    unsigned modified;     /* number of EPOLL_CTL_MOD calls so far */
    int add_error;         /* errno of the next EPOLL_CTL_ADD; 0: it succeeds */
    int modify_error;      /* errno of the next EPOLL_CTL_MOD */
    int wait_error;        /* errno of the next wait for events */
    int accept_error;      /* errno of accept4() ... */
    unsigned accept_fails; /* ... for this many calls */
    uint64_t accept_us;    /* how far the clock moves during the next accept4() */
    unsigned allocation;   /* this allocation from now on fails; 0: none */
    bool allocation_failed;
    bool log_is_full;                 /* the log accepts nothing */
    void (*on_log)(enum event event); /* called with each event; may be NULL */
    unsigned logged[EVENT_COUNT];
    char last_logged[256];
};

/* Each thread has its own. All zero at first: then everything is the system's. */
extern _Thread_local struct hooks hooks;

void hooks_reset(void);

/* Makes the n-th allocation from now on fail. */
void hooks_fail_allocation(unsigned n);

/* Whether that allocation failed. No allocation fails from here on. */
bool hooks_allocation_failed(void);
