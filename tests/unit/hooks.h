/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "record/event.h"

/*
 * What a test puts between the code and the system: a clock that it moves itself, a loop that never
 * sleeps, faults, and the operational log. The linker puts the functions of hooks.c in the place of
 * the system's (ld(1), --wrap; `hooks_ldflags` in local.mk) in all that is linked statically.
 */
struct hooks {
    uint64_t now_us;       /* what every clock says; 0: clocks and waits are the system's */
    uint64_t timeout_us;   /* what the last wait for events asked for; UINT64_MAX: for ever */
    uint64_t events;       /* that epoll reported so far */
    int patience_ms;       /* how long a wait for events may really take; 0: it never sleeps */
    unsigned modified;     /* EPOLL_CTL_MOD so far */
    int add_error;         /* the next EPOLL_CTL_ADD fails so; 0: it does not */
    int modify_error;      /* the next EPOLL_CTL_MOD */
    int wait_error;        /* the next wait for events */
    int accept_error;      /* accept4() fails so ... */
    unsigned accept_fails; /* ... for so many times */
    uint64_t accept_us;    /* the clock moves by so much while the next accept4() is under way */
    unsigned allocation;   /* so many allocations from now on one fails; 0: none */
    bool allocation_failed;
    bool log_is_full;                 /* the log takes nothing */
    void (*on_log)(enum event event); /* called with each event; NULL */
    unsigned logged[EVENT_COUNT];
    char last_logged[256];
};

/* Each thread has its own, all zero at first: then everything is as the system has it. */
extern _Thread_local struct hooks hooks;

void hooks_reset(void);

/* The n-th allocation from now on fails. */
void hooks_fail_allocation(unsigned n);

/* Whether it came to that. Nothing fails from here on. */
bool hooks_allocation_failed(void);
