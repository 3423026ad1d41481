/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

#include "datagram.h"
#include "names.h"
#include "own.h"
#include "ring.h"
#include "seed.h"
#include "unix.h"

#define KEY_IN        ((uint32_t)(EPOLLIN | EPOLLRDNORM | EPOLLRDBAND))
#define KEY_OUT       ((uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))
#define LINUX_SNDBUF  212992
#define LINUX_QLEN    512
#define HEADROOM      32         /* of a datagram, in the sender's buffer */
#define LARGEST_BLOCK (4U << 20) /* of the kernel's allocator */

struct message {
    struct sim_message m;
    struct sim_datagram *from;
    uint32_t truesize;
};

struct sim_datagram {
    struct sim_file file;
    struct sim_datagram *peer; /* connected to */
    unsigned users;            /* references: its descriptors count as one */
    bool dead, was_connected;
    struct sim_ring queue; /* struct message */
    uint32_t places;
    uint32_t used, sndbuf;
    /* Among the senders that wait for the peer to read. */
    struct sim_datagram *waiters, *next, **pprev;
};

static uint32_t qlen, sndbuf_of_all, wmem_max;

void sim_datagram_begin(bool plain)
{
    qlen = plain ? LINUX_QLEN : sim_scale(1, LINUX_QLEN);
    sndbuf_of_all = plain || sim_below(2) == 0 ? LINUX_SNDBUF : sim_scale(4608, LINUX_SNDBUF);
    wmem_max = plain ? LINUX_SNDBUF : sndbuf_of_all;
    if (!plain && sim_below(2) > 0)
        wmem_max = sim_scale(sndbuf_of_all, 8U << 20);
}

uint32_t sim_datagram_wmem_max(void)
{
    return wmem_max;
}

void sim_datagram_set_places(uint32_t max_qlen)
{
    qlen = max_qlen;
}

static void drop_user(struct sim_datagram *d)
{
    if (--d->users == 0)
        sim_own_free(d);
}

static bool writable(const struct sim_datagram *d)
{
    return (uint64_t)d->used * 4 <= d->sndbuf;
}

static bool full(const struct sim_datagram *d)
{
    return sim_datagram_waiting(d) > d->places;
}

static void wait_end(struct sim_datagram *d)
{
    if (!d->pprev)
        return;
    *d->pprev = d->next;
    if (d->next)
        d->next->pprev = d->pprev;
    d->pprev = NULL;
}

/* unix_dgram_peer_wake_me() */
static bool wait_for(struct sim_datagram *d, struct sim_datagram *to)
{
    if (to->dead || !full(to))
        return false;
    if (!d->pprev) {
        struct sim_datagram **at = &to->waiters;

        while (*at)
            at = &(*at)->next;
        d->next = NULL;
        d->pprev = at;
        *at = d;
    }
    return true;
}

/* unix_dgram_peer_wake_relay(): wakes each sender once. A sender waits again when it asks again. */
static void wake_waiters(struct sim_datagram *d)
{
    struct sim_datagram *first = d->waiters, *waiter;

    if (first)
        first->pprev = &first;
    d->waiters = NULL;
    while ((waiter = first)) {
        wait_end(waiter);
        sim_file_wake(&waiter->file, KEY_OUT);
    }
}

static uint32_t datagram_poll(struct sim_file *file)
{
    struct sim_datagram *d = (struct sim_datagram *)file;
    uint32_t state = sim_datagram_waiting(d) > 0 ? EPOLLIN | EPOLLRDNORM : 0;

    if (writable(d) && !(d->peer && d->peer->peer != d && full(d->peer) && wait_for(d, d->peer)))
        state |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
    return state;
}

static void disconnect(struct sim_datagram *d)
{
    if (!d->peer)
        return;
    wait_end(d);
    drop_user(d->peer);
    d->peer = NULL;
}

static void datagram_release(struct sim_file *file)
{
    struct sim_datagram *d = (struct sim_datagram *)file;
    struct sim_message m;

    d->dead = true;
    sim_name_release(file);
    disconnect(d);
    wake_waiters(d);
    while (sim_datagram_receive(d, &m))
        sim_message_free(&m);
    sim_ring_free(&d->queue);
    drop_user(d);
}

static const struct sim_file_kind datagram_kind = {
    .name = "datagram",
    .is_socket = true,
    .poll = datagram_poll,
    .release = datagram_release,
};

struct sim_file *sim_datagram_new(void)
{
    struct sim_datagram *d = sim_own_alloc(sizeof *d);

    sim_file_init(&d->file, &datagram_kind);
    d->users = 1;
    d->places = qlen;
    d->sndbuf = sndbuf_of_all;
    return &d->file;
}

struct sim_datagram *sim_datagram_of(struct sim_file *file)
{
    return file->kind == &datagram_kind ? (struct sim_datagram *)file : NULL;
}

int sim_datagram_bind(struct sim_datagram *d, const struct sockaddr *address, socklen_t size)
{
    return sim_name_bind(address, size, &d->file);
}

static int find(const struct sockaddr *address, socklen_t size, struct sim_datagram **ret)
{
    struct sim_file *file = NULL;
    int r = sim_name_find(address, size, &file);

    if (r < 0)
        return r;
    *ret = sim_datagram_of(file);
    return *ret ? 0 : -EPROTOTYPE;
}

int sim_datagram_connect(struct sim_datagram *d, const struct sockaddr *address, socklen_t size)
{
    struct sim_datagram *to = NULL;
    int r = find(address, size, &to);

    if (r < 0)
        return r;
    disconnect(d);
    d->peer = to;
    to->users++;
    return 0;
}

void sim_datagram_set_sndbuf(struct sim_datagram *d, uint32_t bytes)
{
    d->sndbuf = bytes;
}

uint32_t sim_datagram_sndbuf(const struct sim_datagram *d)
{
    return d->sndbuf;
}

int sim_datagram_unsent(const struct sim_datagram *d)
{
    return (int)d->used;
}

static void deliver(struct sim_datagram *d, struct sim_datagram *to, const void *bytes, size_t n,
                    struct sim_file *passed)
{
    struct message message = {
        .m = { .bytes = sim_own_alloc(n + 1), .size = n, .passed = passed },
        .from = d,
        .truesize = sim_unix_truesize(n),
    };

    memcpy(message.m.bytes, bytes, n);
    d->users++;
    d->used += message.truesize;
    sim_ring_put(&to->queue, &message, sizeof message);
    sim_file_wake(&to->file, KEY_IN);
}

/* Whether it can be delivered: 0 or a negative errno. */
static int look_at(struct sim_datagram *d, struct sim_datagram *to)
{
    if (to->dead) {
        if (d->peer == to)
            disconnect(d);
        return -ECONNREFUSED;
    }
    if (full(to) && to->peer != d && (d->peer != to || wait_for(d, to)))
        return -EAGAIN;
    return 0;
}

/* unix_dgram_sendmsg(): takes memory first. Giving it back unused counts as room. */
int sim_datagram_send(struct sim_datagram *d, const void *bytes, size_t n, struct sim_file *passed,
                      const struct sockaddr *address, socklen_t size)
{
    struct sim_datagram *to = d->peer;
    int r = 0;

    if (!to && !address)
        return -ENOTCONN;
    if (d->sndbuf < HEADROOM || n > d->sndbuf - HEADROOM)
        return -EMSGSIZE;
    if (d->used >= d->sndbuf)
        return -EAGAIN;
    if (n > LARGEST_BLOCK)
        return -ENOBUFS;
    if (address)
        r = find(address, size, &to);
    if (r == 0)
        r = look_at(d, to);
    if (r == 0)
        deliver(d, to, bytes, n, passed);
    else if (writable(d))
        sim_file_wake(&d->file, KEY_OUT);
    return r;
}

size_t sim_datagram_waiting(const struct sim_datagram *d)
{
    return (size_t)sim_ring_size(&d->queue) / sizeof(struct message);
}

/* unix_dgram_recvmsg(): first wakes senders that wait for a place, then frees the datagram. */
bool sim_datagram_receive(struct sim_datagram *d, struct sim_message *ret)
{
    struct message message;

    if (sim_datagram_waiting(d) == 0)
        return false;
    sim_ring_peek(&d->queue, &message, sizeof message);
    sim_ring_drop(&d->queue, sizeof message);
    *ret = message.m;
    wake_waiters(d);
    message.from->used -= message.truesize;
    if (!message.from->dead && writable(message.from))
        sim_file_wake(&message.from->file, KEY_OUT);
    drop_user(message.from);
    return true;
}

void sim_message_free(struct sim_message *m)
{
    sim_own_free(m->bytes);
    if (m->passed)
        sim_file_unref(m->passed);
}
