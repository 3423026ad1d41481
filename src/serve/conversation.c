/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "serve/conversation.h"

/* A connection's share of one dispatch, in recv() calls. Then other connections get their turn. */
#define READS_PER_DISPATCH 4

/* input_take() failed with r. */
_cold_ static void break_off(struct context *x, struct connection *c, int r)
{
    if (r == -ENOMEM)
        connection_shed(x, c);
    else if (r > 0)
        connection_refuse(x, c, frame_error_text((enum frame_error)r));
}

_cold_ static void refuse_record(struct context *x, struct connection *c, int error)
{
    connection_tell_unrecorded(c, error);
    connection_refuse(
        x, c, error == -EMSGSIZE ? "message too large for the log" : "message cannot be recorded");
}

void conversation_flush(struct context *x, struct connection *c)
{
    bool stopped;
    int r;

    if (output_is_empty(&c->output))
        return;
    stopped = connection_is_owed_enough(c);
    r = output_flush(&c->output, x, &c->transport);
    if (r < 0)
        refuse_record(x, c, r);
    /* We did not read meanwhile, so the message gets its full time again. */
    if (stopped && !connection_is_owed_enough(c))
        input_excuse(&c->input, x, context_ms(x));
    if (output_is_empty(&c->output) && connection_state(c) == CONNECTION_OPEN)
        connection_was_active(x, c);
}

/* Whether input is wanted. Reading stops while the peer does not take its replies, or has used up
 * its rate. */
static bool wants_input(const struct context *x, const struct connection *c)
{
    if (connection_state(c) != CONNECTION_OPEN && connection_state(c) != CONNECTION_LINGERING)
        return false;
    if (c->transport.owner_flags & CONNECTION_DISCARDS)
        return false;
    if (connection_is_limited(c) && connection_resume_ms(c) > context_ms(x))
        return false;
    return !connection_is_owed_enough(c) || c->transport.flags & TRANSPORT_OUT_ENDED;
}

/* In chunk framing two reads must not become one message. */
static bool may_collect(const struct connection *c)
{
    return c->settings->rules.framing != FRAMING_CHUNK || !c->input.bytes;
}

_cold_ void conversation_collect(struct context *x, struct connection *c)
{
    struct exchange e = connection_exchange(x, c);

    for (unsigned reads = 0; transport_readable(&c->transport); reads++) {
        if (!may_collect(c) && transport_has_bytes(&c->transport))
            return;
        if (!may_collect(c))
            break;
        if (reads == READS_PER_DISPATCH) {
            loop_queue(&x->loop, &c->transport.source);
            return;
        }
        if (input_collect(&c->input, &e) == -EAGAIN)
            return;
    }
    connection_depart(x, c);
    if (!input_is_pending(&c->input))
        connection_end(x, c, false);
}

static bool has_room(const struct recorder *r, bool admitted)
{
    return !r || (admitted ? recorder_has_room(r) : recorder_admits(r));
}

/* Whether the next step needs a record. The end of a stream alone does not. After a read, a UNIX
 * stream may be empty, which otherwise only EAGAIN would show. An empty one needs no record. */
static bool needs_room(struct connection *c, bool pending, bool has_read)
{
    bool ending = transport_is_ending(&c->transport);

    if (pending || (!has_read && !ending) || transport_has_bytes(&c->transport))
        return true;
    return ending && c->input.bytes;
}

void conversation_continue(struct context *x, struct connection *c, bool admitted)
{
    struct exchange e = connection_exchange(x, c);

    for (unsigned reads = 0;; reads++) {
        bool pending = input_is_pending(&c->input);
        uint64_t seq = c->input.session.seq;
        int r;

        if (!pending && !transport_readable(&c->transport))
            return;
        if (!wants_input(x, c))
            return;
        if (!has_room(e.recorder, admitted)) {
            if (needs_room(c, pending, reads > 0))
                connection_wait(x, c);
            if (c->transport.owner_flags & CONNECTION_WAITING ||
                !transport_is_ending(&c->transport))
                return;
        }
        if (reads == READS_PER_DISPATCH) {
            loop_queue(&x->loop, &c->transport.source);
            return;
        }
        admitted = false; /* once: the others have waited too */
        r = input_take(&c->input, &e);
        if (c->input.session.seq != seq && connection_state(c) == CONNECTION_OPEN)
            connection_was_active(x, c);
        if (r == -EAGAIN)
            return;
        if (r != 0) {
            break_off(x, c, r);
            return;
        }
        if (pending)
            reads = READS_PER_DISPATCH - 1; /* its share was used up when this input was left
                                               over */
    }
}

_cold_ void conversation_discard(struct context *x, struct connection *c)
{
    struct exchange e = connection_exchange(x, c);

    for (unsigned reads = 0; transport_readable(&c->transport); reads++) {
        if (reads == READS_PER_DISPATCH) {
            loop_queue(&x->loop, &c->transport.source);
            return;
        }
        if (input_discard(&c->input, &e) == -EAGAIN)
            return;
    }
}
