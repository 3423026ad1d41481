/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A client's side of TLS. It makes records of what the client says (conn->bytes), and reads those
 * that it hears. Some do it wrongly. conn->sent grows once a record is sent whole, and no more once
 * one was damaged: what comes behind it is nothing that the program may take.
 */

struct conn;
struct cipher;

/* Draws its manners. */
struct cipher *cipher_new(struct conn *c);
/* NULL is fine. */
void cipher_free(struct cipher *c);

/* What it has to send now, valid until the next call of another function. */
size_t cipher_pending(const struct cipher *c, const uint8_t **ret);
/* The kernel has taken n bytes of it. */
void cipher_sent(struct cipher *c, size_t n);

/* n bytes have arrived. Returns how many bytes of replies came of it; or a negative errno: the stream
 * is unusable. */
ssize_t cipher_hear(struct cipher *c, const uint8_t *bytes, size_t n);
/* The stream has ended behind them. */
void cipher_heard_all(const struct cipher *c);

/* Whether it can make a record: the handshake is done, and nothing is pending. */
bool cipher_may_say(const struct cipher *c);
/* Makes a record of at most n bytes, behind those that were sent. Returns its size. n: not 0. */
size_t cipher_say(struct cipher *c, size_t n);
/* Before the client ends its stream. Returns whether it may do so now: it has told the server, or does
 * not care to. Otherwise, that is pending. */
bool cipher_end(struct cipher *c);

/* Whether it will never say anything more. */
bool cipher_is_stuck(const struct cipher *c);
