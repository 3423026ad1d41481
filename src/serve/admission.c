/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <sys/socket.h>

#include "record/event-log.h"
#include "serve/admission.h"

void admission_tell(struct context *x, const struct settings *s, int fd, const char *reason)
{
    /* The few bytes fit in any new socket's buffer. */
    if (session_append_error(&s->rules, reason, &x->reply) == 0 && buffer_size(x->reply) > 0)
        (void)send(fd, buffer_head(x->reply), buffer_size(x->reply), MSG_NOSIGNAL | MSG_DONTWAIT);
    buffer_clear(x->reply);
}

bool admission_client(struct context *x, const struct settings *s, int fd, const struct peer *peer,
                      bool *ret_counted)
{
    struct event_about who = { .peer = peer, .listener = s->name };

    if (!settings_allow(s, peer)) {
        count(&x->counters.refused, 1);
        event_log_about(EVENT_NOT_ALLOWED, &who, "refused: Allow= or Deny= excludes this address");
        admission_tell(x, s, fd, "your address is not allowed");
        return false;
    }
    if (!address_limit_claim(&x->shared->addresses, peer, ret_counted)) {
        count(&x->counters.refused, 1);
        event_log_about(EVENT_ADDRESS_LIMIT, &who, "refused: MaxConnectionsPerAddress= reached");
        admission_tell(x, s, fd, "too many connections from your address");
        return false;
    }
    return true;
}

bool admission_proxy(struct context *x, const struct settings *s, const struct peer *peer)
{
    struct event_about who = { .peer = peer, .listener = s->name };

    if (prefix_list_has(s->proxy_from, peer))
        return true;
    count(&x->counters.refused, 1);
    event_log_about(EVENT_PROXY_REFUSED, &who, "refused: ProxyFrom= does not name this address");
    return false;
}
