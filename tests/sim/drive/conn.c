/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../clock.h"
#include "../memfile.h"
#include "../own.h"
#include "../trace.h"
#include "base/macros.h"
#include "base/timer.h"
#include "conn.h"
#include "daemon-log.h"

#define FRAME_EXTRA 32
#define N_ERRORS    6
#define LARGE_FROM  2000 /* slightly less than fits in the smallest buffer of a datagram socket */
#define COARSE_NS   (8 * SIM_MS) /* the program's clock, and its rounding */

struct conn *conn_new(unsigned number, enum framing framing)
{
    struct conn *c = sim_own_alloc(sizeof *c);

    c->number = number;
    c->framing = framing;
    return c;
}

void conn_free(struct conn *c)
{
    sim_own_free(c->bytes);
    sim_own_free(c->messages);
    sim_own_free(c->enciphered);
    sim_own_free(c->promised);
    sim_own_free(c->out);
    sim_own_free(c);
}

static void put_line(struct conn *c, const char *line)
{
    c->header_size = strlen(line);
    memcpy(c->header, line, c->header_size);
}

static void put_binary(struct conn *c, bool local)
{
    static const char begin[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\0\x7f\0\0\1";

    c->header_size = local ? 16 : 28;
    memcpy(c->header, begin, sizeof begin - 1);
    c->header[12] = local ? 0x20 : 0x21;
    c->header[15] = local ? 0 : 12;
    c->header[19] = c->address;
    c->header[24] = (uint8_t)(c->number >> 8);
    c->header[25] = (uint8_t)c->number;
}

void conn_begin_with_header(struct conn *c, unsigned how)
{
    char line[sizeof c->header];

    switch (how) {
    case 0:
        put_binary(c, true);
        break;
    case 1:
        put_line(c, "PROXY UNKNOWN\r\n");
        break;
    case 2:
        c->header_wrong = true;
        put_line(c, "PROXY TCP4 127.0.0.1\r\n");
        break;
    case 3:
        put_binary(c, false);
        break;
    default:
        (void)snprintf(line, sizeof line, "PROXY TCP4 127.0.0.%u 127.0.0.1 %u 80\r\n", c->address,
                       c->number);
        put_line(c, line);
        break;
    }
}

bool conn_has_address(const struct conn *c)
{
    if (c->header_size == 0)
        return !c->is_unix;
    return !c->header_wrong && (c->header_size == 28 || c->header_size > 16);
}

static uint8_t *room(struct conn *c, size_t n)
{
    if (c->n_bytes + n > c->capacity) {
        c->capacity = 2 * (c->n_bytes + n) + 256;
        c->bytes = sim_own_resize(c->bytes, c->capacity);
    }
    return c->bytes + c->n_bytes;
}

static struct said_message *add_message(struct conn *c)
{
    if (c->n_messages == c->messages_capacity) {
        c->messages_capacity = 2 * c->messages_capacity + 16;
        c->messages = sim_own_resize(c->messages, c->messages_capacity * sizeof *c->messages);
    }
    return &c->messages[c->n_messages++];
}

/* Bytes that hardly any other message has. A line has no LF, and does not end in CR. */
static void fill(const struct conn *c, uint8_t *p, size_t n)
{
    uint64_t x = (uint64_t)c->number << 32 | c->n_messages;

    for (size_t i = 0; i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (uint8_t)(x >> 56);
        if (c->framing == FRAMING_LINE && (p[i] == '\n' || p[i] == '\r'))
            p[i] = ' ';
    }
}

void conn_say(struct conn *c, size_t size, bool crlf)
{
    uint8_t *data = sim_own_alloc(size + 1), *p = room(c, size + FRAME_EXTRA);
    struct said_message *m;
    size_t n, behind;

    fill(c, data, size);
    n = frame_put(c->framing, data, size, crlf, p);
    sim_own_free(data);
    behind = c->framing == FRAMING_LINE ? 1U + crlf : c->framing == FRAMING_NETSTRING;
    if (c->framing != FRAMING_CHUNK) {
        m = add_message(c);
        *m = (struct said_message){ .start = c->n_bytes, .size = size, .crlf = crlf };
        m->end = c->n_bytes + n;
        m->data = m->end - behind - size;
    }
    c->n_bytes += n;
}

void conn_say_malformed(struct conn *c, unsigned how)
{
    static const char *const texts[] = { "01:x,", "x", ":,", "3:abcd", "-1:," };
    const char *text = texts[how % ARRAY_SIZE(texts)];
    size_t n = strlen(text);

    memcpy(room(c, n), text, n);
    c->n_bytes += n;
    c->bad = BAD_MALFORMED;
    c->malformed_size = text[0] == '3' ? 3 : 0;
}

/* The end of the last message that the framing alone makes complete. */
static uint64_t end_of_messages(const struct conn *c, uint64_t sent, size_t *ret_n)
{
    size_t n = c->n_messages;

    while (n > 0 && c->messages[n - 1].end > sent)
        n--;
    *ret_n = n;
    return n > 0 ? c->messages[n - 1].end : 0;
}

bool conn_message(const struct conn *c, size_t i, struct said_message *ret)
{
    uint64_t end;
    size_t n;

    if (i < c->n_messages && c->messages[i].end <= c->sent) {
        *ret = c->messages[i];
        return true;
    }
    /* At the end of a stream of lines, the rest is a line. */
    if (!c->fin || c->framing != FRAMING_LINE)
        return false;
    end = end_of_messages(c, c->sent, &n);
    if (i != n || c->sent == end)
        return false;
    *ret = (struct said_message){ .start = end, .data = end, .end = c->sent };
    ret->size = c->sent - end;
    return true;
}

size_t conn_complete(const struct conn *c, uint64_t n)
{
    size_t complete;

    (void)end_of_messages(c, n, &complete);
    return complete;
}

void conn_received(struct conn *c, size_t n, uint64_t now)
{
    uint64_t before = c->received;
    struct said_message *m;
    size_t complete = c->complete;

    c->received += n;
    c->received_at = now;
    if (c->framing == FRAMING_CHUNK) {
        m = add_message(c);
        *m = (struct said_message){ .start = before, .data = before, .end = c->received };
        m->size = n;
        return;
    }
    while (c->complete < c->n_messages && c->messages[c->complete].end <= c->received)
        c->complete++;
    if (c->complete != complete || before == 0 ||
        (complete > 0 && c->messages[complete - 1].end == before))
        c->partial_at = now;
}

static bool is_too_long(const struct conn *c, size_t i)
{
    struct said_message m;

    if (conn_message(c, i, &m))
        return m.size > c->setup->max_message;
    return i < c->n_messages && c->messages[i].start < c->sent &&
           c->messages[i].size > c->setup->max_message;
}

static bool is_cut_inside(const struct conn *c, size_t i)
{
    size_t n;
    uint64_t end = end_of_messages(c, c->sent, &n);

    return c->fin && (c->framing == FRAMING_LENGTH || c->framing == FRAMING_NETSTRING) && i == n &&
           c->sent > end;
}

uint64_t conn_late_since(const struct conn *c)
{
    uint64_t whole = c->complete > 0 ? c->messages[c->complete - 1].end : 0;

    if (!c->tls || (c->framing != FRAMING_CHUNK && c->received > whole))
        return c->partial_at;
    return MAX(c->accepted_at, c->received_at);
}

/* The message has begun, is incomplete, and its time is over. */
static bool is_late(const struct conn *c, size_t i)
{
    uint64_t span = c->setup->message_ms;

    if (span == TIMER_NEVER || i < c->complete || (c->framing == FRAMING_CHUNK && !c->tls))
        return false;
    return sim_now() + COARSE_NS >= conn_late_since(c) + span * SIM_MS;
}

static bool is_malformed(const struct conn *c, size_t i)
{
    return c->bad == BAD_MALFORMED && i == c->n_messages;
}

bool conn_cannot_be_recorded(const struct conn *c)
{
    struct said_message m;

    if (!conn_message(c, c->recorded, &m))
        return false;
    if (c->setup->record == RECORD_LOG)
        return m.size > daemon_log_takes();
    return sim_memfile_forbidden() && c->setup->record == RECORD_JOURNAL && m.size > LARGE_FROM;
}

/* The possible error of message i, from 0. A message that is both malformed and cut may have
 * either. */
static const char *error_at(const struct conn *c, size_t i, unsigned which)
{
    bool refused = c->unrecordable == i + 1 || (i == c->recorded && conn_cannot_be_recorded(c)),
         by_log = c->setup->record == RECORD_LOG;
    bool due[N_ERRORS] = {
        is_too_long(c, i) || (is_malformed(c, i) && c->malformed_size > c->setup->max_message),
        is_malformed(c, i),
        is_cut_inside(c, i),
        is_late(c, i),
        refused && !by_log,
        refused && by_log,
    };
    static const char *const texts[N_ERRORS] = {
        "message too long",
        "malformed message",
        "the stream ended inside a message",
        "message not complete in time",
        "message cannot be recorded",
        "message too large for the log",
    };

    return due[which] ? texts[which] : NULL;
}

static void consume(struct conn *c, size_t n)
{
    c->n_out -= n;
    memmove(c->out, c->out + n, c->n_out);
}

static bool begins_alike(const struct conn *c, const uint8_t *expected, size_t n)
{
    return memcmp(c->out, expected, MIN(n, c->n_out)) == 0;
}

/* If the output so far is, or begins, the next reply, takes it as far as it is complete. */
static bool take_reply(struct conn *c, bool whole)
{
    struct said_message m;
    struct said said;
    uint8_t *expected;
    size_t n;
    bool alike;

    if (!conn_message(c, c->replied, &m) || m.size > c->setup->max_message)
        return false;
    said = (struct said){ .data = c->bytes + m.data,
                          .size = m.size,
                          .run_id = c->run_id,
                          .number = c->id,
                          .seq = c->replied + 1 };
    expected = sim_own_alloc(setup_reply_max(c->setup) + 64);
    n = setup_reply(c->setup, &said, m.crlf, expected);
    alike = begins_alike(c, expected, n);
    sim_own_free(expected);
    if (!alike || (whole && n > c->n_out))
        return false;
    if (c->setup->record != RECORD_NONE && c->recorded <= c->replied)
        sim_violate("connection %u: reply %" PRIu64 " goes before its record", c->number,
                    c->replied + 1);
    if (n <= c->n_out) {
        consume(c, n);
        c->replied++;
    }
    return true;
}

/* Finds a due error that the output so far is or begins. whole: whether it is complete. */
static size_t find_error(const struct conn *c, bool *ret_whole)
{
    uint8_t expected[256];

    for (unsigned which = 0; which < N_ERRORS; which++) {
        const char *error = error_at(c, c->replied, which);
        size_t n;

        if (!error)
            continue;
        n = setup_error(c->setup, error, expected);
        if (!begins_alike(c, expected, n))
            continue;
        *ret_whole = n <= c->n_out;
        return n;
    }
    return 0;
}

/* A reply and an error may begin alike. Then more output has to come. */
static bool take_error(struct conn *c)
{
    bool whole = false;
    size_t n = find_error(c, &whole);

    if (n == 0 || !whole)
        return n > 0;
    consume(c, n);
    c->errored = true;
    c->excuses |= EXCUSE_ERROR;
    return true;
}

void conn_replied(struct conn *c, const uint8_t *bytes, size_t n, uint64_t now)
{
    size_t before;

    if (c->mute)
        sim_violate("connection %u: %zu bytes are sent, and Reply=none", c->number, n);
    c->bytes_out += n;
    c->reply_at = now;
    if (c->n_out + n > c->out_capacity) {
        c->out_capacity = 2 * (c->n_out + n) + 256;
        c->out = sim_own_resize(c->out, c->out_capacity);
    }
    memcpy(c->out + c->n_out, bytes, n);
    c->n_out += n;
    while (c->n_out > 0 && !sim_violation()) {
        before = c->n_out;
        if (c->errored)
            sim_violate("connection %u: %zu bytes behind an error", c->number, c->n_out);
        else if (!take_reply(c, true) && !take_error(c) && !take_reply(c, false))
            sim_violate("connection %u: what is sent is not reply %" PRIu64 ": %.*s", c->number,
                        c->replied + 1, (int)MIN(c->n_out, (size_t)40), (const char *)c->out);
        if (c->n_out == before)
            return; /* the rest is yet to come */
    }
}
