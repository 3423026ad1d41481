/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "base/macros.h"
#include "protocol/opening.h"
#include "protocol/session.h"

#define BURST_NS UINT64_C(1000000000) /* a peer may use one second's share at once */

/* RUN-CONNECTION-SEQ: workers share no counter, and a reader sees which messages belong
 * together. */
static void format_id(char id[static RECORD_ID_MAX], const char *run_id, const struct session *s)
{
    size_t n = strnlen(run_id, RUN_ID_MAX);

    memcpy(id, run_id, n);
    id[n++] = '-';
    n += format_u64(s->number, id + n);
    id[n++] = '-';
    n += format_u64(s->seq, id + n);
    id[n] = '\0';
}

int session_rules_prepare(struct session_rules *rules)
{
    const uint8_t *constant;
    size_t size;
    int r;

    constant = rules->mute ? NULL : template_constant(rules->reply, &size);
    if (!constant)
        return 0;
    r = frame_append(rules->framing, &rules->ready, constant, size, false);
    if (r >= 0)
        r = frame_append(rules->framing, &rules->ready_crlf, constant, size, true);
    if (r < 0)
        session_rules_release(rules);
    return r;
}

void session_rules_release(struct session_rules *rules)
{
    buffer_free(&rules->ready);
    buffer_free(&rules->ready_crlf);
}

static const struct buffer *ready_reply(const struct session_rules *rules,
                                        const struct frame *frame)
{
    return frame->crlf ? rules->ready_crlf : rules->ready;
}

static int append_reply(const struct session_feed *feed, const struct frame *frame,
                        const struct record *record)
{
    const struct session_rules *rules = feed->rules;
    const struct buffer *ready = ready_reply(rules, frame);
    ssize_t start;
    int r;

    if (ready)
        return buffer_append(feed->reply, ready->data + ready->start, buffer_size(ready));

    if (rules->mute)
        return 0;
    start = frame_begin(rules->framing, feed->reply);
    if (start < 0)
        return (int)start;
    r = template_render(rules->reply, record, feed->now.real_us, feed->reply);
    if (r < 0) {
        buffer_truncate(*feed->reply, (size_t)start);
        return r;
    }
    return frame_end(rules->framing, feed->reply, (size_t)start, frame->crlf);
}

/* Answers a message with all data that a record or a template's fields need. Inlined, it would make
 * feed() slower for messages that need none of it. */
_noinline_ static int answer_described(const struct session *s, const struct session_feed *feed,
                                       const struct frame *frame)
{
    size_t before = buffer_size(*feed->reply);
    char id[RECORD_ID_MAX];
    struct record record = {
        .data = frame->data,
        .size = frame->size,
        .id = id,
        .peer = feed->peer,
        .peer_port = feed->peer_port,
        .peer_name = feed->peer_name,
        .listener = feed->listener,
        .connection = s->number,
        .seq = s->seq,
        .unfinished = frame->unfinished,
        .origin = feed->origin,
    };
    int r;

    format_id(id, feed->run_id, s);
    r = append_reply(feed, frame, &record);
    if (r < 0 || !feed->record)
        return r;
    r = feed->record(feed->userdata, &record);
    if (r < 0)
        buffer_truncate(*feed->reply, before);
    return r;
}

/* One message: both its reply and its record, or neither. */
static int answer(struct session *s, const struct session_feed *feed, const struct frame *frame)
{
    int r;

    s->seq++;
    if (feed->record || !ready_reply(feed->rules, frame))
        r = answer_described(s, feed, frame);
    else
        r = append_reply(feed, frame, NULL);
    if (r < 0)
        s->seq--;
    return r;
}

/* A token bucket that holds one second's share, kept as a single number: the time at which it is
 * full again (the "virtual scheduling" form of a leaky bucket). It is in nanoseconds, since at the
 * highest rates a message costs only a few microseconds. */
static bool rate_allows(const struct session *s, const struct session_feed *feed)
{
    return feed->rules->message_cost_ns == 0 ||
           session_resume_us(s, feed->rules) <= feed->now.mono_us;
}

static void rate_charge(struct session *s, const struct session_feed *feed)
{
    if (feed->rules->message_cost_ns > 0)
        s->full_ns = MAX(s->full_ns, feed->now.mono_us * 1000) + feed->rules->message_cost_ns;
}

uint64_t session_resume_us(const struct session *s, const struct session_rules *rules)
{
    uint64_t full_then = s->full_ns + rules->message_cost_ns,
             depth = MAX(BURST_NS, rules->message_cost_ns);

    return full_then > depth ? DIV_ROUND_UP(full_then - depth, UINT64_C(1000)) : 0;
}

int session_append_error(const struct session_rules *rules, const char *reason,
                         struct buffer **reply)
{
    char text[128];
    int n = snprintf(text, sizeof text, "error: %s", reason);

    if (rules->mute)
        return 0;
    return frame_append(rules->framing, reply, text, MIN((size_t)n, sizeof text - 1), false);
}

/* Whether the stream begins like a stream of messages. If not, *ret is the status. */
_noinline_ static bool begins_well(const struct session *s, const struct session_rules *rules,
                                   const uint8_t *in, size_t n, bool eof, enum session_status *ret,
                                   enum frame_error *ret_error)
{
    int r = opening_check(rules->framing, rules->refuse_http ? rules->max_message : 0, s->seq, in,
                          n, eof);

    if (r == 0)
        return true;
    *ret = r == OPENING_UNDECIDED ? SESSION_HUNGRY : SESSION_FOREIGN;
    if (r < 0)
        *ret_error = (enum frame_error) - r;
    return false;
}

static enum session_status feed_all(struct session *s, const struct session_feed *feed,
                                    const uint8_t *in, size_t n, bool eof, size_t *scanned,
                                    size_t *ret_used, enum frame_error *ret_error)
{
    const struct session_rules *rules = feed->rules;
    size_t used = 0;

    for (size_t messages = 0;; messages++) {
        struct frame frame;
        ssize_t size;
        int r;

        *ret_used = used;
        if (used == n)
            return eof ? SESSION_ENDED : SESSION_HUNGRY;
        size = frame_next(rules->framing, rules->max_message, in + used, n - used, eof, scanned,
                          &frame);
        if (size == 0)
            return eof ? SESSION_ENDED : SESSION_HUNGRY;
        if (size < 0) {
            *ret_error = (enum frame_error) - size;
            return SESSION_FAILED;
        }
        if (messages == feed->message_limit || buffer_size(*feed->reply) >= feed->reply_limit)
            return SESSION_STOPPED;
        if (!rate_allows(s, feed))
            return SESSION_LIMITED;
        r = answer(s, feed, &frame);
        if (r == -EAGAIN)
            return SESSION_STOPPED;
        if (r < 0)
            return SESSION_NOMEM;
        rate_charge(s, feed);
        used += (size_t)size;
        *scanned = 0;
    }
}

enum session_status session_feed(struct session *s, const struct session_feed *feed,
                                 const uint8_t *in, size_t n, bool eof, size_t *scanned,
                                 size_t *ret_used, enum frame_error *ret_error)
{
    enum session_status status;

    *ret_used = 0;
    if (s->seq > OPENING_TAKEN || begins_well(s, feed->rules, in, n, eof, &status, ret_error))
        status = feed_all(s, feed, in, n, eof, scanned, ret_used, ret_error);

    assert(*ret_used <= n);
    if (s->status != status)
        s->status = status;
    return status;
}
