/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/*
 * Edge-triggered epoll behind a ready list.
 *
 * The kernel reports an edge once. The loop keeps the report as readiness bits on the source, and
 * puts the source on the ready list. Readiness ends only when the kernel says that nothing is left:
 * by EAGAIN, or in one of the ways that transport.c knows. Then, and only then, the owner clears
 * the bit. The next edge sets it again. This invariant keeps edge triggering from stalling:
 *
 *     a source whose owner could go on is on the ready list,
 *     or waits for an edge that the kernel owes it.
 *
 * An owner may stop early, for fairness or because it must wait for something else. It then keeps
 * its bits, and puts its source back on the list itself (loop_queue) when it can continue. The loop
 * does not know what the owner wants:
 *
 *     wanted   ready bit   then
 *     no       any         nothing; the bit stays and is not lost
 *     yes      set         act until EAGAIN, or until the share of this dispatch is used up
 *     yes      clear       wait: an edge will come
 *
 * So a descriptor is registered once, for everything it will ever need. EPOLL_CTL_MOD would cost a
 * system call for each change. A TCP socket can be registered for EPOLLOUT all the time: the kernel
 * reports that edge only after a send() found no room, once a third of the buffer is free again
 * (tcp(7), sk_stream_is_writeable()). A UNIX stream reports it whenever its peer reads (unix(7),
 * unix_write_space()), so every message would wake us twice. It is registered for EPOLLOUT only
 * while it lacks room.
 *
 * The loop hands out ready sources in passes. A pass takes the ready list as it is; sources that
 * become ready later are for the next pass. A worker's turn has up to three passes.
 *
 * One epoll_wait() can report several events. Handling an early one may close the source of a later
 * one. So free a source's memory only between passes (after loop_next() has returned NULL), never
 * during one.
 */

/* What the kernel reported last. The values are EPOLL*, folded into a byte. */
enum {
    READY_IN = EPOLLIN,
    READY_PRI = EPOLLPRI,
    READY_OUT = EPOLLOUT,
    READY_ERR = EPOLLERR,
    READY_HUP = EPOLLHUP,
    READY_RDHUP = 0x20, /* EPOLLRDHUP is 0x2000 */
};

/* The bits of something to receive: bytes, an end or an error. */
#define READY_INPUT (READY_IN | READY_PRI | READY_RDHUP | READY_HUP | READY_ERR)

/* Embedded in its owner. */
struct source {
    struct source *next; /* on the ready list */
    int fd;
    uint8_t ready; /* READY_*: the kernel's reports set it, the owner clears it */
    bool queued;   /* on the ready list */
    uint8_t kind;  /* for the owner: which struct this is part of */
    uint8_t state; /* for the owner */
};

/* Whether a short read has emptied the socket, so that we need not read again to see EAGAIN. True
 * only for TCP, and only without an end of stream, error or urgent mark at which recv() stops. On
 * AF_UNIX recv() also stops at attached credentials or descriptors (unix(7)). */
static inline bool source_short_read_drains(const struct source *s, bool is_unix)
{
    return !is_unix && !(s->ready & (READY_PRI | READY_RDHUP | READY_HUP | READY_ERR));
}

#define LOOP_EVENTS 256 /* per call of epoll_wait() */

struct loop {
    int epoll_fd;
    struct source *head, **tail; /* ready now */
    struct source *pass;         /* what remains of the current pass */
    struct epoll_event events[LOOP_EVENTS];
};

/* 0 or a negative errno. */
int loop_init(struct loop *l);
void loop_deinit(struct loop *l);

/* Registers source->fd for `events` (EPOLL*; EPOLLET is added). Another thread may call this to
 * hand over a connection, if the loop's own thread has not seen the source yet. 0 or a negative
 * errno. */
int loop_add(struct loop *l, struct source *s, uint32_t events);

/* Changes the registration of s->fd to other events or another source. The kernel then reports
 * again what is ready (EPOLL_CTL_MOD). 0 or a negative errno. */
int loop_modify(struct loop *l, struct source *s, uint32_t events);

/* Call this before close() if the descriptor may have a duplicate, for example in another process:
 * the kernel drops a registration only with the last duplicate (epoll(7)). */
void loop_remove(struct loop *l, struct source *s);

/* Puts a source at the end of the ready list, unless it is there already. During a pass, it waits
 * for the next pass. */
void loop_queue(struct loop *l, struct source *s);

#define LOOP_FOREVER UINT64_MAX

/* Waits up to timeout_us for events, but not at all if a source is on the ready list. Then begins a
 * pass over the ready list. The timeout is rounded up to milliseconds if the kernel has no
 * epoll_pwait2(2). 0 or a negative errno; a signal is no error. */
int loop_wait(struct loop *l, uint64_t timeout_us);

/* Begins another pass over the ready list, without asking the kernel. False if the list is
 * empty. */
bool loop_again(struct loop *l);

/* The next source of this pass, in the order in which they became ready, or NULL at the end of the
 * pass. */
struct source *loop_next(struct loop *l);

/* Removes a source that is about to be freed from the lists. This takes O(list length), so use it
 * only for the few sources that are not connections. */
void loop_unqueue(struct loop *l, struct source *s);
