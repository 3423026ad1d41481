/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/parse.h"
#include "record/event-log.h"
#include "serve/preface.h"
#include "serve/proxy-stage.h"

#define WANTED (EPOLLIN | EPOLLRDHUP)

/* done: the arrival, with its stream, goes to a connection. */
static void forget(struct context *x, struct preface *p, bool done)
{
    timer_cancel(&p->deadline);
    link_remove(&p->link);
    handshake_leave(x, &p->handshake, done);
    loop_unqueue(&x->loop, &p->source);
    buffer_free(&p->bytes);
    free(p);
}

static void end(struct context *x, struct preface *p)
{
    connection_turn_away(x, &p->arrival);
    forget(x, p, false);
}

static void begin_connection(struct context *x, struct preface *p)
{
    struct arrival arrival = p->arrival;
    int r;

    forget(x, p, true);
    r = connection_open(x, &arrival, true);
    if (r == 0)
        return;
    connection_tell_not_taken(r);
    connection_turn_away(x, &arrival);
}

static void set_deadline(struct context *x, struct preface *p, uint64_t span_ms)
{
    timer_cancel(&p->deadline);
    if (span_ms != TIMER_NEVER)
        context_arm(x, &p->deadline, context_ms(x) + span_ms);
}

static enum stage take_header(struct context *x, struct preface *p)
{
    enum stage stage = proxy_stage_continue(x, &p->source, &p->bytes, &p->arrival);

    if (stage != STAGE_DONE)
        return stage;
    p->has_header = true;
    buffer_free(&p->bytes);
    set_deadline(x, p, p->arrival.settings->handshake_ms);
    return STAGE_DONE;
}

void preface_dispatch(struct context *x, struct preface *p)
{
    enum stage stage = p->has_header ? STAGE_DONE : take_header(x, p);

    if (stage == STAGE_DONE && p->arrival.settings->tls)
        stage = handshake_continue(x, &p->handshake, &p->arrival);
    if (stage == STAGE_DONE)
        begin_connection(x, p);
    else if (stage == STAGE_OVER || x->draining)
        end(x, p);
}

void preface_expire(struct context *x, struct preface *p)
{
    const struct settings *s = p->arrival.settings;
    struct event_about who = { .peer = &p->arrival.peer, .listener = s->name };
    char span[SPAN_TEXT_MAX];

    count(&x->counters.timeouts, 1);
    if (p->has_header)
        event_log_about(EVENT_TIMEOUT, &who, "cut off: no complete TLS handshake for %s",
                        format_span(s->handshake_ms * 1000, span));
    else
        event_log_about(EVENT_TIMEOUT, &who, "cut off: sent no complete PROXY header for %s",
                        format_span(s->message_ms * 1000, span));
    end(x, p);
}

/* A handshake may have to wait for room. */
static int watch(struct context *x, struct preface *p, bool registered)
{
    uint32_t events = p->arrival.settings->tls ? WANTED | EPOLLOUT : WANTED;

    return registered ? loop_modify(&x->loop, &p->source, events)
                      : loop_add(&x->loop, &p->source, events);
}

int preface_open(struct context *x, const struct arrival *arrival, bool registered)
{
    const struct settings *s = arrival->settings;
    struct preface *p = calloc(1, sizeof *p);
    int r;

    if (!p)
        return -ENOMEM;
    *p = (struct preface){
        .source = { .fd = arrival->fd, .kind = SOURCE_PREFACE, .ready = READY_OUT },
        .arrival = *arrival,
        .has_header = !s->proxy,
        .handshake = { .source = &p->source, .settings = s },
        .deadline = { .kind = TIMER_PREFACE },
    };
    r = watch(x, p, registered);
    if (r < 0) {
        free(p);
        return r;
    }
    link_insert(&x->prefaces, &p->link);
    set_deadline(x, p, p->has_header ? s->handshake_ms : s->message_ms);
    if (x->draining)
        preface_drain_all(x);
    return 0;
}

void preface_drain_all(struct context *x)
{
    struct link *next;

    for (struct link *l = x->prefaces; l; l = next) {
        struct preface *p = CONTAINER_OF(l, struct preface, link);

        next = l->next;
        p->source.ready |= READY_IN; /* only EAGAIN proves that nothing has arrived */
        preface_dispatch(x, p);
    }
}

void preface_close_all(struct context *x)
{
    while (x->prefaces)
        end(x, CONTAINER_OF(x->prefaces, struct preface, link));
}
