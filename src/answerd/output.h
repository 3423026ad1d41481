/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answerd/connection.h"

/*
 * What a connection holds back, within the worker's memory limit, and what it sends. After each of
 * these the connection may be CLOSED, but for the first two.
 */

/* Appends to a buffer of the connection's own, `in` or `out`. False where memory or its limit is at
 * an end. */
bool connection_keep(struct worker *w, struct buffer **b, const uint8_t *bytes, size_t n);

/* How much of anything connection_keep() would take. */
size_t connection_room(const struct worker *w);

/* Frees such a buffer. */
void connection_drop(struct worker *w, struct buffer **b);

/* Sends, behind what waits already; what the kernel does not take waits in `out`. */
void connection_transmit(struct worker *w, struct connection *c, const uint8_t *bytes, size_t n);

/* Sends what waits. */
void connection_flush(struct worker *w, struct connection *c);

/* Bytes that the kernel has of us and the peer's has not (tcp(7), unix(7)). */
size_t connection_in_flight(const struct connection *c);

/* Whether the peer has taken something since `out` last moved; if so, WriteTimeout= begins again.
 * The kernel reports room only when a good part of its buffer is free, which for a slow peer may
 * take minutes (tcp(7), sk_stream_is_writeable()). `out` is not NULL. */
bool connection_progresses(const struct worker *w, struct connection *c);

/* Closes with an RST, which frees at once what the kernel still holds for a peer that does not take
 * it (socket(7)). */
void connection_reset(struct worker *w, struct connection *c);

/* The peer takes nothing more, or we have said that this is the end: replies are thrown away from now on. What it sent is read still. */
void connection_lose(struct worker *w, struct connection *c);

/* Counts, and tells of, bytes that came and are in no message. why: for the log. */
void connection_discard(struct worker *w, const struct connection *c, size_t n, const char *why);
/* The same for all that `in` holds, which is empty after it. */
void connection_discard_input(struct worker *w, struct connection *c, const char *why);

/* Ends a connection that needs memory which there is not, so that all others go on. */
void connection_shed(struct worker *w, struct connection *c);
