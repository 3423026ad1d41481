/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "random.h"
#include "session-driver.h"

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "session-driver: does not hold: %s\n", #condition);              \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct driver {
    struct session session;
    struct session_feed feed;
    const struct plan *plan;
    uint64_t random;
    struct buffer *reply; /* not taken by the peer yet */
    uint8_t *pending;     /* not used by the session yet, in memory of exactly that size */
    size_t n_pending, scanned;
    size_t messages; /* taken by the current feed */
    bool refused;    /* a record was refused in the current feed */
    size_t replied;  /* bytes of all replies that have records */
    size_t seen;     /* how many of them are in .reply */
    struct outcome *outcome;
};

static void append(struct buffer **b, const void *bytes, size_t n)
{
    EXPECT(buffer_append(b, bytes, n) == 0);
}

static void append_string(struct buffer **b, const char *text)
{
    append(b, text, strlen(text) + 1);
}

static int take_record(void *userdata, const struct record *record)
{
    struct driver *c = userdata;
    size_t reply_size = buffer_size(c->reply) - c->seen; /* its reply is already there */
    struct buffer **log = &c->outcome->records;

    EXPECT(!c->refused);
    if (c->random && random_below(&c->random, 3) == 0) {
        c->refused = true;
        return -EAGAIN;
    }
    append_string(log, record->id);
    append_string(log, record->peer);
    append_string(log, record->peer_port);
    append_string(log, record->peer_name);
    append_string(log, record->listener);
    append(log, &record->connection, sizeof record->connection);
    append(log, &record->seq, sizeof record->seq);
    append(log, &record->unfinished, sizeof record->unfinished);
    c->outcome->n_unfinished += record->unfinished;
    append(log, &record->size, sizeof record->size);
    append(log, record->data, record->size);
    append(log, &reply_size, sizeof reply_size);
    c->outcome->n_records++;
    EXPECT(record->seq == c->outcome->n_records);
    c->messages++;
    c->replied += reply_size;
    c->seen += reply_size;
    return 0;
}

/* Drops `used` pending bytes and adds n new ones. */
static void replace_pending(struct driver *c, size_t used, const uint8_t *bytes, size_t n)
{
    size_t kept = c->n_pending - used;
    /* malloc(0) may return NULL, which is not allowed for memcpy(). */
    uint8_t *new = malloc(kept + n + 1);

    EXPECT(new);
    new = realloc(new, MAX(kept + n, (size_t)1));
    EXPECT(new);
    if (kept > 0)
        memcpy(new, c->pending + used, kept);
    if (n > 0)
        memcpy(new + kept, bytes, n);
    free(c->pending);
    c->pending = new;
    c->n_pending = kept + n;
}

/* The peer takes all replies, or some. */
static void flush(struct driver *c)
{
    size_t n = buffer_size(c->reply);

    if (n == 0)
        return;
    if (c->random && random_below(&c->random, 2) == 0)
        n = 1 + random_below(&c->random, n);
    append(&c->outcome->replies, buffer_head(c->reply), n);
    buffer_consume(c->reply, n);
    c->seen -= MIN(n, c->seen); /* an error reply has no record */
}

static void choose_limits(struct driver *c)
{
    c->feed.message_limit = SIZE_MAX;
    c->feed.reply_limit = SIZE_MAX;
    if (!c->random)
        return;
    if (random_below(&c->random, 2))
        c->feed.message_limit = 1 + random_below(&c->random, 3);
    if (random_below(&c->random, 2))
        c->feed.reply_limit = 1 + random_below(&c->random, 40);
    c->feed.now.mono_us += random_magnitude(&c->random, 25);
}

static enum session_status feed_once(struct driver *c, bool eof)
{
    enum session_status status;
    size_t used = SIZE_MAX;

    choose_limits(c);
    c->messages = 0;
    c->refused = false;
    status = session_feed(&c->session, &c->feed, c->pending, c->n_pending, eof, &c->scanned, &used,
                          &c->outcome->error);
    if (c->outcome->error > 0)
        EXPECT(session_append_error(c->feed.rules, frame_error_text(c->outcome->error),
                                    c->feed.reply) == 0);
    EXPECT(used <= c->n_pending);
    EXPECT(status != SESSION_NOMEM);
    EXPECT(c->messages <= c->feed.message_limit);
    EXPECT(!c->refused || status == SESSION_STOPPED);
    if (status == SESSION_STOPPED)
        EXPECT(c->refused || c->messages == c->feed.message_limit ||
               buffer_size(c->reply) >= c->feed.reply_limit);
    if (status == SESSION_LIMITED) {
        uint64_t resume = session_resume_us(&c->session, c->feed.rules);

        EXPECT(resume > c->feed.now.mono_us);
        c->feed.now.mono_us = resume;
    }
    replace_pending(c, used, NULL, 0);
    EXPECT(c->scanned <= c->n_pending);
    flush(c);
    return status;
}

static enum session_status feed(struct driver *c, bool eof)
{
    const struct session_rules *rules = c->feed.rules;
    enum session_status status;

    do
        status = feed_once(c, eof);
    while (status == SESSION_STOPPED || status == SESSION_LIMITED);
    if (status == SESSION_HUNGRY)
        EXPECT(c->n_pending <= frame_size_max(rules->framing, rules->max_message));
    if (status == SESSION_ENDED)
        EXPECT(c->n_pending == 0);
    return status;
}

static size_t next_read(struct driver *c, size_t at, size_t n)
{
    const struct plan *plan = c->plan;

    if (plan->read_max > 0) {
        size_t size = c->random ? 1 + random_below(&c->random, plan->read_max) : plan->read_max;

        return MIN(size, n - at);
    }
    for (size_t i = 0; i < plan->n_cuts; i++)
        if (plan->cuts[i] > at && plan->cuts[i] < n)
            return plan->cuts[i] - at;
    return n - at;
}

static enum session_status run(struct driver *c, const uint8_t *stream, size_t n, bool eof)
{
    enum session_status status = SESSION_HUNGRY;

    for (size_t at = 0, size; at < n && status == SESSION_HUNGRY; at += size) {
        bool last;

        size = next_read(c, at, n);
        last = eof && at + size == n;
        /* The end of the stream may be seen together with the last bytes, or later. */
        if (last && c->random && random_below(&c->random, 2))
            last = false;
        replace_pending(c, 0, stream + at, size);
        status = feed(c, last);
    }
    if (eof && status == SESSION_HUNGRY)
        status = feed(c, true);
    return status;
}

void converse(const struct session_rules *rules, const uint8_t *stream, size_t n, bool eof,
              const struct plan *plan, struct outcome *ret)
{
    struct driver c = {
        .session = { .number = 7 },
        .feed = {
            .rules = rules,
            .now = { .mono_us = 1000000000, .real_us = 1700000000123456 },
            .run_id = "0123456789abcdef",
            .peer = "192.0.2.1",
            .peer_port = "40000",
            .peer_name = "192.0.2.1:40000",
            .listener = "default",
            .record = take_record,
        },
        .plan = plan,
        .random = plan->random,
        .outcome = ret,
    };

    *ret = (struct outcome){ 0 };
    c.feed.reply = &c.reply;
    c.feed.userdata = &c;
    replace_pending(&c, 0, NULL, 0);
    ret->status = run(&c, stream, n, eof);
    while (buffer_size(c.reply) > 0)
        flush(&c);
    if (ret->error > 0)
        EXPECT(buffer_size(ret->replies) > c.replied);
    else
        EXPECT(buffer_size(ret->replies) == c.replied);
    buffer_free(&c.reply);
    free(c.pending);
}

static bool equal(struct buffer *a, struct buffer *b)
{
    return buffer_size(a) == buffer_size(b) &&
           (buffer_size(a) == 0 || memcmp(buffer_head(a), buffer_head(b), buffer_size(a)) == 0);
}

bool outcome_equal(const struct outcome *a, const struct outcome *b)
{
    return a->status == b->status && a->n_records == b->n_records && a->error == b->error &&
           equal(a->records, b->records) && equal(a->replies, b->replies);
}

void outcome_deinit(struct outcome *outcome)
{
    buffer_free(&outcome->records);
    buffer_free(&outcome->replies);
}
