/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "answerd/service.h"
#include "answerd/status.h"
#include "base/macros.h"
#include "record/committer.h"
#include "record/event-log.h"
#include "serve/context.h"

static uint64_t sum(const struct shared *s, size_t offset)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < s->n_contexts; i++)
        total += counter_get((const counter *)((const char *)&s->contexts[i]->counters + offset));
    return total;
}

#define SUM(s, name) sum(s, offsetof(struct counters, name))

#define WAITING_MAX 100

/* What does not take records, for the end of the line: "; waiting for the journal and the log", or
 * "; the log has no room". Empty if all take them. */
static void describe_outages(const struct shared *s, char text[static WAITING_MAX])
{
    unsigned outages = 0;
    bool no_room;
    size_t n = 0;

    for (unsigned i = 0; i < s->n_contexts; i++)
        outages |= atomic_load(&s->contexts[i]->outages);
    no_room = outages & 1U << RECORD_LOG && s->committer && atomic_load(&s->committer->blocked);
    if (no_room)
        outages &= ~(1U << RECORD_LOG);
    text[0] = '\0';
    for (unsigned i = 0; i < RECORD_MODES; i++) {
        const char *before;

        if (!(outages & 1U << i))
            continue;
        outages &= ~(1U << i);
        before = n == 0 ? "; waiting for " : outages ? ", " : " and ";
        n += (size_t)snprintf(text + n, WAITING_MAX - n, "%s%s", before, record_mode_place(i));
    }
    if (no_room)
        (void)snprintf(text + n, WAITING_MAX - n, "; the log has no room");
}

void status_log_counters(const struct shared *s, uint64_t unmirrored)
{
    char mirror[40] = "";

    if (unmirrored > 0)
        (void)snprintf(mirror, sizeof mirror, " unmirrored=%" PRIu64, unmirrored);
    event_log(EVENT_COUNTERS,
              "connections=%" PRIu64 " accepted=%" PRIu64 " refused=%" PRIu64 " messages=%" PRIu64
              " bytes_in=%" PRIu64 " bytes_out=%" PRIu64 " timeouts=%" PRIu64
              " protocol_errors=%" PRIu64 " shed=%" PRIu64 " discarded=%" PRIu64 "%s",
              atomic_load(&s->n_connections), SUM(s, accepted), SUM(s, refused), SUM(s, messages),
              SUM(s, bytes_in), SUM(s, bytes_out), SUM(s, timeouts), SUM(s, protocol_errors),
              SUM(s, shed), SUM(s, discarded), mirror);
}

/* True if the line has changed. */
static bool update(struct status *status, const struct shared *s, uint64_t unmirrored,
                   uint64_t now_ms)
{
    uint64_t messages = SUM(s, messages), ms = MAX(now_ms - status->told_ms, UINT64_C(1));
    uint64_t connections = atomic_load(&s->n_connections);
    char text[sizeof status->text], outages[WAITING_MAX];
    size_t n;

    describe_outages(s, outages);
    (void)snprintf(
        text, sizeof text,
        "%" PRIu64 " connection%s, %" PRIu64 " messages/s, %" PRIu64 " message%s in all%s",
        connections, connections == 1 ? "" : "s", (messages - status->messages) * 1000 / ms,
        messages, messages == 1 ? "" : "s", outages);
    n = strlen(text);
    if (unmirrored > 0)
        (void)snprintf(text + n, sizeof text - n, "; %" PRIu64 " record%s not in the journal yet",
                       unmirrored, unmirrored == 1 ? "" : "s");
    n = strlen(text);
    (void)snprintf(text + n, sizeof text - n, "%s", status->expiry ?: "");
    status->told_ms = now_ms;
    status->messages = messages;
    if (strcmp(text, status->text) == 0)
        return false;
    memcpy(status->text, text, sizeof text);
    return true;
}

void status_tell(struct status *status, const struct shared *s, uint64_t unmirrored,
                 uint64_t now_ms)
{
    if (update(status, s, unmirrored, now_ms))
        service_notify("STATUS=%s", status->text);
}

void status_tell_ready(struct status *status, const struct shared *s, uint64_t unmirrored,
                       uint64_t now_ms)
{
    (void)update(status, s, unmirrored, now_ms);
    service_notify("READY=1\nSTATUS=%s", status->text);
}

uint64_t status_messages(const struct shared *s)
{
    return SUM(s, messages);
}
