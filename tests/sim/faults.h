/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Random failures of system calls made by fibers. Each run draws how often each occurs. Calls made
 * by the driver or an actor never fail at random.
 */

enum sim_fault {
    SIM_INTERRUPT,     /* EINTR */
    SIM_SHORT,         /* less is read or written than possible */
    SIM_NO_MEMORY,     /* malloc(3), mmap(2) */
    SIM_NO_KERNEL,     /* ENOMEM, ENOBUFS of a system call */
    SIM_NO_DESCRIPTOR, /* EMFILE, ENFILE */
    SIM_ACCEPT,        /* accept(2) reports a connection that failed while it waited */
    SIM_DISTURB,       /* a wake-up without news */
    SIM_SWITCH,        /* another thread runs next, at any call */
    SIM_STALL,         /* the process stands still for a while */
    SIM_TIMESHIFT,     /* the wall clock is set */
    SIM_DISK_ERROR,    /* EIO */
    SIM_DISK_FULL,     /* ENOSPC, EDQUOT */
    SIM_FAULTS
};

void sim_faults_begin(bool plain);
void sim_faults_stop(void); /* from now on the world is fair, but threads still switch */
/* For tests: rate per million. */
void sim_fault_set(enum sim_fault fault, uint32_t rate);

/* Whether it happens at this call. */
bool sim_fault(enum sim_fault fault);
uint64_t sim_fault_count(enum sim_fault fault);
const char *sim_fault_name(enum sim_fault fault);
