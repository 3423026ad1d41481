/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/macros.h"
#include "log/bytes.h"
#include "log/format.h"

/* Where the fields of a record are. */
enum {
    AT_CRC = 0, /* of the head */
    AT_SIZE = 4,
    AT_NUMBER = 8,
    AT_TIME = 16,
    AT_CONNECTION = 24,
    AT_SEQ = 32,
    AT_DISTANCE = 40,
    AT_FLAGS = 44,
    AT_PEER_SIZE = 45,
    AT_PORT_SIZE = 46,
    AT_LISTENER_SIZE = 47,
    AT_FURTHER_SIZE = 48,
    AT_REST_CRC = 52,
};

/* And those of a segment's head, whose last four bytes are its checksum. */
enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_HEAD_SIZE = 12,
    AT_SERIAL = 16,
    AT_SALT = 24,
    AT_RUN = 32,
    AT_CREATED = 40,
    AT_FIRST = 48,
    AT_HEAD_CRC = LOG_HEAD_SIZE - 4,
};

static const uint8_t magic[8] = LOG_MAGIC; /* without a NUL */

void log_head_put(uint8_t out[static LOG_HEAD_SIZE], const struct log_head *head)
{
    memset(out, 0, LOG_HEAD_SIZE);
    memcpy(out + AT_MAGIC, magic, sizeof magic);
    put_le32(out + AT_VERSION, LOG_VERSION);
    put_le32(out + AT_HEAD_SIZE, LOG_HEAD_SIZE);
    put_le64(out + AT_SERIAL, head->serial);
    put_le64(out + AT_SALT, head->salt);
    put_le64(out + AT_RUN, head->run);
    put_le64(out + AT_CREATED, head->created_us);
    put_le64(out + AT_FIRST, head->first);
    put_le32(out + AT_HEAD_CRC, crc32c(0, out, AT_HEAD_CRC));
}

int log_head_get(const uint8_t in[static LOG_HEAD_SIZE], struct log_head *ret)
{
    if (memcmp(in + AT_MAGIC, magic, sizeof magic) != 0 ||
        get_le32(in + AT_HEAD_CRC) != crc32c(0, in, AT_HEAD_CRC))
        return -EBADMSG;
    if (get_le32(in + AT_VERSION) != LOG_VERSION || get_le32(in + AT_HEAD_SIZE) != LOG_HEAD_SIZE)
        return -EPROTO;
    *ret = (struct log_head){
        .serial = get_le64(in + AT_SERIAL),
        .salt = get_le64(in + AT_SALT),
        .run = get_le64(in + AT_RUN),
        .created_us = get_le64(in + AT_CREATED),
        .first = get_le64(in + AT_FIRST),
    };
    return 0;
}

static const uint8_t *copy(char *out, const uint8_t *p, size_t n)
{
    memcpy(out, p, n);
    out[n] = '\0';
    return p + n;
}

static uint8_t *append(uint8_t *p, const void *bytes, size_t n)
{
    if (n > 0)
        memcpy(p, bytes, n);
    return p + n;
}

/* --- further fields ------------------------------------------------------------------------- */

#define FIELD_HEAD 3 /* type and size */

static size_t field_size(const char *text)
{
    size_t n = strlen(text);

    return n > 0 ? FIELD_HEAD + n : 0;
}

static size_t further_size(const struct record *record)
{
    const struct record_origin *o = record->origin;

    return o ? field_size(o->identity) + field_size(o->proxy) + field_size(o->proxy_id) : 0;
}

static uint8_t *put_field(uint8_t *p, enum log_field type, const char *text)
{
    size_t n = strlen(text);

    if (n == 0)
        return p;
    p[0] = (uint8_t)type;
    put_le16(p + 1, (uint16_t)n);
    return append(p + FIELD_HEAD, text, n);
}

static uint8_t *put_further(uint8_t *p, const struct record_origin *o)
{
    p = put_field(p, LOG_IDENTITY, o->identity);
    p = put_field(p, LOG_PROXY, o->proxy);
    return put_field(p, LOG_PROXY_ID, o->proxy_id);
}

static void get_further(const uint8_t *p, size_t n, struct log_item *ret)
{
    char *texts[] = {
        [LOG_IDENTITY] = ret->identity, [LOG_PROXY] = ret->proxy, [LOG_PROXY_ID] = ret->proxy_id
    };

    for (size_t i = LOG_IDENTITY; i < ARRAY_SIZE(texts); i++)
        texts[i][0] = '\0';
    for (size_t size; n >= FIELD_HEAD; p += FIELD_HEAD + size, n -= FIELD_HEAD + size) {
        size = get_le16(p + 1);
        if (size > n - FIELD_HEAD)
            break;
        if (p[0] >= LOG_IDENTITY && p[0] < ARRAY_SIZE(texts) && size <= RECORD_ORIGIN_MAX)
            (void)copy(texts[p[0]], p + FIELD_HEAD, size);
    }
    ret->origin = (struct record_origin){ ret->identity, ret->proxy, ret->proxy_id };
}

/* --- records -------------------------------------------------------------------------------- */

size_t log_record_size(const struct record *record)
{
    size_t peer = strlen(record->peer), port = strlen(record->peer_port),
           listener = strlen(record->listener),
           more = LOG_RECORD_MIN + peer + port + listener + further_size(record);

    if (peer > LOG_NAME_MAX || port > LOG_NAME_MAX || listener > LOG_NAME_MAX ||
        record->size > LOG_RECORD_MAX - more)
        return 0;
    return more + record->size;
}

static uint32_t head_checksum(const uint8_t *p, uint64_t salt)
{
    uint8_t bytes[8];

    put_le64(bytes, salt);
    return crc32c(crc32c(0, bytes, sizeof bytes), p + AT_SIZE, LOG_RECORD_HEAD - AT_SIZE);
}

static uint32_t rest_checksum(const uint8_t *p, size_t size)
{
    return crc32c(0, p + LOG_RECORD_HEAD, size - LOG_RECORD_HEAD);
}

void log_record_put(uint8_t *out, const struct record *record, size_t size)
{
    size_t peer = strlen(record->peer), port = strlen(record->peer_port),
           listener = strlen(record->listener);
    uint8_t *p = out + LOG_RECORD_HEAD;

    put_le32(out + AT_SIZE, (uint32_t)size);
    put_le64(out + AT_CONNECTION, record->connection);
    put_le64(out + AT_SEQ, record->seq);
    out[AT_FLAGS] = record->unfinished ? LOG_UNFINISHED : 0;
    out[AT_PEER_SIZE] = (uint8_t)peer;
    out[AT_PORT_SIZE] = (uint8_t)port;
    out[AT_LISTENER_SIZE] = (uint8_t)listener;
    put_le32(out + AT_FURTHER_SIZE, (uint32_t)further_size(record));
    p = append(p, record->peer, peer);
    p = append(p, record->peer_port, port);
    p = append(p, record->listener, listener);
    if (record->origin)
        p = put_further(p, record->origin);
    p = append(p, record->data, record->size);
    put_le32(p, (uint32_t)size);
    put_le32(out + AT_REST_CRC, rest_checksum(out, size));
}

size_t log_record_seal(uint8_t *p, uint64_t salt, const struct log_seal *seal)
{
    put_le64(p + AT_NUMBER, seal->number);
    put_le64(p + AT_TIME, seal->time_us);
    put_le32(p + AT_DISTANCE, seal->distance);
    put_le32(p + AT_CRC, head_checksum(p, salt));
    return get_le32(p + AT_SIZE);
}

size_t log_record_claim(const uint8_t *p)
{
    return get_le32(p + AT_SIZE);
}

size_t log_record_trailer(const uint8_t *p)
{
    return get_le32(p);
}

uint64_t log_record_number(const uint8_t *p)
{
    return get_le64(p + AT_NUMBER);
}

uint64_t log_record_time(const uint8_t *p)
{
    return get_le64(p + AT_TIME);
}

uint64_t log_record_connection(const uint8_t *p)
{
    return get_le64(p + AT_CONNECTION);
}

/* What comes before the message. */
static uint64_t before_message(const uint8_t *p)
{
    return (uint64_t)LOG_RECORD_HEAD + p[AT_PEER_SIZE] + p[AT_PORT_SIZE] + p[AT_LISTENER_SIZE] +
           get_le32(p + AT_FURTHER_SIZE);
}

bool log_record_begins(const uint8_t *p, uint64_t salt)
{
    size_t size = get_le32(p + AT_SIZE);

    return size >= LOG_RECORD_MIN && size <= LOG_RECORD_MAX && before_message(p) + 4 <= size &&
           get_le32(p + AT_CRC) == head_checksum(p, salt);
}

bool log_record_is_whole(const uint8_t *p)
{
    size_t size = get_le32(p + AT_SIZE);

    return get_le32(p + size - 4) == size && get_le32(p + AT_REST_CRC) == rest_checksum(p, size);
}

/* As peer_join() does, of which this is the way back: only an IPv6 address has a colon. */
static void join(struct log_item *item)
{
    bool brackets = strchr(item->peer, ':');

    if (item->port[0] == '\0')
        (void)snprintf(item->both, sizeof item->both, "%s", item->peer);
    else
        (void)snprintf(item->both, sizeof item->both, "%s%s%s:%s", brackets ? "[" : "", item->peer,
                       brackets ? "]" : "", item->port);
}

void log_record_get(const uint8_t *p, size_t size, const struct log_head *head,
                    struct log_item *ret)
{
    const uint8_t *name = p + LOG_RECORD_HEAD;
    size_t before = (size_t)before_message(p), further = get_le32(p + AT_FURTHER_SIZE);

    name = copy(ret->peer, name, p[AT_PEER_SIZE]);
    name = copy(ret->port, name, p[AT_PORT_SIZE]);
    name = copy(ret->listener, name, p[AT_LISTENER_SIZE]);
    get_further(name, further, ret);
    join(ret);
    ret->number = get_le64(p + AT_NUMBER);
    ret->time_us = get_le64(p + AT_TIME);
    ret->distance = get_le32(p + AT_DISTANCE);
    ret->size = size;
    ret->record = (struct record){
        .data = p + before,
        .size = size - 4 - before,
        .id = ret->id,
        .peer = ret->peer,
        .peer_port = ret->port,
        .peer_name = ret->both,
        .listener = ret->listener,
        .connection = get_le64(p + AT_CONNECTION),
        .seq = get_le64(p + AT_SEQ),
        .unfinished = p[AT_FLAGS] & LOG_UNFINISHED,
        .origin = further > 0 ? &ret->origin : NULL,
    };
    (void)snprintf(ret->id, sizeof ret->id, "%016" PRIx64 "-%" PRIu64 "-%" PRIu64, head->run,
                   ret->record.connection, ret->record.seq);
}
