/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "base/parse.h"
#include "protocol/proxy-header.h"
#include "record/event-log.h"
#include "serve/admission.h"
#include "serve/preface.h"

#define WANTED (EPOLLIN | EPOLLRDHUP)

_Static_assert(PROXY_HEADER_MAX <= READ_SIZE, "a header fits in the scratch space");

static void forget(struct context *x, struct preface *p)
{
    timer_cancel(&p->deadline);
    link_remove(&p->link);
    loop_unqueue(&x->loop, &p->source);
    free(p);
}

static void end(struct context *x, struct preface *p)
{
    connection_turn_away(x, &p->arrival);
    forget(x, p);
}

_cold_ static void refuse(struct context *x, struct preface *p, const char *reason)
{
    struct event_about who = {
        .peer = &p->arrival.peer,
        .listener = p->arrival.settings->name,
    };

    count(&x->counters.refused, 1);
    event_log_about(EVENT_PROXY_REFUSED, &who, "refused: no valid PROXY header: %s", reason);
    end(x, p);
}

/* The client that the header names takes the place of the proxy. 0; -EACCES: it was refused; or
 * -ENOMEM. */
static int take_client(struct context *x, struct arrival *a, const struct proxy_header *header)
{
    struct peer client = { .port = header->port };

    memcpy(client.address, header->address, sizeof client.address);
    if (!admission_client(x, a->settings, a->fd, &client, &a->counted))
        return -EACCES;
    a->origin = origin_new(&a->peer, header);
    a->peer = client;
    return a->origin ? 0 : -ENOMEM;
}

static void begin_connection(struct context *x, struct preface *p,
                             const struct proxy_header *header)
{
    struct arrival arrival = p->arrival;
    int r = header->has_client ? take_client(x, &arrival, header) : 0;

    forget(x, p);
    if (r == 0)
        r = connection_open(x, &arrival, true);
    if (r < 0 && r != -EACCES)
        event_log(EVENT_MEMORY_LIMIT, "could not take a connection: %s", strerror(-r));
    if (r < 0)
        connection_turn_away(x, &arrival);
}

/* Bytes that have arrived, at most a header's worth; 0: the end of the stream; or a negative
 * errno. */
static ssize_t receive(struct context *x, const struct preface *p, size_t n, int flags)
{
    ssize_t r;

    do
        r = recv(p->source.fd, x->scratch, n, flags | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

void preface_dispatch(struct context *x, struct preface *p)
{
    bool ending = p->source.ready & (READY_RDHUP | READY_HUP | READY_ERR);
    const struct settings *s = p->arrival.settings;
    struct proxy_header header;
    const char *error = NULL;
    ssize_t n, size;

    p->source.ready = 0;
    n = receive(x, p, PROXY_HEADER_MAX, MSG_PEEK);
    if (n == -EAGAIN && !ending)
        return;
    /* A connection that is only opened and closed is a check of a balancer. */
    if (n <= 0) {
        end(x, p);
        return;
    }
    size = proxy_header_parse(x->scratch, (size_t)n, s->proxy, &header, &error);
    if (size < 0)
        refuse(x, p, error);
    else if (size == 0 && x->draining)
        end(x, p);
    else if (size == 0 && ending)
        refuse(x, p, "the stream ended within it");
    else if (size > 0 && receive(x, p, (size_t)size, 0) == size)
        begin_connection(x, p, &header);
    else if (size > 0)
        end(x, p);
}

void preface_expire(struct context *x, struct preface *p)
{
    struct event_about who = {
        .peer = &p->arrival.peer,
        .listener = p->arrival.settings->name,
    };
    char span[SPAN_TEXT_MAX];

    count(&x->counters.timeouts, 1);
    event_log_about(EVENT_TIMEOUT, &who, "cut off: sent no complete PROXY header for %s",
                    format_span(p->arrival.settings->message_ms * 1000, span));
    end(x, p);
}

int preface_open(struct context *x, const struct arrival *arrival, bool registered)
{
    struct preface *p = calloc(1, sizeof *p);
    int r = -ENOMEM;

    if (p) {
        p->source = (struct source){ .fd = arrival->fd, .kind = SOURCE_PREFACE };
        r = registered ? loop_modify(&x->loop, &p->source, WANTED)
                       : loop_add(&x->loop, &p->source, WANTED);
    }
    if (r < 0) {
        free(p);
        return r;
    }
    p->arrival = *arrival;
    p->deadline.kind = TIMER_PREFACE;
    link_insert(&x->prefaces, &p->link);
    if (arrival->settings->message_ms != TIMER_NEVER)
        context_arm(x, &p->deadline, context_ms(x) + arrival->settings->message_ms);
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
        p->source.ready |= READY_RDHUP; /* whatever is not here does not come any more */
        preface_dispatch(x, p);
    }
}

void preface_close_all(struct context *x)
{
    while (x->prefaces)
        end(x, CONTAINER_OF(x->prefaces, struct preface, link));
}
