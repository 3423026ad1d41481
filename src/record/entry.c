/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <string.h>

#include "base/escape.h"
#include "base/format.h"
#include "record/entry.h"

/* One encoded field, for values whose length is known at compile time and below 256. */
#define CONSTANT_FIELD(name, length, value) name "\n" length "\0\0\0\0\0\0\0" value "\n"
#define STRING(number)                      STRING_OF(number)
#define STRING_OF(number)                   #number

/* The first fields of every entry of one kind. */
#define HEAD(message_id, priority)                                                                 \
    CONSTANT_FIELD("SYSLOG_IDENTIFIER", "\x07", "answerd")                                         \
    CONSTANT_FIELD("PRIORITY", "\x01", STRING(priority))                                           \
    CONSTANT_FIELD("MESSAGE_ID", "\x20", message_id)

/* All have the same length, since the values do. */
#define HEAD_SIZE (sizeof(HEAD("00000000000000000000000000000000", 0)) - 1)

static const char heads[EVENT_COUNT][HEAD_SIZE + 1] = {
#define X(name, message_id, priority) [EVENT_##name] = HEAD(message_id, priority),
    EVENTS(X)
#undef X
};

/* Our longest name, and the overhead of a field besides name and value: two LF and the size. */
#define NAME_MAX_SIZE  sizeof "ANSWERD_CONNECTION"
#define FIELD_OVERHEAD (NAME_MAX_SIZE + 2 + sizeof(uint64_t))
#define RECORD_FIELDS  9

/* These write at p, which has room, and return the position after what they wrote. */

static inline uint8_t *put(uint8_t *p, const void *bytes, size_t n)
{
    memcpy(p, bytes, n);
    return p + n;
}

static inline uint8_t *put_size(uint8_t *p, size_t size)
{
    uint64_t le = htole64(size);

    return put(p, &le, sizeof le);
}

static inline uint8_t *put_field(uint8_t *p, const char *name, const void *data, size_t size)
{
    p = put(p, name, strlen(name));
    *p++ = '\n';
    p = put_size(p, size);
    p = put(p, data, size);
    *p++ = '\n';
    return p;
}

static inline uint8_t *put_number(uint8_t *p, const char *name, uint64_t value)
{
    char text[FORMAT_U64_MAX];

    return put_field(p, name, text, format_u64(value, text));
}

/* PEER: TEXT */
static uint8_t *put_text(uint8_t *p, const struct record *record)
{
    p = put(p, record->peer_name, strlen(record->peer_name));
    p = put(p, ": ", 2);
    return p + escape_text(record->data, record->size, (char *)p, ENTRY_TEXT_MAX);
}

/* The size of the text is known only after writing it. */
static uint8_t *put_message(uint8_t *p, const struct record *record)
{
    uint8_t *size = put(p, "MESSAGE\n", 8), *text = size + sizeof(uint64_t);

    p = put_text(text, record);
    (void)put_size(size, (size_t)(p - text));
    *p++ = '\n';
    return p;
}

int entry_field(struct buffer **out, const char *name, const void *data, size_t size)
{
    uint8_t *end;
    int r;

    r = buffer_reserve(out, strlen(name) + 2 + sizeof(uint64_t) + size);
    if (r < 0)
        return r;
    end = put_field(buffer_tail(*out), name, data, size);
    buffer_commit(*out, (size_t)(end - buffer_tail(*out)));
    return 0;
}

int entry_begin(struct buffer **out, enum event event)
{
    return buffer_append(out, heads[event], HEAD_SIZE);
}

int entry_text(struct buffer **out, const struct record *record)
{
    uint8_t *end;
    int r;

    r = buffer_reserve(out, strlen(record->peer_name) + 2 + ENTRY_TEXT_MAX);
    if (r < 0)
        return r;
    end = put_text(buffer_tail(*out), record);
    buffer_commit(*out, (size_t)(end - buffer_tail(*out)));
    return 0;
}

#define ORIGIN_FIELDS 3

static size_t origin_size(const struct record_origin *o)
{
    return ORIGIN_FIELDS * FIELD_OVERHEAD + strlen(o->identity) + strlen(o->proxy) +
           strlen(o->proxy_id);
}

static uint8_t *put_text_field(uint8_t *p, const char *name, const char *text)
{
    return text[0] ? put_field(p, name, text, strlen(text)) : p;
}

static uint8_t *put_origin(uint8_t *p, const struct record_origin *o)
{
    p = put_text_field(p, "ANSWERD_IDENTITY", o->identity);
    p = put_text_field(p, "ANSWERD_PROXY", o->proxy);
    return put_text_field(p, "ANSWERD_PROXY_ID", o->proxy_id);
}

int entry_record(struct buffer **out, const struct record *record)
{
    size_t id = strlen(record->id), peer = strlen(record->peer), port = strlen(record->peer_port),
           listener = strlen(record->listener);
    uint8_t *p;
    int r;

    /* Room for everything at once, so what follows cannot fail. The sum cannot overflow, since the
     * data is already in memory. */
    r = buffer_reserve(out, HEAD_SIZE + RECORD_FIELDS * FIELD_OVERHEAD + strlen(record->peer_name) +
                                2 + ENTRY_TEXT_MAX + id + peer + port + listener +
                                (record->origin ? origin_size(record->origin) : 0) +
                                2 * FORMAT_U64_MAX + 1 + record->size);
    if (r < 0)
        return r;
    p = put(buffer_tail(*out), heads[EVENT_MESSAGE], HEAD_SIZE);
    p = put_message(p, record);
    p = put_field(p, "ANSWERD_ID", record->id, id);
    p = put_field(p, "ANSWERD_PEER", record->peer, peer);
    if (port > 0)
        p = put_field(p, "ANSWERD_PEER_PORT", record->peer_port, port);
    p = put_number(p, "ANSWERD_CONNECTION", record->connection);
    p = put_number(p, "ANSWERD_SEQ", record->seq);
    p = put_field(p, "ANSWERD_LISTENER", record->listener, listener);
    if (record->origin)
        p = put_origin(p, record->origin);
    if (record->unfinished)
        p = put_field(p, "ANSWERD_UNFINISHED", "1", 1);
    p = put_field(p, "ANSWERD_DATA", record->data, record->size);
    buffer_commit(*out, (size_t)(p - buffer_tail(*out)));
    return 0;
}
