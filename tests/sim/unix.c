/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/epoll.h>

#include "base/macros.h"
#include "own.h"
#include "ring.h"
#include "seed.h"
#include "unix.h"

#define KEY_IN        ((uint32_t)(EPOLLIN | EPOLLRDNORM | EPOLLRDBAND))
#define KEY_OUT       ((uint32_t)(EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND))
#define LINUX_SNDBUF  212992
#define PIECE_MAX     32448
#define PIECE_HEAD    320 /* struct skb_shared_info */
#define PIECE_BESIDES 256 /* struct sk_buff */
#define PEEKED_PIECES 256 /* Linux peeks at as many as there are */

struct piece {
    uint32_t left, truesize;
    bool urgent;
    struct sim_file *passed;
};

struct unix_end {
    struct sim_stream stream;
    struct sim_ring in;     /* the bytes of the pieces in the queue */
    struct sim_ring pieces; /* struct piece */
    uint32_t used;          /* sk_wmem_alloc: sent by this end and not freed yet */
    uint32_t sndbuf;
};

static uint32_t sndbuf_of_all;
static size_t n_ends;

void sim_unix_begin(bool plain)
{
    n_ends = 0;
    sndbuf_of_all = plain || sim_below(3) == 0 ? LINUX_SNDBUF : sim_scale(4608, LINUX_SNDBUF);
}

void sim_unix_set_sndbuf(uint32_t bytes)
{
    sndbuf_of_all = bytes;
}

size_t sim_unix_count(void)
{
    return n_ends;
}

/* The allocator's sizes: powers of two up to a page, then multiples of 512. */
uint32_t sim_unix_truesize(size_t n)
{
    size_t size = n + PIECE_HEAD, bucket = 512;

    while (bucket < size && bucket < 4096)
        bucket *= 2;
    if (bucket < size)
        bucket = (size + 511) / 512 * 512;
    return (uint32_t)(bucket + PIECE_BESIDES);
}

static struct unix_end *peer_of(const struct unix_end *u)
{
    return (struct unix_end *)u->stream.peer;
}

static bool has_pieces(const struct unix_end *u)
{
    return sim_ring_size(&u->pieces) > 0;
}

/* unix_writable() */
static bool writable(const struct unix_end *u)
{
    return (uint64_t)u->used * 4 <= u->sndbuf;
}

static ssize_t unix_send(struct sim_stream *s, const void *bytes, size_t n, int flags,
                         struct sim_file *passed)
{
    struct unix_end *u = (struct unix_end *)s, *to = peer_of(u);
    size_t sent = 0;

    if (s->shut_write || to->stream.dead || to->stream.shut_read)
        return -EPIPE;
    while (sent < n) {
        size_t size = MIN(MIN(n - sent, (size_t)PIECE_MAX), (size_t)u->sndbuf / 2 - 64);
        struct piece piece = {
            .left = (uint32_t)size,
            .truesize = sim_unix_truesize(size),
            .urgent = flags & MSG_OOB && sent + size == n,
            .passed = passed,
        };

        if (u->used >= u->sndbuf)
            break;
        if (piece.urgent && size > 1) { /* the last byte is a separate piece */
            size--;
            piece.left--;
            piece.urgent = false;
        }
        passed = NULL;
        sim_ring_put(&to->in, (const uint8_t *)bytes + sent, size);
        sim_ring_put(&to->pieces, &piece, sizeof piece);
        u->used += piece.truesize;
        sent += size;
        sim_file_wake(&to->stream.file, KEY_IN);
    }
    return sent > 0 || n == 0 ? (ssize_t)sent : -EAGAIN;
}

/* sock_wfree(), unix_write_space() */
static void piece_free(struct unix_end *u, struct piece *piece)
{
    struct unix_end *from = peer_of(u);

    sim_ring_drop(&u->pieces, sizeof *piece);
    if (piece->passed)
        sim_file_unref(piece->passed); /* the reader did not ask for it */
    from->used -= piece->truesize;
    if (!from->stream.dead && writable(from))
        sim_file_wake(&from->stream.file, KEY_OUT);
}

/* A read stops after bytes that came with a file, and before an out-of-band byte. It skips that
 * byte if it comes first. */
static ssize_t unix_recv(struct sim_stream *s, void *bytes, size_t n)
{
    struct unix_end *u = (struct unix_end *)s;
    size_t taken = 0;
    bool more = true;

    while (more && taken < n && has_pieces(u)) {
        struct piece piece;
        size_t size;

        sim_ring_peek(&u->pieces, &piece, sizeof piece);
        if (piece.urgent && taken > 0)
            break;
        size = piece.urgent ? piece.left : MIN(n - taken, (size_t)piece.left);
        if (bytes && !piece.urgent)
            sim_ring_peek(&u->in, (uint8_t *)bytes + taken, size);
        sim_ring_drop(&u->in, size);
        if (!piece.urgent)
            taken += size;
        if (size < piece.left) {
            piece.left -= (uint32_t)size;
            sim_ring_replace(&u->pieces, &piece, sizeof piece);
            break;
        }
        more = !piece.passed;
        piece_free(u, &piece);
    }
    if (taken > 0 || n == 0)
        return (ssize_t)taken;
    if (s->error)
        return -sim_stream_take_error(s);
    return s->shut_read ? 0 : -EAGAIN;
}

/* As recv() would, which never returns it. */
static void skip_urgent_bytes(struct unix_end *u)
{
    struct piece piece;

    while (has_pieces(u)) {
        sim_ring_peek(&u->pieces, &piece, sizeof piece);
        if (!piece.urgent)
            return;
        sim_ring_drop(&u->in, piece.left);
        piece_free(u, &piece);
    }
}

/* As far as a piece with a passed file, or before an urgent byte. */
static ssize_t unix_peek(struct sim_stream *s, void *bytes, size_t n)
{
    struct unix_end *u = (struct unix_end *)s;
    struct piece pieces[PEEKED_PIECES];
    size_t n_pieces, there = 0, taken;

    skip_urgent_bytes(u);
    n_pieces = MIN(sim_ring_size(&u->pieces) / sizeof pieces[0], ARRAY_SIZE(pieces));
    sim_ring_peek(&u->pieces, pieces, n_pieces * sizeof pieces[0]);
    for (size_t i = 0; i < n_pieces && !pieces[i].urgent; i++) {
        there += pieces[i].left;
        if (pieces[i].passed)
            break;
    }
    taken = MIN(n, there);
    if (taken == 0)
        return unix_recv(s, bytes, n);
    sim_ring_peek(&u->in, bytes, taken);
    return (ssize_t)taken;
}

static int unix_shutdown(struct sim_stream *s, int how)
{
    struct sim_stream *peer = s->peer;

    sim_stream_shut(s, how != SHUT_WR, how != SHUT_RD);
    sim_stream_shut(peer, how != SHUT_RD, how != SHUT_WR);
    sim_file_wake(&s->file, 0);
    if (!peer->dead)
        sim_file_wake(&peer->file, 0);
    return 0;
}

static int unix_unsent(const struct sim_stream *s)
{
    return (int)((const struct unix_end *)s)->used;
}

static int unix_unread(const struct sim_stream *s)
{
    return (int)sim_ring_size(&((const struct unix_end *)s)->in);
}

static void unix_set_sizes(struct sim_stream *s, int sndbuf, int rcvbuf)
{
    (void)rcvbuf; /* has no effect */
    if (sndbuf > 0)
        ((struct unix_end *)s)->sndbuf = (uint32_t)sndbuf;
}

static void unix_set_reset(struct sim_stream *s, bool reset)
{
    (void)s; /* SO_LINGER has no effect either */
    (void)reset;
}

static uint32_t unix_poll(struct sim_file *file)
{
    struct unix_end *u = (struct unix_end *)file;
    struct sim_stream *s = &u->stream;
    uint32_t state = 0;
    struct piece piece = { 0 };

    if (has_pieces(u))
        sim_ring_peek(&u->pieces, &piece, sizeof piece);
    if (s->error)
        state |= EPOLLERR;
    if (s->shut_read && s->shut_write)
        state |= EPOLLHUP;
    if (s->shut_read)
        state |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
    if (has_pieces(u))
        state |= EPOLLIN | EPOLLRDNORM;
    if (piece.urgent)
        state |= EPOLLPRI;
    if (writable(u))
        state |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
    return state;
}

static void drop_pieces(struct unix_end *u)
{
    while (has_pieces(u)) {
        struct piece piece;

        sim_ring_peek(&u->pieces, &piece, sizeof piece);
        piece_free(u, &piece);
    }
    sim_ring_drop(&u->in, (size_t)sim_ring_size(&u->in));
}

static void end_free(struct unix_end *u)
{
    sim_ring_free(&u->in);
    sim_ring_free(&u->pieces);
    n_ends--;
    sim_own_free(u);
}

/* unix_release_sock() */
static void unix_release(struct sim_file *file)
{
    struct unix_end *u = (struct unix_end *)file;
    struct sim_stream *peer = u->stream.peer;
    bool unread = has_pieces(u), last = sim_stream_bury(&u->stream);

    if (!last) {
        sim_stream_shut(peer, true, true);
        if (unread)
            sim_stream_set_error(peer, ECONNRESET);
        sim_file_wake(&peer->file, 0);
    }
    drop_pieces(u);
    if (last) {
        end_free((struct unix_end *)peer);
        end_free(u);
    }
}

const struct sim_stream_family sim_unix_family = {
    .kind = { .name = "unix", .is_socket = true, .poll = unix_poll, .release = unix_release },
    .send = unix_send,
    .recv = unix_recv,
    .peek = unix_peek,
    .shutdown = unix_shutdown,
    .unsent = unix_unsent,
    .unread = unix_unread,
    .set_sizes = unix_set_sizes,
    .set_reset = unix_set_reset,
};

static struct unix_end *end_new(void)
{
    struct unix_end *u = sim_own_alloc(sizeof *u);

    sim_stream_init(&u->stream, &sim_unix_family);
    u->sndbuf = sndbuf_of_all;
    n_ends++;
    return u;
}

void sim_unix_new(struct sim_stream **ret_client, struct sim_stream **ret_server)
{
    struct unix_end *client = end_new(), *server = end_new();

    sim_stream_pair(&client->stream, &server->stream);
    *ret_client = &client->stream;
    *ret_server = &server->stream;
}
