/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "protocol/proxy-header.h"
#include "record/event-log.h"
#include "serve/admission.h"
#include "serve/proxy-stage.h"

_Static_assert(PROXY_HEADER_MAX <= READ_SIZE, "a header fits in the scratch space");

_cold_ static enum stage refuse(struct context *x, const struct arrival *a, const char *reason)
{
    struct event_about who = { .peer = &a->peer, .listener = a->settings->name };

    count(&x->counters.refused, 1);
    event_log_about(EVENT_PROXY_REFUSED, &who, "refused: no valid PROXY header: %s", reason);
    return STAGE_OVER;
}

/* The client that the header names takes the place of the proxy. */
static enum stage take_client(struct context *x, struct arrival *a,
                              const struct proxy_header *header)
{
    struct peer client = { .port = header->port };

    if (!header->has_client)
        return STAGE_DONE;
    memcpy(client.address, header->address, sizeof client.address);
    if (!admission_client(x, a->settings, a->fd, &client, &a->counted))
        return STAGE_OVER;
    a->origin = origin_new(&a->peer, header);
    a->peer = client;
    if (a->origin)
        return STAGE_DONE;
    connection_tell_not_taken(-ENOMEM);
    return STAGE_OVER;
}

/* Receives up to n bytes into the scratch space, behind `have` bytes that are there. Returns their
 * number; 0: the end of the stream; or a negative errno. */
static ssize_t receive(struct context *x, int fd, size_t have, size_t n, int flags)
{
    ssize_t r;

    do
        r = recv(fd, x->scratch + have, n, flags | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return r < 0 ? -errno : r;
}

/* Takes n bytes, which are there. A read may still stop early (recv(2)). */
static bool take(struct context *x, int fd, size_t have, size_t n)
{
    while (n > 0) {
        ssize_t r = receive(x, fd, have, n, 0);

        if (r <= 0)
            return false;
        have += (size_t)r;
        n -= (size_t)r;
    }
    return true;
}

/* Looks once at what has arrived. True: it was a part of the header, and there may be more. False:
 * *ret says how it is. */
static bool proceed(struct context *x, struct source *s, struct buffer **kept, struct arrival *a,
                    enum stage *ret)
{
    size_t have = *kept ? buffer_size(*kept) : 0;
    struct proxy_header header;
    const char *error = NULL;
    ssize_t n, size;

    *ret = STAGE_OVER;
    if (have > 0)
        memcpy(x->scratch, buffer_head(*kept), have);
    n = receive(x, s->fd, have, PROXY_HEADER_MAX - have, MSG_PEEK);
    if (n == -EAGAIN) {
        s->ready = 0;
        *ret = STAGE_WAITS;
    }
    /* Balancers only open and close a connection to check a server. */
    if (n == 0 && have > 0)
        (void)refuse(x, a, "the stream ended within it");
    if (n <= 0)
        return false;
    size = proxy_header_parse(x->scratch, have + (size_t)n, a->settings->proxy, &header, &error);
    if (size < 0)
        *ret = refuse(x, a, error);
    if (size < 0 || !take(x, s->fd, have, size > 0 ? (size_t)size - have : (size_t)n))
        return false;
    if (size > 0)
        *ret = take_client(x, a, &header);
    return size == 0 && buffer_append(kept, x->scratch + have, (size_t)n) == 0;
}

enum stage proxy_stage_continue(struct context *x, struct source *s, struct buffer **kept,
                                struct arrival *a)
{
    enum stage stage;

    while (proceed(x, s, kept, a, &stage))
        ;
    return stage;
}
