/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "base/wake.h"
#include "log/format.h"
#include "net/peer.h"
#include "record/batch.h"
#include "record/committer.h"
#include "record/sink.h"

/*
 * The record log. One parcel is filled while the other one is away: with the committer, which all
 * workers share. When it comes back, its records are on the disk.
 *
 * A record that no segment can hold is refused. It ends its parcel, so that its turn comes behind the
 * records before it.
 */

/* A parcel that has held a large record does not keep its memory. */
#define BYTES_KEPT (2 * (size_t)BATCH_BYTES)

struct sink_log {
    struct sink sink;
    struct committer *committer;
    struct parcel *filling, *sent; /* sent->n > 0: it is away, or has just come back */
};

static struct sink_log *log_of(struct sink *s)
{
    return CONTAINER_OF(s, struct sink_log, sink);
}

static void forget_parcels(struct sink_log *s)
{
    parcel_free(STEAL_PTR(s->filling));
    parcel_free(STEAL_PTR(s->sent));
}

/* The parcels are made once: what is staged stays. */
static int log_open(struct sink *sink)
{
    struct sink_log *s = log_of(sink);
    _cleanup_close_ int fd = -EBADF;
    int r;

    if (!s->committer || !atomic_load(&s->committer->open))
        return -ENOTCONN;
    fd = wake_new();
    if (fd < 0)
        return fd;
    r = parcel_new(fd, &s->filling);
    if (r >= 0)
        r = parcel_new(fd, &s->sent);
    if (r < 0) {
        forget_parcels(s);
        return r;
    }
    return STEAL_FD(fd);
}

static size_t log_room(const struct sink *sink)
{
    const struct sink_log *s = log_of((struct sink *)sink);

    if (!s->filling || s->filling->ends_refused || buffer_size(s->filling->bytes) >= BATCH_BYTES)
        return 0;
    return SINK_RECORDS - sink->n_waiting;
}

/* A listener's name is checked where it is read. */
_Static_assert(PEER_TEXT_MAX <= LOG_NAME_MAX, "every address fits into a record");

static int log_stage(struct sink *sink, const struct record *record)
{
    const struct sink_log *s = log_of(sink);
    struct parcel *p = s->filling;
    size_t size = log_record_size(record);
    int r;

    if (size == 0 || size > s->committer->record_max) {
        p->ends_refused = true;
        return 0;
    }
    r = buffer_reserve(&p->bytes, size);
    if (r < 0)
        return r;
    log_record_put(buffer_tail(p->bytes), record, size);
    buffer_commit(p->bytes, size);
    p->n++;
    return 0;
}

/* Takes back the parcel that was away; returns how many records it has brought to the disk. */
static size_t take_back(struct parcel *p)
{
    size_t n = p->n;

    if (n == 0 || atomic_load_explicit(&p->away, memory_order_acquire))
        return 0;
    p->n = 0;
    if (p->bytes->capacity > BYTES_KEPT)
        buffer_free(&p->bytes);
    else
        buffer_clear(p->bytes);
    return n;
}

static bool is_empty(const struct parcel *p)
{
    return p->n == 0 && !p->ends_refused;
}

static size_t log_submit(struct sink *sink, int *ret_error)
{
    struct sink_log *s = log_of(sink);
    size_t done = take_back(s->sent);

    if (is_empty(s->sent) && !is_empty(s->filling)) {
        struct parcel *p = s->filling;

        s->filling = s->sent;
        s->sent = p;
        if (p->n > 0)
            committer_send(s->committer, p);
    }
    if (s->sent->n == 0 && s->sent->ends_refused) {
        s->sent->ends_refused = false;
        *ret_error = -EMSGSIZE;
    }
    sink->state = s->sent->n > 0 ? SINK_WORKING : SINK_READY;
    return done;
}

static void log_free(struct sink *sink)
{
    struct sink_log *s = log_of(sink);

    forget_parcels(s);
    free(s);
}

static const struct sink_ops log_ops = {
    .open = log_open,
    .free = log_free,
    .room = log_room,
    .stage = log_stage,
    .submit = log_submit,
};

struct sink *sink_log_new(struct committer *committer)
{
    struct sink_log *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->sink = (struct sink){
        .ops = &log_ops,
        .state = SINK_AWAY,
        .fd = -1,
        .events = EPOLLIN,
    };
    s->committer = committer;
    return &s->sink;
}
