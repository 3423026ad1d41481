/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <sys/socket.h>

#include "ask-bench/suspects.h"
#include "base/macros.h"

#define WAIT_NS UINT64_C(1000000000)

void suspicion_acquit(struct suspicion *s, struct worker_stats *stats)
{
    if (s->kind == SUSPECT_REPLY)
        stats_reply(stats, s->latency_ns);
    if (s->kind == SUSPECT_UNASKED)
        stats_error(stats, ERROR_UNEXPECTED, 1);
    if (s->kind != SUSPECT_NONE && s->mismatched)
        stats_error(stats, ERROR_MISMATCHED, 1);
    s->kind = SUSPECT_NONE;
}

void suspicion_convict(struct suspicion *s, struct worker_stats *stats)
{
    stats_error(stats, ERROR_REFUSED, 1);
    s->kind = SUSPECT_NONE;
}

void suspects_init(struct suspects *p, struct loop *loop, struct timer_wheel *wheel,
                   struct worker_stats *stats, uint8_t source_kind, uint8_t timer_kind)
{
    *p = (struct suspects){ .loop = loop, .wheel = wheel, .stats = stats };
    p->timer.kind = timer_kind;
    for (size_t i = 0; i < SUSPECTS_MAX; i++)
        p->all[i].source = (struct source){ .fd = -1, .kind = source_kind };
}

static void leave(struct suspects *p, struct suspect_connection *c)
{
    if (c->tls)
        (void)tls_end(c->tls);
    tls_free(STEAL_PTR(c->tls));
    c->source.fd = close_fd(c->source.fd);
    p->count--;
}

static void acquit(struct suspects *p, struct suspect_connection *c)
{
    suspicion_acquit(&c->suspicion, p->stats);
    leave(p, c);
}

/* Rounded up: the timer must not expire early. */
static void set_timer(struct suspects *p, uint64_t ns)
{
    timer_set(p->wheel, &p->timer, ns / 1000000 + 1);
}

void suspects_add(struct suspects *p, int fd, struct tls *tls, const struct suspicion *s,
                  uint64_t now_ns)
{
    struct suspect_connection *c = &p->all[p->next];

    if (c->source.fd >= 0)
        acquit(p, c);
    p->next = (p->next + 1) % SUSPECTS_MAX;
    p->count++;
    c->source.fd = fd;
    c->source.ready = READY_OUT;
    c->tls = tls;
    if (tls)
        tls_move(tls, &c->source);
    c->until_ns = now_ns + WAIT_NS;
    c->suspicion = *s;
    if (!timer_armed(&p->timer))
        set_timer(p, c->until_ns);
    /* The kernel reports again what is ready. */
    if (loop_modify(p->loop, &c->source, EPOLLIN | EPOLLRDHUP) < 0)
        acquit(p, c);
}

/* A byte. Returns 1, 0 at the end of the stream, or a negative errno. */
static ssize_t receive(struct suspect_connection *c, uint8_t *byte)
{
    ssize_t n = recv(c->source.fd, byte, 1, 0);

    c->source.ready = 0;
    return n < 0 ? -errno : n;
}

void suspects_event(struct suspects *p, struct suspect_connection *c)
{
    uint8_t byte;
    ssize_t n;

    if (c->source.fd < 0)
        return;
    /* The event may belong to the last connection in this place. */
    n = c->tls ? tls_recv(c->tls, &byte, sizeof byte) : receive(c, &byte);
    if (n == -EAGAIN || n == -EINTR)
        return;
    if (n == 0 || n == -ECONNRESET || n == -ENODATA) {
        suspicion_convict(&c->suspicion, p->stats);
        leave(p, c);
        return;
    }
    acquit(p, c);
}

void suspects_timer(struct suspects *p, uint64_t now_ns)
{
    uint64_t first = UINT64_MAX;

    for (size_t i = 0; i < SUSPECTS_MAX; i++) {
        struct suspect_connection *c = &p->all[i];

        if (c->source.fd < 0)
            continue;
        if (c->until_ns <= now_ns)
            acquit(p, c);
        else
            first = MIN(first, c->until_ns);
    }
    if (first != UINT64_MAX)
        set_timer(p, first);
}

void suspects_acquit_all(struct suspects *p)
{
    for (size_t i = 0; i < SUSPECTS_MAX; i++)
        if (p->all[i].source.fd >= 0)
            acquit(p, &p->all[i]);
}
