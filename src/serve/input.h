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
 * Makes records and replies of what a peer sends: receives, feeds the session, stages records, and
 * gives replies to the output.
 */
struct input {
    struct buffer *bytes; /* an unfinished message, or messages that could not be taken yet; NULL:
                             none. .stamp: when its first byte came, ms */
    struct session session;
};

/* What an input works with. It is made for each call, and all is borrowed. */
struct exchange {
    struct context *context;
    const struct settings *settings;
    struct transport *transport;
    struct output *output;
    struct recorder *recorder; /* NULL: messages are not recorded */
};

/* Whether there is something to take that has arrived already. */
static inline bool input_is_pending(const struct input *in)
{
    return in->bytes && session_is_pending(&in->session);
}

/* Whether a message has begun, and its end has not come. */
static inline bool input_is_unfinished(const struct input *in)
{
    return in->bytes && !session_is_pending(&in->session);
}

/* Takes what is pending, else what one recv() gives. in->session.status has the result. 0; an
 * enum frame_error, where the peer broke the framing; -EAGAIN: nothing has arrived, and an edge
 * will come; -ENOMEM: the connection cannot go on. */
int input_take(struct input *in, const struct exchange *e);

/* Receives once, and keeps it for later: the peer is gone. 0 or -EAGAIN, as above. What there is no
 * memory for is discarded, and the stream ends there. */
int input_collect(struct input *in, const struct exchange *e);

/* Receives once, and throws away what came. 0 or -EAGAIN, as above. */
int input_discard(struct input *in, const struct exchange *e);

/* Discards what was kept; reason: for the log. */
void input_drop(struct input *in, const struct exchange *e, const char *reason);

/* The connection ends: discards what was kept, and what has arrived and was not received. */
void input_end(struct input *in, const struct exchange *e);

/* We made the peer wait for `ms`, which does not count against its message. */
void input_excuse(struct input *in, const struct context *x, uint64_t ms);
