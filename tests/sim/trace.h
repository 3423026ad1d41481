/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * Records what happens. Every system call that the world answers goes into a digest, for comparing
 * two runs, and on request as a line to standard output. Also records violations.
 */

void sim_trace_begin(bool verbose);
uint64_t sim_trace_digest(void);
uint64_t sim_trace_calls(void);

/* A call: name, descriptor (or -1), argument and result. */
void sim_trace_call(const char *name, int fd, uint64_t argument, int64_t result);
/* The events that epoll reported. */
void sim_trace_event(uint32_t events);
/* Bytes that were sent somewhere. */
void sim_trace_bytes(const void *bytes, uint64_t size);

/* Only for the reader of a trace. */
__attribute__((__format__(__printf__, 1, 2))) void sim_say(const char *format, ...);

/* Reports a violated invariant. Only the first one counts. */
__attribute__((__format__(__printf__, 1, 2))) void sim_violate(const char *format, ...);
/* The first violation, or NULL. */
const char *sim_violation(void);
