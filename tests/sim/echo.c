/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/runner.h"
#include "descriptors.h"
#include "echo.h"
#include "fiber.h"
#include "names.h"
#include "net/loop.h"
#include "task.h"
#include "trace.h"
#include "world.h"

enum { LISTENING = 1, PEER };

struct served {
    struct source source;
    struct served *next; /* all connections of a thread */
    uint8_t byte;
    bool recorded, holding; /* it holds a byte that is not sent back yet */
};

struct thread {
    struct loop loop;
    struct source listening;
    struct served *served;
    int journal;
    struct sim_fiber *fiber;
};

static bool stopping;

static void drop(struct thread *t, struct served *s)
{
    for (struct served **p = &t->served; *p; p = &(*p)->next)
        if (*p == s) {
            *p = s->next;
            break;
        }
    loop_unqueue(&t->loop, &s->source);
    close(s->source.fd);
    free(s);
}

static void accept_all(struct thread *t)
{
    for (;;) {
        struct served *s = calloc(1, sizeof *s);
        int fd = -1;

        if (s)
            fd = accept4(t->listening.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (s && errno == EAGAIN)
                t->listening.ready = 0;
            else
                loop_queue(&t->loop, &t->listening);
            free(s);
            return;
        }
        s->source.fd = fd;
        s->source.kind = PEER;
        s->next = t->served;
        t->served = s;
        if (loop_add(&t->loop, &s->source, EPOLLIN | EPOLLOUT | EPOLLRDHUP) < 0)
            drop(t, s);
    }
}

/* False: it must wait, or is gone. */
static bool echo_one(struct thread *t, struct served *s)
{
    ssize_t n;

    if (!s->holding) {
        n = recv(s->source.fd, &s->byte, 1, 0);
        if (n < 0 && errno == EAGAIN)
            return false;
        if (n < 0 && errno == EINTR)
            return true;
        if (n <= 0) {
            drop(t, s);
            return false;
        }
        s->holding = true;
        s->recorded = false;
    }
    if (!s->recorded) {
        n = send(t->journal, &s->byte, 1, MSG_NOSIGNAL);
        if (n < 0) { /* after any error, wait for the next event */
            loop_queue(&t->loop, &s->source);
            return false;
        }
        s->recorded = true;
    }
    n = send(s->source.fd, &s->byte, 1, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n < 0 && (errno == EINTR || errno == ENOBUFS))
        return true;
    if (n < 0) {
        drop(t, s);
        return false;
    }
    s->holding = false;
    return true;
}

static void serve(void *userdata)
{
    struct thread *t = userdata;
    struct source *source;

    while (!stopping) {
        (void)loop_wait(&t->loop, 100);
        while ((source = loop_next(&t->loop)))
            if (source->kind == LISTENING)
                accept_all(t);
            else
                while (echo_one(t, (struct served *)source))
                    ;
    }
    while (t->served)
        drop(t, t->served);
}

static void thread_begin(struct thread *t, struct sim_file *listening)
{
    struct sockaddr_storage journal;
    socklen_t size = sim_address(ECHO_JOURNAL, &journal);

    *t = (struct thread){ 0 };
    ck_assert_int_eq(loop_init(&t->loop), 0);
    t->listening.fd = sim_descriptor_new(sim_file_ref(listening), 0);
    t->listening.kind = LISTENING;
    t->journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(connect(t->journal, (struct sockaddr *)&journal, size), 0);
    ck_assert_int_eq(loop_add(&t->loop, &t->listening, EPOLLIN | EPOLLEXCLUSIVE), 0);
    t->fiber = sim_fiber_new(serve, t);
}

static struct thread threads[ECHO_THREADS];
static unsigned n_threads;

void echo_begin(struct sim_file *tcp, struct sim_file *local, unsigned n)
{
    stopping = false;
    n_threads = n;
    for (unsigned i = 0; i < n; i++)
        thread_begin(&threads[i], i % 2 == 0 ? tcp : local);
}

void echo_die(void)
{
    for (unsigned i = 0; i < n_threads; i++)
        sim_fiber_free(threads[i].fiber);
    sim_world_kill();
    sim_world_look_for_leaks(0);
}

static void thread_end(struct thread *t)
{
    while (!sim_fiber_ended(t->fiber) && !sim_violation())
        ck_assert(sim_turn(SIM_NEVER));
    sim_fiber_free(t->fiber);
    loop_deinit(&t->loop);
    close(t->listening.fd);
    close(t->journal);
}

void echo_end(void)
{
    stopping = true;
    for (unsigned i = 0; i < n_threads; i++)
        thread_end(&threads[i]);
}
