/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

/*
 * Edge-triggered epoll behind a list of what is ready.
 *
 * The kernel reports an edge once. What it reported is kept as readiness bits on the source, and a
 * source with news is put on the ready list. Readiness ends only when the kernel says that nothing
 * is left: by EAGAIN, or in one of the ways that transport.c knows. Then, and only then, the owner
 * clears the bit, and the next edge sets it again. Hence the invariant that keeps edge-triggering
 * from stalling:
 *
 *     a source whose owner could go on is on the ready list,
 *     or waits for an edge that the kernel owes it.
 *
 * An owner that stops early, for fairness or because it must wait for something else, keeps its
 * bits, and puts its source back on the list itself (loop_queue) when it may go on. What the owner
 * wants is nobody's business here:
 *
 *     wanted   ready bit   then
 *     no       any         nothing; the bit stays and is not lost
 *     yes      set         act, until EAGAIN or until the turn's budget is used up
 *     yes      clear       wait: an edge will come
 *
 * So a descriptor is registered once, for everything it will ever need: EPOLL_CTL_MOD would cost a
 * system call for each change of mind. A TCP socket may be registered for EPOLLOUT all the time.
 * The kernel reports that edge only after a send() found no room and a third of the buffer is free
 * again (tcp(7), sk_stream_is_writeable()). A UNIX stream reports it whenever its peer reads
 * (unix(7), unix_write_space()), so that every message would wake us twice: it is registered for
 * EPOLLOUT only while it lacks room.
 *
 * A batch of events from one epoll_wait() can name a source that an earlier event of the same batch
 * made its owner close. Memory of sources is therefore freed only between turns (when loop_next()
 * has given NULL), not while a turn runs.
 */

/* What the kernel said last; the values are EPOLL*, folded into a byte. */
enum {
    READY_IN = EPOLLIN,
    READY_PRI = EPOLLPRI,
    READY_OUT = EPOLLOUT,
    READY_ERR = EPOLLERR,
    READY_HUP = EPOLLHUP,
    READY_RDHUP = 0x20, /* EPOLLRDHUP is 0x2000 */
};

/* Embedded in its owner. */
struct source {
    struct source *next; /* on the ready list */
    int fd;
    uint8_t ready; /* READY_*: set as the kernel reports, cleared by the owner */
    bool queued;   /* on the ready list */
    uint8_t kind;  /* the owner's: which struct this is part of */
    uint8_t state; /* the owner's */
};

#define LOOP_EVENTS 256 /* taken from the kernel at once */

struct loop {
    int epoll_fd;
    struct source *head, **tail; /* ready now */
    struct source *pass;         /* what remains of the present turn */
    struct epoll_event events[LOOP_EVENTS];
};

/* 0 or a negative errno. */
int loop_init(struct loop *l);
void loop_deinit(struct loop *l);

/* Registers source->fd for `events` (EPOLL*, without EPOLLET, which is added). May be called from
 * another thread for a source that this thread has not seen yet: that is how a connection is handed
 * over. 0 or a negative errno. */
int loop_add(struct loop *l, struct source *s, uint32_t events);

/* Changes the registration of s->fd: to other events, or to another source. The kernel then reports
 * again what is ready (EPOLL_CTL_MOD). 0 or a negative errno. */
int loop_modify(struct loop *l, struct source *s, uint32_t events);

/* Must come before close() where a duplicate of the descriptor may live on, in another process for
 * instance: the kernel forgets a registration only with the last of them (epoll(7)). */
void loop_remove(struct loop *l, struct source *s);

/* Puts a source at the end of the ready list, unless it is there. While a turn runs, the list is
 * that of the next turn. */
void loop_queue(struct loop *l, struct source *s);

#define LOOP_FOREVER UINT64_MAX

/* Waits for events, for timeout_us at the most; not at all while a source is on the ready list.
 * Then the ready list becomes the new turn. Rounded up to milliseconds where the kernel has no
 * epoll_pwait2(2). 0 or a negative errno; a signal is no error. */
int loop_wait(struct loop *l, uint64_t timeout_us);

/* Makes the ready list the new turn without asking the kernel. False where it is empty. */
bool loop_again(struct loop *l);

/* The next source of this turn, in the order in which they became ready, or NULL at the end of the
 * turn. */
struct source *loop_next(struct loop *l);

/* Takes a source that is about to be freed off the lists: O(their length), for sources that are
 * few. */
void loop_unqueue(struct loop *l, struct source *s);
