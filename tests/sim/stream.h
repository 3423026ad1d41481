/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "file.h"

/*
 * One end of a connected stream: the program's or an actor's, both alike. This has what TCP and
 * UNIX sockets have in common; tcp.c and unix.c have the rest.
 */

struct sim_stream;

struct sim_stream_family {
    struct sim_file_kind kind;
    /* passed: a file sent with the bytes, or NULL. The reference is taken over unless the result is
     * negative. flags: MSG_OOB. Returns the number of bytes, or a negative errno. */
    ssize_t (*send)(struct sim_stream *s, const void *bytes, size_t n, int flags,
                    struct sim_file *passed);
    /* bytes NULL: discards what it receives. 0: the peer has ended the stream. */
    ssize_t (*recv)(struct sim_stream *s, void *bytes, size_t n);
    /* MSG_PEEK: the same, but the bytes stay. An error does not. */
    ssize_t (*peek)(struct sim_stream *s, void *bytes, size_t n);
    int (*shutdown)(struct sim_stream *s, int how);
    int (*unsent)(const struct sim_stream *s);                       /* SIOCOUTQ */
    int (*unread)(const struct sim_stream *s);                       /* SIOCINQ */
    void (*set_sizes)(struct sim_stream *s, int sndbuf, int rcvbuf); /* 0: unchanged */
    /* Makes close() a reset: SO_LINGER with a time of 0. */
    void (*set_reset)(struct sim_stream *s, bool reset);
};

/* The first member of each end. */
struct sim_stream {
    struct sim_file file;
    const struct sim_stream_family *family;
    struct sim_stream *peer;
    int error;                  /* sk_err, positive */
    bool shut_read, shut_write; /* sk_shutdown */
    void *observed;             /* for the observer */
    unsigned pid;               /* of this end's process: SO_PEERCRED at the other end */
    bool dead;                  /* no descriptor names it any more */
    struct sockaddr_storage peer_address;
    socklen_t peer_address_size;
};

void sim_stream_init(struct sim_stream *s, const struct sim_stream_family *family);
void sim_stream_pair(struct sim_stream *a, struct sim_stream *b);
bool sim_stream_is(const struct sim_file *file);
void sim_stream_set_peer_address(struct sim_stream *s, const void *address, socklen_t size);
void sim_stream_shut(struct sim_stream *s, bool read, bool write);
void sim_stream_set_error(struct sim_stream *s, int error);
int sim_stream_take_error(struct sim_stream *s); /* like SO_ERROR: reported once */
/* True if both ends are dead, and can be freed. */
bool sim_stream_bury(struct sim_stream *s);

/* For actors. */

static inline ssize_t sim_stream_send(struct sim_stream *s, const void *bytes, size_t n)
{
    return s->family->send(s, bytes, n, 0, NULL);
}

static inline ssize_t sim_stream_recv(struct sim_stream *s, void *bytes, size_t n)
{
    return s->family->recv(s, bytes, n);
}

static inline int sim_stream_shutdown(struct sim_stream *s, int how)
{
    return s->family->shutdown(s, how);
}

static inline uint32_t sim_stream_poll(struct sim_stream *s)
{
    return s->file.kind->poll(&s->file);
}

/* Drops the actor's reference. */
static inline void sim_stream_close(struct sim_stream *s)
{
    sim_file_unref(&s->file);
}

static inline void sim_stream_reset(struct sim_stream *s)
{
    s->family->set_reset(s, true);
    sim_file_unref(&s->file);
}
