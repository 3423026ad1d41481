/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>

#include "answerd/config-check.h"
#include "answerd/config-key.h"

/* The segment that is written to, and the next one's file. */
static int check_log(const struct config *c, const struct config_blame *b)
{
    const struct log_settings *log = &c->log;
    const struct config_value *use =
        &c->log_values[config_key_find(config_log_keys, "MaxUse") - config_log_keys];

    if (log->max_use == 0 || log->max_use / 2 >= log->segment_size)
        return 0;
    return config_blame(b, use, "MaxUse=%s: less than twice SegmentSize=", use->text);
}

/* The log would refuse the largest messages. The value to blame is the listener's, or else the
 * segment's: the defaults fit. */
static int check_message_size(const struct config *c, const struct config_listener *l,
                              const struct config_blame *b)
{
    const struct config_key *size_key = config_key_find(config_listener_keys, "MaxMessageSize"),
                            *segment_key = config_key_find(config_log_keys, "SegmentSize");
    const struct config_value *size = &l->values[size_key - config_listener_keys],
                              *segment = &c->log_values[segment_key - config_log_keys];
    uint64_t room = log_record_max(c->log.segment_size) - LOG_RECORD_BESIDE;

    if (l->settings->record != RECORD_LOG || l->settings->rules.max_message <= room)
        return 0;
    return config_blame(
        b, size->text ? size : segment,
        "MaxMessageSize=%s of [Listener %s] is too large for SegmentSize=%s: the log takes "
        "messages of up to %" PRIu64 " bytes. Set a smaller MaxMessageSize=, or a larger "
        "SegmentSize=",
        size->text ?: size_key->standard, l->settings->name, segment->text ?: segment_key->standard,
        room);
}

/* Whoever may send a header can claim to be anybody. */
static int check_proxy(const struct config_listener *l, const struct config_blame *b)
{
    const struct config_value *proxy =
        &l->values[config_key_find(config_listener_keys, "Proxy") - config_listener_keys];

    if (!l->settings->proxy || l->settings->proxy_from)
        return 0;
    return config_blame(b, proxy, "Proxy=%s: also set ProxyFrom= to the addresses of your proxies",
                        proxy->text);
}

int config_check(const struct config *c, const struct config_blame *b)
{
    int r = check_log(c, b);

    for (size_t i = 0; i < c->n_listeners && r == 0; i++)
        r = check_proxy(&c->listeners[i], b) ?: check_message_size(c, &c->listeners[i], b);
    return r;
}
