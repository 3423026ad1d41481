/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * What happens: every system call that the world answers goes into a digest, by which two runs are
 * compared, and, if asked for, onto standard output, a line each. And what must not happen.
 */

void sim_trace_begin(bool verbose);
uint64_t sim_trace_digest(void);
uint64_t sim_trace_calls(void);

/* A call by its name, its descriptor (or -1), its argument and its result. */
void sim_trace_call(const char *name, int fd, uint64_t argument, int64_t result);
/* The state that epoll has reported. */
void sim_trace_event(uint32_t events);
/* Bytes that went somewhere. */
void sim_trace_bytes(const void *bytes, uint64_t size);

/* For the reader of a trace only. */
__attribute__((__format__(__printf__, 1, 2))) void sim_say(const char *format, ...);

/* Something that must never be has been. The first one counts. */
__attribute__((__format__(__printf__, 1, 2))) void sim_violate(const char *format, ...);
/* What it was, or NULL. */
const char *sim_violation(void);
