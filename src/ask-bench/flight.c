/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ask-bench/flight.h"
#include "ask-bench/stream.h"
#include "base/macros.h"

static uint64_t *ring(const struct crowd *crowd, const struct client *c)
{
    return crowd->due + (size_t)(c - crowd->clients) * crowd->options->pipeline;
}

void flight_begin(struct crowd *crowd, struct client *c, uint32_t n)
{
    uint32_t window = (uint32_t)crowd->options->pipeline, at = c->oldest + c->in_flight;
    uint64_t *due = ring(crowd, c);

    if (c->in_flight == 0)
        c->progress_ns = crowd->now_ns;
    for (uint32_t i = 0; i < n; i++, at++) {
        at = at >= window ? at - window : at;
        due[at] = crowd->now_ns;
        if (crowd->options->mode == MODE_OPEN) {
            due[at] = pacer_due(&crowd->pacer, c->planned);
            c->planned += crowd->n_clients;
        }
    }
    if (crowd->options->mode == MODE_CLOSED) {
        crowd->budget -= n;
    } else {
        c->owed -= n;
        crowd->owed -= n;
    }
    c->in_flight += n;
    crowd->in_flight += n;
    c->unsent += n * (uint32_t)crowd->message->frame_size;
    STAT_ADD(crowd->stats->counters.sent, n);
}

int flight_send(struct crowd *crowd, struct client *c)
{
    const struct message *m = crowd->message;
    uint32_t end = m->cycle * (uint32_t)m->frame_size;

    while (c->unsent > 0) {
        ssize_t n = stream_send(crowd, c, buffer_head(m->bytes) + c->out_at, c->unsent);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN && !stream_is_tls(crowd, c))
            c->source.ready &= (uint8_t)~READY_OUT;
        if (n == -EAGAIN)
            return 0;
        if (n < 0)
            return (int)n;
        c->unsent -= (uint32_t)n;
        c->out_at += (uint32_t)n;
        /* It may wrap more than once: the cycle may be shorter than the data sent at once. */
        if (c->out_at >= end)
            c->out_at %= end;
        STAT_ADD(crowd->stats->counters.bytes_out, (uint64_t)n);
        if (c->source.state == CLIENT_OPEN)
            c->progress_ns = crowd->now_ns;
    }
    return 0;
}

/* Takes the oldest message out of flight. Returns its latency. */
static uint64_t take_oldest(struct crowd *crowd, struct client *c, uint64_t came)
{
    uint64_t from = ring(crowd, c)[c->oldest];

    c->oldest = c->oldest + 1 == crowd->options->pipeline ? 0 : c->oldest + 1;
    c->in_flight--;
    crowd->in_flight--;
    return came > from ? came - from : 0;
}

void flight_land(struct crowd *crowd, struct client *c, const struct replies *replies)
{
    /* The reply may have waited while this process served other connections. A single reply was
     * there when the turn began, and that time is closer to the truth than now. Otherwise replies
     * may have come at any moment since, so the latest time counts: the server never looks better
     * than it was. */
    bool alone = c->in_flight == 1 && c->progress_ns < crowd->turn_ns;
    uint64_t came = alone ? crowd->turn_ns : crowd->now_ns;
    uint32_t n = MIN(replies->count, c->in_flight), unasked = replies->count - n;
    bool held = replies->refusal && unasked == 0;

    if (replies->count == 0)
        return;
    crowd_acquit(crowd, c);
    c->suspicion.mismatched = replies->last_mismatched;
    c->expected = (uint16_t)((c->expected + n) % crowd->message->cycle);
    for (uint32_t i = held ? 1 : 0; i < n; i++)
        stats_reply(crowd->stats, take_oldest(crowd, c, came));
    if (held)
        c->suspicion.latency_ns = take_oldest(crowd, c, came);
    if (replies->refusal)
        crowd_suspect(crowd, c, held ? SUSPECT_REPLY : SUSPECT_UNASKED);
    stats_error(crowd->stats, ERROR_UNEXPECTED, unasked - (replies->refusal && !held));
    if (n > 0)
        STAT_SET(crowd->stats->last_reply_ns, crowd->now_ns);
}

void flight_abandon(struct crowd *crowd, struct client *c)
{
    if (c->in_flight > 0)
        stats_error(crowd->stats, ERROR_UNANSWERED, c->in_flight);
    crowd->in_flight -= c->in_flight;
    c->in_flight = c->unsent = 0;
    c->out_at = c->expected * (uint32_t)crowd->message->frame_size;
}
