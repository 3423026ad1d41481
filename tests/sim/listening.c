/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "clock.h"
#include "listening.h"
#include "names.h"
#include "own.h"
#include "ring.h"
#include "seed.h"
#include "tcp.h"
#include "unix.h"

#define KEY_IN   ((uint32_t)(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND))
#define RETRY_NS SIM_S

struct listening {
    struct sim_file file;
    bool is_unix;
    int backlog;
    struct sim_ring queue; /* struct sim_stream * */
};

struct sim_dial {
    struct sim_alarm alarm;
    struct sockaddr_storage to, from;
    socklen_t to_size, from_size;
    sim_dialed *dialed;
    void *userdata;
};

size_t sim_listening_waiting(const struct sim_file *file)
{
    return (size_t)sim_ring_size(&((const struct listening *)file)->queue) /
           sizeof(struct sim_stream *);
}

static uint32_t listening_poll(struct sim_file *file)
{
    return sim_listening_waiting(file) > 0 ? EPOLLIN | EPOLLRDNORM : 0;
}

/* Resets the connections that were never accepted. */
static void listening_release(struct sim_file *file)
{
    struct listening *l = (struct listening *)file;
    struct sim_stream *s;

    sim_name_release(file);
    while ((s = sim_listening_accept(file))) {
        if (l->is_unix)
            sim_stream_set_error(s->peer, ECONNRESET);
        sim_stream_reset(s);
    }
    sim_ring_free(&l->queue);
    sim_own_free(l);
}

static const struct sim_file_kind listening_kind = {
    .name = "listening",
    .is_socket = true,
    .poll = listening_poll,
    .release = listening_release,
};

int sim_listening_new(const struct sockaddr *address, socklen_t size, int backlog,
                      struct sim_file **ret)
{
    struct listening *l = sim_own_alloc(sizeof *l);
    int r;

    sim_file_init(&l->file, &listening_kind);
    l->is_unix = address->sa_family == AF_UNIX;
    l->backlog = backlog;
    r = sim_name_bind(address, size, &l->file);
    if (r < 0) {
        sim_file_unref(&l->file);
        return r;
    }
    *ret = &l->file;
    return 0;
}

bool sim_listening_is(const struct sim_file *file)
{
    return file->kind == &listening_kind;
}

bool sim_listening_is_unix(const struct sim_file *file)
{
    return ((const struct listening *)file)->is_unix;
}

void sim_listening_set_backlog(struct sim_file *file, int backlog)
{
    ((struct listening *)file)->backlog = backlog;
}

struct sim_stream *sim_listening_accept(struct sim_file *file)
{
    struct listening *l = (struct listening *)file;
    struct sim_stream *s = NULL;

    if (sim_listening_waiting(file) == 0)
        return NULL;
    sim_ring_peek(&l->queue, &s, sizeof(struct sim_stream *));
    sim_ring_drop(&l->queue, sizeof(struct sim_stream *));
    return s;
}

/* Returns 0 or the error. -EAGAIN: the queue is full. */
static int connect_now(struct sim_dial *d, struct sim_stream **ret)
{
    struct sim_file *file = NULL;
    struct sim_stream *server;
    struct listening *l;
    int r = sim_name_find((struct sockaddr *)&d->to, d->to_size, &file);

    if (r < 0)
        return r;
    if (file->kind != &listening_kind)
        return -ECONNREFUSED;
    l = (struct listening *)file;
    if (sim_listening_waiting(file) > (size_t)l->backlog)
        return -EAGAIN;
    if (l->is_unix)
        sim_unix_new(ret, &server);
    else
        sim_tcp_new(ret, &server);
    sim_stream_set_peer_address(*ret, &d->to, d->to_size);
    sim_stream_set_peer_address(server, &d->from, d->from_size);
    sim_ring_put(&l->queue, &server, sizeof(struct sim_stream *));
    sim_file_wake(file, KEY_IN);
    return 0;
}

static void attempt(struct sim_alarm *alarm)
{
    struct sim_dial *d = CONTAINER_OF(alarm, struct sim_dial, alarm);
    struct sim_stream *stream = NULL;
    int r = connect_now(d, &stream);

    if (r == -EAGAIN && d->to.ss_family != AF_UNIX) {
        sim_alarm_set(&d->alarm, sim_now() + RETRY_NS, attempt);
        return;
    }
    d->dialed(d->userdata, stream, r);
    sim_own_free(d);
}

struct sim_dial *sim_dial(const struct sockaddr *to, socklen_t to_size, const struct sockaddr *from,
                          socklen_t from_size, sim_dialed *dialed, void *userdata)
{
    struct sim_dial *d = sim_own_alloc(sizeof *d);
    uint32_t latency = sim_tcp_settings()->latency_max;

    memcpy(&d->to, to, to_size);
    d->to_size = to_size;
    d->from.ss_family = to->sa_family;
    d->from_size = sizeof(sa_family_t);
    if (from) {
        memcpy(&d->from, from, from_size);
        d->from_size = from_size;
    }
    d->dialed = dialed;
    d->userdata = userdata;
    if (to->sa_family != AF_UNIX) {
        sim_alarm_set(&d->alarm, sim_now() + (latency > 0 ? sim_below(latency) : 0), attempt);
        return d;
    }
    attempt(&d->alarm);
    return NULL;
}

void sim_dial_cancel(struct sim_dial *d)
{
    sim_alarm_cancel(&d->alarm);
    sim_own_free(d);
}
