/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "record/entry.h"
#include "record/event-log.h"
#include "record/sink.h"
#include "record/stderr.h"

#define LINE_MAX_SIZE 1024
#define INTERVAL_US   1000000

static struct {
    int fd;
    bool by_hand;
    struct sockaddr_un journal;
} target = { .fd = -1 };

/* For each kind: when it was last written, and how many were suppressed since. */
static struct {
    atomic_uint_least64_t last_us;
    atomic_uint left_out;
} limits[EVENT_COUNT];

void event_log_open(bool by_hand, const char *journal_path)
{
    event_log_close();
    for (int event = 0; event < EVENT_COUNT; event++) {
        atomic_store(&limits[event].last_us, 0);
        atomic_store(&limits[event].left_out, 0);
    }
    target.by_hand = by_hand;
    if (by_hand) {
        target.fd = stderr_open();
        return;
    }
    target.journal.sun_family = AF_UNIX;
    (void)snprintf(target.journal.sun_path, sizeof target.journal.sun_path, "%s",
                   journal_path ?: SINK_JOURNAL_SOCKET);
    /* Not connected: if the journal restarts with a new socket, its path still finds it. */
    target.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

void event_log_close(void)
{
    target.fd = close_fd(target.fd);
}

static bool caused_by_peers(enum event event)
{
    switch (event) {
    case EVENT_STARTED:
    case EVENT_READY:
    case EVENT_RELOADED:
    case EVENT_RELOAD_REFUSED:
    case EVENT_STOPPING:
    case EVENT_STOPPED:
    case EVENT_TLS_EXPIRES:
    case EVENT_MIRROR_MISSED: /* the mirror limits it */
    case EVENT_NOTICE:
        return false;
    default:
        return true;
    }
}

/* Whether the event may be written now, and how many events of its kind were suppressed before. */
static bool admitted(enum event event, unsigned *ret_left_out)
{
    uint64_t now = clock_us(CLOCK_MONOTONIC), last = atomic_load(&limits[event].last_us);

    *ret_left_out = 0;
    if (!caused_by_peers(event))
        return true;
    if ((last > 0 && now - last < INTERVAL_US) ||
        !atomic_compare_exchange_strong(&limits[event].last_us, &last, now)) {
        atomic_fetch_add(&limits[event].left_out, 1);
        return false;
    }
    *ret_left_out = atomic_exchange(&limits[event].left_out, 0);
    return true;
}

static int field(struct buffer **out, const char *name, const char *text)
{
    return *text ? entry_field(out, name, text, strlen(text)) : 0;
}

static int entry_build(struct buffer **out, enum event event, const struct event_about *about,
                       const char *text)
{
    char value[PEER_TEXT_MAX];
    int r;

    r = entry_begin(out, event);
    if (r >= 0)
        r = field(out, "MESSAGE", text);
    if (r < 0 || !about)
        return r;
    (void)peer_format_address(about->peer, value);
    r = field(out, "ANSWERD_PEER", value);
    if (r < 0)
        return r;
    (void)peer_format_port(about->peer, value);
    r = field(out, "ANSWERD_PEER_PORT", value);
    if (r < 0)
        return r;
    r = field(out, "ANSWERD_LISTENER", about->listener);
    if (r < 0)
        return r;
    (void)snprintf(value, sizeof value, "%" PRIu64, about->number);
    return field(out, "ANSWERD_CONNECTION", value);
}

static bool write_journal(enum event event, const struct event_about *about, const char *text)
{
    _cleanup_(buffer_free) struct buffer *entry = NULL;

    return entry_build(&entry, event, about, text) >= 0 &&
           sendto(target.fd, buffer_head(entry), buffer_size(entry), MSG_DONTWAIT | MSG_NOSIGNAL,
                  (const struct sockaddr *)&target.journal, sizeof target.journal) >= 0;
}

static bool write_stderr(const char *text)
{
    char line[LINE_MAX_SIZE + 16];
    int n = snprintf(line, sizeof line, "answerd: %s\n", text);

    return stderr_write(target.fd, line, MIN((size_t)n, sizeof line - 1)) >= 0;
}

/* The event could not be written, so the next one of its kind need not wait. Not for events about
 * one connection: for those, one attempt a second is enough. */
static void take_back(enum event event, unsigned left_out)
{
    atomic_store(&limits[event].last_us, 0);
    atomic_fetch_add(&limits[event].left_out, left_out);
}

_printf_(3, 0) static bool vlog(enum event event, const struct event_about *about,
                                const char *format, va_list arguments)
{
    char text[LINE_MAX_SIZE];
    unsigned left_out;
    size_t n;

    if (target.fd < 0 || !admitted(event, &left_out))
        return true;
    n = 0;
    if (about) {
        n = peer_format(about->peer, text);
        n += (size_t)snprintf(text + n, sizeof text - n, ": ");
    }
    (void)vsnprintf(text + n, sizeof text - n, format, arguments);
    n = strlen(text);
    if (left_out > 0)
        (void)snprintf(text + n, sizeof text - n, " (and %u more like this)", left_out);
    if (target.by_hand ? write_stderr(text) : write_journal(event, about, text))
        return true;
    if (!about)
        take_back(event, left_out);
    return false;
}

bool event_log(enum event event, const char *format, ...)
{
    va_list arguments;
    bool written;

    va_start(arguments, format);
    written = vlog(event, NULL, format, arguments);
    va_end(arguments);
    return written;
}

void event_log_about(enum event event, const struct event_about *about, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vlog(event, about, format, arguments);
    va_end(arguments);
}
