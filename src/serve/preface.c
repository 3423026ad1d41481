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
    buffer_free(&p->bytes);
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

/* Receives up to n bytes into the scratch space, behind `have` bytes that are there. Returns their
 * number; 0: the end of the stream; or a negative errno. */
static ssize_t receive(struct context *x, const struct preface *p, size_t have, size_t n, int flags)
{
    ssize_t r;

    do
        r = recv(p->source.fd, x->scratch + have, n, flags | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

/* Takes n bytes, which are there. A read may still stop early (recv(2)). */
static bool take(struct context *x, const struct preface *p, size_t have, size_t n)
{
    while (n > 0) {
        ssize_t r = receive(x, p, have, n, 0);

        if (r <= 0)
            return false;
        have += (size_t)r;
        n -= (size_t)r;
    }
    return true;
}

static void ended(struct context *x, struct preface *p)
{
    if (p->bytes)
        refuse(x, p, "the stream ended within it");
    else
        end(x, p); /* only opened and closed, as balancers do to check a server */
}

/* Looks at what has arrived. 1: it was a part of the header, and there may be more; 0: nothing has
 * arrived, and an edge will come, or it is over. */
static int proceed(struct context *x, struct preface *p)
{
    size_t have = p->bytes ? buffer_size(p->bytes) : 0;
    struct proxy_header header;
    const char *error = NULL;
    ssize_t n, size;

    if (have > 0)
        memcpy(x->scratch, buffer_head(p->bytes), have);
    n = receive(x, p, have, PROXY_HEADER_MAX - have, MSG_PEEK);
    if (n == -EAGAIN && !x->draining) {
        p->source.ready = 0;
        return 0;
    }
    if (n <= 0) {
        if (n == 0)
            ended(x, p);
        else
            end(x, p);
        return 0;
    }
    size = proxy_header_parse(x->scratch, have + (size_t)n, p->arrival.settings->proxy, &header,
                              &error);
    if (size < 0) {
        refuse(x, p, error);
        return 0;
    }
    if (!take(x, p, have, size > 0 ? (size_t)size - have : (size_t)n)) {
        end(x, p);
        return 0;
    }
    if (size > 0) {
        begin_connection(x, p, &header);
        return 0;
    }
    if (buffer_append(&p->bytes, x->scratch + have, (size_t)n) == 0)
        return 1;
    end(x, p);
    return 0;
}

void preface_dispatch(struct context *x, struct preface *p)
{
    while (proceed(x, p) > 0)
        ;
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
        preface_dispatch(x, p);
    }
}

void preface_close_all(struct context *x)
{
    while (x->prefaces)
        end(x, CONTAINER_OF(x->prefaces, struct preface, link));
}
