/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "journal/entry.h"

static const struct {
    const char *id;
    char level;
} events[EVENT_COUNT] = {
#define X(name, message_id, priority) [EVENT_##name] = { message_id, '0' + (priority) },
    EVENTS(X)
#undef X
};

/* NAME LF size */
static int field_begin(struct buffer **out, const char *name, size_t size)
{
    uint64_t le = htole64(size);
    int r;

    r = buffer_append(out, name, strlen(name));
    if (r < 0)
        return r;
    r = buffer_append(out, "\n", 1);
    if (r < 0)
        return r;
    return buffer_append(out, &le, sizeof le);
}

int entry_field(struct buffer **out, const char *name, const void *data, size_t size)
{
    int r;

    r = field_begin(out, name, size);
    if (r < 0)
        return r;
    r = buffer_append(out, data, size);
    if (r < 0)
        return r;
    return buffer_append(out, "\n", 1);
}

static int field_text(struct buffer **out, const char *name, const char *text)
{
    return entry_field(out, name, text, strlen(text));
}

static int field_u64(struct buffer **out, const char *name, uint64_t value)
{
    char text[24];

    return entry_field(out, name, text, (size_t)snprintf(text, sizeof text, "%" PRIu64, value));
}

int entry_begin(struct buffer **out, enum event event)
{
    int r;

    r = field_text(out, "SYSLOG_IDENTIFIER", "answerd");
    if (r < 0)
        return r;
    r = entry_field(out, "PRIORITY", &events[event].level, 1);
    if (r < 0)
        return r;
    return field_text(out, "MESSAGE_ID", events[event].id);
}

int entry_text(struct buffer **out, const struct record *record)
{
    size_t n = strlen(record->peer_name);
    int r;

    r = buffer_reserve(out, n + 2 + ENTRY_TEXT_MAX);
    if (r < 0)
        return r;
    memcpy(buffer_tail(*out), record->peer_name, n);
    memcpy(buffer_tail(*out) + n, ": ", 2);
    n += 2;
    n += escape_text(record->data, record->size, (char *)buffer_tail(*out) + n, ENTRY_TEXT_MAX);
    buffer_commit(*out, n);
    return 0;
}

/* The text's size is known only when it is written: the field's size is filled in then. */
static int field_message(struct buffer **out, const struct record *record)
{
    size_t start;
    uint64_t le;
    int r;

    r = field_begin(out, "MESSAGE", 0);
    if (r < 0)
        return r;
    start = buffer_size(*out);
    r = entry_text(out, record);
    if (r < 0)
        return r;
    le = htole64(buffer_size(*out) - start);
    memcpy(buffer_head(*out) + start - sizeof le, &le, sizeof le);
    return buffer_append(out, "\n", 1);
}

int entry_record(struct buffer **out, const struct record *record)
{
    int r;

    r = entry_begin(out, EVENT_MESSAGE);
    if (r < 0)
        return r;
    r = field_message(out, record);
    if (r < 0)
        return r;
    r = field_text(out, "ANSWERD_ID", record->id);
    if (r < 0)
        return r;
    r = field_text(out, "ANSWERD_PEER", record->peer);
    if (r < 0)
        return r;
    if (*record->peer_port) {
        r = field_text(out, "ANSWERD_PEER_PORT", record->peer_port);
        if (r < 0)
            return r;
    }
    r = field_u64(out, "ANSWERD_CONNECTION", record->connection);
    if (r < 0)
        return r;
    r = field_u64(out, "ANSWERD_SEQ", record->seq);
    if (r < 0)
        return r;
    r = field_text(out, "ANSWERD_LISTENER", record->listener);
    if (r < 0)
        return r;
    return entry_field(out, "ANSWERD_DATA", record->data, record->size);
}
