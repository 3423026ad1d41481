/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What goes wrong by chance, in system calls that a fiber makes. Each run draws how often each
 * does; what others do, the driver or an actor, never fails by chance.
 */

enum sim_fault {
    SIM_INTERRUPT,     /* EINTR */
    SIM_SHORT,         /* less is read or written than could be */
    SIM_NO_MEMORY,     /* malloc(3), mmap(2) */
    SIM_NO_KERNEL,     /* ENOMEM, ENOBUFS of a system call */
    SIM_NO_DESCRIPTOR, /* EMFILE, ENFILE */
    SIM_ACCEPT,        /* what accept(2) says of a connection that failed while it waited */
    SIM_DISTURB,       /* a wake-up without news */
    SIM_SWITCH,        /* another thread goes on, at any call */
    SIM_STALL,         /* the process stands still for a while */
    SIM_TIMESHIFT,     /* somebody sets the clock */
    SIM_FAULTS
};

void sim_faults_begin(bool plain);
void sim_faults_stop(void); /* from now on the world is fair; threads still take turns */
/* For tests: per million. */
void sim_fault_set(enum sim_fault fault, uint32_t rate);

/* Whether it happens now. */
bool sim_fault(enum sim_fault fault);
uint64_t sim_fault_count(enum sim_fault fault);
const char *sim_fault_name(enum sim_fault fault);
