/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "net/transport.h"
#include "protocol/session.h"
#include "serve/context.h"
#include "serve/output.h"
#include "serve/recorder.h"

/*
 * Turns a peer's bytes into records and replies: receives, feeds the session, stages records, and
 * passes replies to the output.
 */
struct input {
    struct buffer *bytes; /* an unfinished message, or messages not taken yet; NULL: none.
                             .stamp: when the first byte arrived, in ms */
    struct session session;
};

/* The environment of an input. It is made for each call, and all fields are borrowed. */
struct exchange {
    struct context *context;
    const struct settings *settings;
    struct transport *transport;
    struct output *output;
    struct recorder *recorder;          /* NULL: messages are not recorded */
    const struct record_origin *origin; /* NULL: nothing is known besides the peer */
};

/* Whether input that has already arrived can be taken. */
static inline bool input_is_pending(const struct input *in)
{
    return in->bytes && session_is_pending(&in->session);
}

/* Whether a message has begun but is incomplete. */
static inline bool input_is_unfinished(const struct input *in)
{
    return in->bytes && !session_is_pending(&in->session);
}

/* Takes the pending input, or else the result of one recv(). in->session.status has the outcome.
 * Returns 0; an enum frame_error if the peer broke the framing; -EAGAIN if nothing has arrived, and
 * an edge will come; or -ENOMEM if the connection cannot continue. */
int input_take(struct input *in, const struct exchange *e);

/* For a peer that is gone: receives once and keeps the input for later. 0 or -EAGAIN, as above. If
 * memory runs out, the rest is discarded, and the stream ends there. */
int input_collect(struct input *in, const struct exchange *e);

/* Receives once and discards the input. 0 or -EAGAIN, as above. */
int input_discard(struct input *in, const struct exchange *e);

/* Discards the kept input. reason: for the log. */
void input_drop(struct input *in, const struct exchange *e, const char *reason);

/* The connection ends: discards the kept input, and input that has arrived but was not received. */
void input_end(struct input *in, const struct exchange *e);

/* We made the peer wait for `ms`. That time does not count against its message. */
void input_excuse(struct input *in, const struct context *x, uint64_t ms);
