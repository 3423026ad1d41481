/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "clock.h"
#include "faults.h"
#include "own.h"
#include "ring.h"
#include "seed.h"
#include "tcp.h"

#define KEY_IN  ((uint32_t)(EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND))
#define KEY_OUT ((uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))

struct tcp {
    struct sim_stream stream;
    /* Bytes that the peer has sent and this end has not read. */
    struct sim_ring in;
    uint64_t arrived;      /* how many of them have arrived */
    uint64_t acknowledged; /* how many of them the peer knows have arrived */
    bool fin, fin_arrived, fin_acknowledged;
    bool urgent; /* an out-of-band byte */
    uint64_t urgent_at;
    struct sim_alarm delivery, acknowledgement, reset;
    /* This end's sending side. */
    uint32_t sndbuf, rcvbuf, latency;
    bool no_space; /* SOCK_NOSPACE: a writer waits for room */
    bool closed;   /* TCP_CLOSE */
    bool linger_reset;
};

static struct sim_tcp_settings settings;
static size_t n_ends;

void sim_tcp_begin(bool plain)
{
    n_ends = 0;
    if (plain) {
        settings = (struct sim_tcp_settings){ 65536, 65536, 65536, 65536, 0, 0 };
        return;
    }
    settings.sndbuf_min = sim_scale(512, 65536);
    settings.sndbuf_max = sim_scale(settings.sndbuf_min, 262144);
    settings.rcvbuf_min = sim_scale(512, 65536);
    settings.rcvbuf_max = sim_scale(settings.rcvbuf_min, 262144);
    settings.latency_max = sim_below(4) > 0 ? sim_scale(1000, 200000000) : 0;
    settings.cut = sim_rate(SIM_ALWAYS / 2);
}

const struct sim_tcp_settings *sim_tcp_settings(void)
{
    return &settings;
}

void sim_tcp_configure(const struct sim_tcp_settings *s)
{
    settings = *s;
}

size_t sim_tcp_count(void)
{
    return n_ends;
}

static struct tcp *peer_of(const struct tcp *t)
{
    return (struct tcp *)t->stream.peer;
}

uint64_t sim_tcp_latency(const struct sim_stream *s)
{
    uint32_t latency = ((const struct tcp *)s)->latency;

    return latency > 0 ? latency / 2 + sim_below(latency) : 0;
}

static uint64_t unread(const struct tcp *t)
{
    return t->arrived - t->in.start;
}

/* Bytes in the buffer of t's sender. */
static uint64_t unacknowledged(const struct tcp *t)
{
    return t->in.end - t->acknowledged;
}

/* sk_stream_is_writeable(): a third of the buffer is free. */
static bool writable(const struct tcp *t)
{
    uint64_t used = unacknowledged(peer_of(t));

    return used < t->sndbuf && t->sndbuf - used >= used / 2;
}

static void tell_of_room(struct tcp *t)
{
    if (!t->no_space || t->stream.dead || !writable(t))
        return;
    t->no_space = false;
    sim_file_wake(&t->stream.file, KEY_OUT);
}

static void acknowledge(struct tcp *t)
{
    t->acknowledged = t->arrived;
    t->fin_acknowledged = t->fin_arrived;
    tell_of_room(peer_of(t));
}

static void on_acknowledgement(struct sim_alarm *alarm)
{
    acknowledge(CONTAINER_OF(alarm, struct tcp, acknowledgement));
}

static void owe_acknowledgement(struct tcp *t)
{
    if (t->latency == 0)
        acknowledge(t);
    else if (!sim_alarm_pending(&t->acknowledgement))
        sim_alarm_set(&t->acknowledgement, sim_now() + sim_tcp_latency(&t->stream),
                      on_acknowledgement);
}

/* Everything in flight to t is lost, and no longer awaited. */
static void purge(struct tcp *t)
{
    sim_alarm_cancel(&t->delivery);
    sim_alarm_cancel(&t->acknowledgement);
    sim_ring_cut(&t->in, t->arrived);
    t->acknowledged = t->arrived;
}

/* tcp_reset(), tcp_done() */
static void become_reset(struct tcp *t)
{
    struct sim_stream *s = &t->stream;

    sim_alarm_cancel(&t->reset);
    if (t->closed)
        return;
    t->closed = true;
    sim_stream_set_error(s, t->fin_arrived && !s->shut_write ? EPIPE : ECONNRESET);
    sim_stream_shut(s, true, true);
    purge(t);
    purge(peer_of(t));
    if (s->dead)
        return;
    sim_file_wake(&s->file, 0);
    sim_file_wake(&s->file, EPOLLERR);
}

static void on_reset(struct sim_alarm *alarm)
{
    become_reset(CONTAINER_OF(alarm, struct tcp, reset));
}

static void send_reset(struct tcp *to)
{
    if (to->closed || sim_alarm_pending(&to->reset))
        return;
    if (to->latency == 0)
        become_reset(to);
    else
        sim_alarm_set(&to->reset, sim_now() + sim_tcp_latency(&to->stream), on_reset);
}

/* Data for an end that is gone. */
static void refuse(struct tcp *t)
{
    purge(t);
    t->closed = true;
    send_reset(peer_of(t));
}

static void fin_arrives(struct tcp *t)
{
    t->fin_arrived = true;
    sim_stream_shut(&t->stream, true, false);
    if (!t->stream.dead)
        sim_file_wake(&t->stream.file, 0);
}

static bool window_open(const struct tcp *t)
{
    return t->in.end > t->arrived && unread(t) < t->rcvbuf;
}

static bool deliverable(const struct tcp *t)
{
    return !t->closed && (window_open(t) || (t->fin && !t->fin_arrived && t->arrived == t->in.end));
}

/* One portion arrives. */
static void deliver(struct tcp *t)
{
    uint64_t n = MIN(t->in.end - t->arrived, t->rcvbuf - MIN(unread(t), (uint64_t)t->rcvbuf));

    if (n > 0 && t->stream.dead) {
        refuse(t);
        return;
    }
    if (n > 1 && sim_chance(settings.cut))
        n -= sim_below((uint32_t)n);
    t->arrived += n;
    if (n > 0)
        sim_file_wake(&t->stream.file, KEY_IN);
    if (t->fin && !t->fin_arrived && t->arrived == t->in.end)
        fin_arrives(t);
    owe_acknowledgement(t);
}

static void pump(struct tcp *t);

static void on_delivery(struct sim_alarm *alarm)
{
    struct tcp *t = CONTAINER_OF(alarm, struct tcp, delivery);

    if (deliverable(t))
        deliver(t);
    pump(t);
}

/* Delivers whatever can arrive. */
static void pump(struct tcp *t)
{
    while (deliverable(t) && !sim_alarm_pending(&t->delivery)) {
        if (t->latency > 0)
            sim_alarm_set(&t->delivery, sim_now() + sim_tcp_latency(&t->stream), on_delivery);
        else
            deliver(t);
    }
}

static ssize_t tcp_send(struct sim_stream *s, const void *bytes, size_t n, int flags,
                        struct sim_file *passed)
{
    struct tcp *t = (struct tcp *)s, *to = peer_of(t);
    uint64_t used = unacknowledged(to);
    size_t taken;

    if (passed)
        return -EINVAL;
    if (s->error)
        return -sim_stream_take_error(s);
    if (s->shut_write)
        return -EPIPE;
    if (n > 0 && used >= t->sndbuf) {
        t->no_space = true;
        return -EAGAIN;
    }
    taken = MIN(n, (size_t)(t->sndbuf - used));
    /* The kernel is short of memory: acts as if there were no more room. */
    if (taken > 1 && sim_fault(SIM_SHORT))
        taken -= sim_below((uint32_t)taken);
    t->no_space |= taken < n;
    sim_ring_put(&to->in, bytes, taken);
    if (flags & MSG_OOB && taken > 0) {
        to->urgent = true;
        to->urgent_at = to->in.end - 1;
    }
    pump(to);
    return (ssize_t)taken;
}

/* How many bytes can be read at once, and from where. The out-of-band byte is left out. */
static uint64_t readable(struct tcp *t)
{
    if (t->urgent && t->urgent_at == t->in.start && t->arrived > t->urgent_at) {
        t->urgent = false;
        sim_ring_drop(&t->in, 1);
    }
    if (t->urgent && t->urgent_at > t->in.start && t->arrived > t->urgent_at)
        return t->urgent_at - t->in.start;
    return unread(t);
}

static ssize_t tcp_recv(struct sim_stream *s, void *bytes, size_t n)
{
    struct tcp *t = (struct tcp *)s;
    uint64_t available = readable(t);
    size_t taken = MIN(n, (size_t)available);

    if (available > 0) {
        if (bytes)
            sim_ring_peek(&t->in, bytes, taken);
        sim_ring_drop(&t->in, taken);
        pump(t);
        return (ssize_t)taken;
    }
    if (t->fin_arrived)
        return 0;
    if (s->error)
        return -sim_stream_take_error(s);
    return s->shut_read ? 0 : -EAGAIN;
}

static ssize_t tcp_peek(struct sim_stream *s, void *bytes, size_t n)
{
    struct tcp *t = (struct tcp *)s;
    size_t taken = MIN(n, (size_t)readable(t));

    if (taken == 0)
        return tcp_recv(s, bytes, n);
    sim_ring_peek(&t->in, bytes, taken);
    return (ssize_t)taken;
}

static void send_fin(struct tcp *to)
{
    to->fin = true;
    pump(to);
}

static int tcp_shutdown(struct sim_stream *s, int how)
{
    struct tcp *t = (struct tcp *)s;
    bool ended = s->shut_write;

    if (t->closed)
        return -ENOTCONN;
    sim_stream_shut(s, how != SHUT_WR, how != SHUT_RD);
    if (how != SHUT_RD && !ended)
        send_fin(peer_of(t));
    sim_file_wake(&s->file, 0);
    return 0;
}

static int tcp_unsent(const struct sim_stream *s)
{
    const struct tcp *to = peer_of((const struct tcp *)s);

    return (int)(unacknowledged(to) + (to->fin && !to->fin_acknowledged && !to->closed));
}

static int tcp_unread(const struct sim_stream *s)
{
    return (int)unread((const struct tcp *)s);
}

static void tcp_set_sizes(struct sim_stream *s, int sndbuf, int rcvbuf)
{
    struct tcp *t = (struct tcp *)s;

    if (sndbuf > 0)
        t->sndbuf = (uint32_t)sndbuf;
    if (rcvbuf > 0)
        t->rcvbuf = (uint32_t)rcvbuf;
}

static void tcp_set_reset(struct sim_stream *s, bool reset)
{
    ((struct tcp *)s)->linger_reset = reset;
}

static uint32_t tcp_poll(struct sim_file *file)
{
    struct tcp *t = (struct tcp *)file;
    struct sim_stream *s = &t->stream;
    bool urgent_here = t->urgent && t->arrived > t->urgent_at;
    uint64_t skipped = urgent_here && t->urgent_at == t->in.start;
    uint32_t state = 0;

    if ((s->shut_read && s->shut_write) || t->closed)
        state |= EPOLLHUP;
    if (s->shut_read)
        state |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
    if (unread(t) > skipped)
        state |= EPOLLIN | EPOLLRDNORM;
    if (s->shut_write || writable(t))
        state |= EPOLLOUT | EPOLLWRNORM;
    else
        t->no_space = true;
    if (urgent_here)
        state |= EPOLLPRI;
    if (s->error)
        state |= EPOLLERR;
    return state;
}

static void end_free(struct tcp *t)
{
    sim_alarm_cancel(&t->delivery);
    sim_alarm_cancel(&t->acknowledgement);
    sim_alarm_cancel(&t->reset);
    sim_ring_free(&t->in);
    n_ends--;
    sim_own_free(t);
}

/* tcp_close(): unread input makes it a reset. */
static void tcp_release(struct sim_file *file)
{
    struct tcp *t = (struct tcp *)file, *peer = peer_of(t);

    if (sim_stream_bury(&t->stream)) {
        end_free(t);
        end_free(peer);
        return;
    }
    if (t->closed)
        return;
    if (unread(t) > 0 || t->linger_reset) {
        refuse(t);
        return;
    }
    if (!t->stream.shut_write) {
        sim_stream_shut(&t->stream, false, true);
        send_fin(peer);
    }
    if (window_open(t))
        pump(t);
}

const struct sim_stream_family sim_tcp_family = {
    .kind = { .name = "tcp", .is_socket = true, .poll = tcp_poll, .release = tcp_release },
    .send = tcp_send,
    .recv = tcp_recv,
    .peek = tcp_peek,
    .shutdown = tcp_shutdown,
    .unsent = tcp_unsent,
    .unread = tcp_unread,
    .set_sizes = tcp_set_sizes,
    .set_reset = tcp_set_reset,
};

static struct tcp *end_new(uint32_t latency)
{
    struct tcp *t = sim_own_alloc(sizeof *t);

    sim_stream_init(&t->stream, &sim_tcp_family);
    t->sndbuf = sim_scale(settings.sndbuf_min, settings.sndbuf_max);
    t->rcvbuf = sim_scale(settings.rcvbuf_min, settings.rcvbuf_max);
    t->latency = latency;
    n_ends++;
    return t;
}

void sim_tcp_new(struct sim_stream **ret_client, struct sim_stream **ret_server)
{
    uint32_t latency = settings.latency_max > 0
                           ? sim_scale(MIN(settings.latency_max, 1000U), settings.latency_max)
                           : 0;
    struct tcp *client = end_new(latency), *server = end_new(latency);

    sim_stream_pair(&client->stream, &server->stream);
    *ret_client = &client->stream;
    *ret_server = &server->stream;
}
