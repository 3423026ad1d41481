/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/turn.h"
#include "base/parse.h"
#include "record/event-log.h"
#include "serve/conversation.h"

/* The usual case, with nothing to decide: all messages are answered, and the timer is armed if it
 * has to be. With TLS, a part of a record may still be there. */
static bool is_settled(const struct connection *c)
{
    const struct settings *s = c->settings;

    return connection_state(c) == CONNECTION_OPEN && !c->input.bytes &&
           output_is_empty(&c->output) &&
           !(c->transport.owner_flags &
             (CONNECTION_DRAINING | CONNECTION_DISCARDS | CONNECTION_WAITING)) &&
           !(c->transport.flags & (TRANSPORT_IN_ENDED | TRANSPORT_OUT_ENDED | TRANSPORT_TLS)) &&
           (s->idle_ms == TIMER_NEVER ||
            (timer_armed(&c->timer) && c->timer.expires <= c->active_ms + s->idle_ms));
}

/* Whether the peer's stream has ended, and all of it has been taken. */
static bool input_has_ended(const struct connection *c)
{
    return c->transport.flags & TRANSPORT_IN_ENDED && !input_is_pending(&c->input);
}

/* Whether nothing has arrived that could be taken. */
static bool is_quiet(const struct connection *c)
{
    return !input_is_pending(&c->input) && !transport_readable(&c->transport);
}

/* Draining, and everything that has arrived is answered. If nothing was sent since draining began,
 * and everything before has reached the peer, an RST can destroy nothing. Then the connection ends
 * immediately, and the peer's later sends fail. */
static void settle_drained(struct context *x, struct connection *c)
{
    bool silent = c->transport.flags & TRANSPORT_OUT_UNUSED && !c->input.bytes &&
                  transport_has_delivered(&c->transport);

    if (silent)
        connection_end(x, c, false);
    else
        connection_enter(x, c, CONNECTION_FINISHING);
}

/* Says to the peer that nothing more will come. For plain streams with both directions ended,
 * close() does. False: there is no room yet, and a deadline is set. */
static bool say_end(struct context *x, struct connection *c)
{
    if (input_has_ended(c) && !(c->transport.flags & TRANSPORT_TLS))
        return true;
    if (transport_shutdown(&c->transport))
        return true;
    if (!(c->transport.owner_flags & CONNECTION_ENDING))
        connection_was_active(x, c);
    c->transport.owner_flags |= CONNECTION_ENDING;
    return false;
}

/* All output has been sent. */
static void finish(struct context *x, struct connection *c)
{
    if (!say_end(x, c))
        return;
    if (input_has_ended(c)) {
        connection_end(x, c, false);
        return;
    }
    connection_enter(x, c, CONNECTION_LINGERING);
    connection_was_active(x, c);
    transport_recheck(&c->transport);
    loop_queue(&x->loop, &c->transport.source);
}

/* Whether the peer had time to see our end (a mute connection's peer does not look for it), has
 * received everything, and is not in the middle of a message. */
static bool has_lingered(const struct context *x, const struct connection *c)
{
    return !(c->transport.owner_flags & CONNECTION_DISCARDS) && !c->input.bytes && is_quiet(c) &&
           (connection_is_mute(c) || context_ms(x) >= c->active_ms + CONNECTION_GRACE_MS) &&
           transport_has_delivered(&c->transport);
}

/* No deadline ends a connection whose peer is gone: its messages will still be recorded, as its
 * rate allows. */
static void settle_lingering(struct context *x, struct connection *c)
{
    bool late = context_ms(x) >= c->active_ms + CONNECTION_LINGER_MS;

    if (input_has_ended(c) || has_lingered(x, c) || (late && !connection_is_gone(c)))
        connection_end(x, c, false);
}

/* The only place that decides what comes next. A peer that cannot be answered may not know it. Our
 * end of the stream tells it, once everything that has arrived is taken. */
static void settle(struct context *x, struct connection *c)
{
    if (c->transport.owner_flags & CONNECTION_WAITING || connection_state(c) == CONNECTION_CLOSED)
        return;
    if (c->transport.flags & TRANSPORT_TLS)
        connection_note_record(x, c);
    if (connection_state(c) == CONNECTION_OPEN) {
        if (input_has_ended(c) || c->transport.owner_flags & CONNECTION_DISCARDS ||
            (c->transport.flags & TRANSPORT_OUT_FAILED && is_quiet(c)))
            connection_enter(x, c, CONNECTION_FINISHING);
        else if (c->transport.owner_flags & CONNECTION_DRAINING && is_quiet(c) &&
                 output_is_empty(&c->output))
            settle_drained(x, c);
    }
    if (connection_state(c) == CONNECTION_FINISHING && output_is_empty(&c->output))
        finish(x, c);
    else if (connection_state(c) == CONNECTION_LINGERING)
        settle_lingering(x, c);
    if (connection_state(c) != CONNECTION_CLOSED)
        connection_arm(x, c);
}

static void dispatch(struct context *x, struct connection *c, bool admitted)
{
    count(&x->counters.dispatches, 1);
    if (transport_is_broken(&c->transport))
        transport_abandon_output(&c->transport);
    conversation_flush(x, c);
    if (!(c->transport.owner_flags & CONNECTION_WAITING)) {
        if (connection_state(c) == CONNECTION_LINGERING &&
            c->transport.owner_flags & CONNECTION_DISCARDS)
            conversation_discard(x, c);
        else
            conversation_continue(x, c, admitted);
    }
    if (transport_is_broken(&c->transport) &&
        (c->transport.owner_flags & CONNECTION_WAITING || connection_is_limited(c)))
        conversation_collect(x, c);
    if (!is_settled(c))
        settle(x, c);
}

void turn_dispatch(struct context *x, struct connection *c)
{
    if (connection_state(c) == CONNECTION_CLOSED)
        connection_bury(x, c);
    else
        dispatch(x, c, false);
}

void turn_admit(struct context *x, struct connection *c)
{
    connection_waited(x, c);
    dispatch(x, c, true);
}

static void note_timeout(struct context *x, struct connection *c, const char *what,
                         uint64_t span_ms)
{
    struct event_about who = connection_about(c);
    char span[SPAN_TEXT_MAX];

    count(&x->counters.timeouts, 1);
    event_log_about(EVENT_TIMEOUT, &who, "cut off: %s for %s", what,
                    format_span(span_ms * 1000, span));
}

/* Only EAGAIN proves that nothing has arrived. */
static void linger_on(struct context *x, struct connection *c)
{
    if (!connection_is_gone(c))
        transport_recheck(&c->transport);
    dispatch(x, c, false);
}

/* Whether a message, or the TLS record that has it, should be complete by now. */
static bool is_late(const struct connection *c, uint64_t now)
{
    uint64_t record = connection_record_ms(c), span = c->settings->message_ms;

    return (input_is_unfinished(&c->input) && timer_after(c->input.bytes->stamp, span) <= now) ||
           (record > 0 && timer_after(record, span) <= now);
}

/* One of the deadlines of connection_deadline() has come. */
static void expire(struct context *x, struct connection *c)
{
    const struct settings *s = c->settings;
    uint64_t now = context_ms(x);

    if (connection_state(c) == CONNECTION_LINGERING) {
        linger_on(x, c);
    } else if (c->transport.owner_flags & CONNECTION_ENDING) {
        connection_end(x, c, false);
    } else if (!output_is_empty(&c->output) &&
               timer_after(output_progress_ms(&c->output), s->write_ms) <= now) {
        if (timer_after(output_stuck_since(&c->output, x, &c->transport), s->write_ms) <= now) {
            note_timeout(x, c, "took no reply", s->write_ms);
            connection_end(x, c, true);
        } else {
            connection_arm(x, c);
        }
    } else if (connection_is_limited(c)) {
        loop_queue(&x->loop, &c->transport.source);
    } else if (is_late(c, now)) {
        note_timeout(x, c, "sent an unfinished message", s->message_ms);
        connection_refuse(x, c, "message not complete in time");
        settle(x, c);
    } else {
        note_timeout(x, c, "sent no message", s->idle_ms);
        connection_enter(x, c, CONNECTION_FINISHING);
        settle(x, c);
    }
}

void turn_expire(struct context *x, struct connection *c)
{
    /* A lingering connection is checked each time its timer expires, not only at its deadline. */
    if (connection_state(c) != CONNECTION_LINGERING && connection_deadline(x, c) > context_ms(x))
        connection_arm(x, c);
    else
        expire(x, c);
}
