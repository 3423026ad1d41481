/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks the records: journal entries in the native protocol, and lines on the terminal. */

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../own.h"
#include "../trace.h"
#include "base/buffer.h"
#include "base/escape.h"
#include "base/macros.h"
#include "book.h"
#include "process.h"

#define MESSAGE_ID  "bb76528fac9d4b059a11d46c1196ef46"
#define TEXT_MAX    512
#define MAX_WORKERS 4
#define LINE_ROOM   4096

struct entry {
    struct field {
        const uint8_t *value;
        uint64_t size;
    } kind, data, peer, port, connection, seq, listener, id, unfinished;
};

/* On the terminal, a line of one worker may come in parts. Lines of other workers may come between
 * them. */
static struct {
    char text[LINE_ROOM];
    size_t n;
} lines[MAX_WORKERS];

void records_begin(void)
{
    memset(lines, 0, sizeof lines);
}

void records_end(void)
{
}

static struct field *field_of(struct entry *e, const char *name, size_t n)
{
    static const struct {
        const char *name;
        size_t offset;
    } known[] = {
        { "MESSAGE_ID", offsetof(struct entry, kind) },
        { "ANSWERD_DATA", offsetof(struct entry, data) },
        { "ANSWERD_PEER", offsetof(struct entry, peer) },
        { "ANSWERD_PEER_PORT", offsetof(struct entry, port) },
        { "ANSWERD_CONNECTION", offsetof(struct entry, connection) },
        { "ANSWERD_SEQ", offsetof(struct entry, seq) },
        { "ANSWERD_LISTENER", offsetof(struct entry, listener) },
        { "ANSWERD_ID", offsetof(struct entry, id) },
        { "ANSWERD_UNFINISHED", offsetof(struct entry, unfinished) },
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strlen(known[i].name) == n && memcmp(known[i].name, name, n) == 0)
            return (struct field *)((char *)e + known[i].offset);
    return NULL;
}

static bool parse(struct entry *e, const uint8_t *p, size_t n)
{
    *e = (struct entry){ 0 };
    while (n > 0) {
        const uint8_t *lf = memchr(p, '\n', n);
        size_t name = lf ? (size_t)(lf - p) : 0;
        struct field *f;
        uint64_t size;

        if (!lf || n - name - 1 < sizeof size)
            return false;
        memcpy(&size, lf + 1, sizeof size);
        size = le64toh(size);
        n -= name + 1 + sizeof size;
        if (size >= n || lf[1 + sizeof size + size] != '\n')
            return false;
        f = field_of(e, (const char *)p, name);
        if (f)
            *f = (struct field){ lf + 1 + sizeof size, size };
        p = lf + 1 + sizeof size + size + 1;
        n -= size + 1;
    }
    return true;
}

static uint64_t number_of(const struct field *f)
{
    char text[24] = "";

    if (f->value && f->size < sizeof text)
        memcpy(text, f->value, f->size);
    return strtoull(text, NULL, 10);
}

static bool says(const struct field *f, const char *text)
{
    return f->value && f->size == strlen(text) && memcmp(f->value, text, f->size) == 0;
}

static struct conn *conn_of(const struct entry *e)
{
    unsigned pid;
    char text[32] = "";

    if (e->port.value)
        return book_find((unsigned)number_of(&e->port));
    if (!e->peer.value || e->peer.size >= sizeof text)
        return NULL;
    memcpy(text, e->peer.value, e->peer.size);
    return sscanf(text, "pid=%u", &pid) == 1 ? book_find(pid) : NULL;
}

/* Only a line without its LF is marked. */
static void check_unfinished(const struct conn *c, const struct entry *e)
{
    struct said_message m;

    if (!conn_message(c, number_of(&e->seq) - 1, &m))
        return; /* a separate violation */
    if (says(&e->unfinished, "1") != (c->framing == FRAMING_LINE && m.end == m.data + m.size))
        sim_violate("connection %u: record %" PRIu64 " is marked as unfinished, or is not, wrongly",
                    c->number, number_of(&e->seq));
}

/* Checks that the record has the number of the connection's next message. If one message could not
 * be recorded, those staged behind it may still be. */
static bool comes_next(struct conn *c, uint64_t seq)
{
    if (seq == c->recorded + 1 && c->unrecordable == 0)
        return true;
    if (c->unrecordable == 0 && conn_cannot_be_recorded(c))
        c->unrecordable = c->recorded + 1;
    return c->unrecordable > 0 && seq > c->unrecordable;
}

/* data NULL: not compared. */
static void note(struct conn *c, uint64_t seq, const uint8_t *data, uint64_t size)
{
    struct said_message m;

    book.records++;
    book.progress++;
    if (!comes_next(c, seq))
        sim_violate("connection %u: record %" PRIu64 " comes behind record %" PRIu64, c->number,
                    seq, c->recorded);
    else if (!conn_message(c, seq - 1, &m) || m.size > c->setup->max_message)
        sim_violate("connection %u: record %" PRIu64 " is of no message", c->number, seq);
    else if (data && (size != m.size || memcmp(data, c->bytes + m.data, size) != 0))
        sim_violate("connection %u: record %" PRIu64 " is not what was sent: %" PRIu64
                    " bytes, and not %zu",
                    c->number, seq, size, m.size);
    if (c->unrecordable == 0)
        c->recorded = seq;
    if (seq > c->received + 1)
        sim_violate("connection %u: more records than bytes", c->number);
}

void record_taken(const uint8_t *bytes, size_t n)
{
    char id[64];
    struct entry e;
    struct conn *c;

    if (!parse(&e, bytes, n)) {
        sim_violate("an entry of the journal is malformed");
        return;
    }
    if (!says(&e.kind, MESSAGE_ID))
        return;
    c = conn_of(&e);
    if (!c || !c->setup || c->life != process.life) {
        sim_violate("a record is of no connection");
        return;
    }
    if (c->setup->record != RECORD_JOURNAL || !says(&e.listener, c->setup->name))
        sim_violate("connection %u: a record has other rules", c->number);
    if (c->id == 0)
        c->id = number_of(&e.connection);
    (void)snprintf(id, sizeof id, "%s-%" PRIu64 "-%" PRIu64, c->run_id, c->id, number_of(&e.seq));
    if (c->id == 0 || !says(&e.id, id) || number_of(&e.connection) != c->id)
        sim_violate("connection %u: a record has another ID than %s", c->number, id);
    check_unfinished(c, &e);
    note(c, number_of(&e.seq), e.data.value, e.data.size);
}

struct conn *record_logged(const struct record_in_log *r)
{
    struct conn *c = NULL;
    struct said_message m;
    unsigned pid;

    if (r->port[0] != '\0')
        c = book_find((unsigned)strtoul(r->port, NULL, 10));
    else if (sscanf(r->peer, "pid=%u", &pid) == 1)
        c = book_find(pid);
    if (!c || !c->setup || c->life != process.life) {
        sim_violate("a record of the log is of no connection");
        return NULL;
    }
    if (c->setup->record != RECORD_LOG || strcmp(r->listener, c->setup->name) != 0)
        sim_violate("connection %u: a record of the log has other rules", c->number);
    if (c->id == 0)
        c->id = r->connection;
    if (r->connection != c->id)
        sim_violate("connection %u: a record of the log has another connection", c->number);
    if (conn_message(c, r->seq - 1, &m) &&
        r->unfinished != (c->framing == FRAMING_LINE && m.end == m.data + m.size))
        sim_violate("connection %u: record %" PRIu64 " of the log is marked wrongly", c->number,
                    r->seq);
    note(c, r->seq, r->data, r->size);
    return c;
}

void record_revoke(struct conn *c)
{
    book.records--;
    c->recorded--;
    if (c->replied > c->recorded)
        sim_violate("connection %u: a record is written again, and it was answered", c->number);
}

/* PEER: TEXT */
static struct conn *conn_of_line(const char *line, const char **ret_text)
{
    unsigned number, a;

    *ret_text = strstr(line, ": ");
    if (!*ret_text)
        return NULL;
    *ret_text += 2;
    if (sscanf(line, "pid=%u", &number) == 1 || sscanf(line, "127.0.0.%u:%u", &a, &number) == 2)
        return book_find(number);
    return NULL;
}

static void line_printed(const char *line)
{
    char expected[TEXT_MAX + 1];
    struct said_message m;
    const char *text;
    struct conn *c = conn_of_line(line, &text);
    size_t n;

    if (!c || !c->setup || c->setup->record != RECORD_STDERR || c->life != process.life) {
        sim_violate("a line is of no connection: %.60s", line);
        return;
    }
    if (!conn_message(c, c->recorded, &m)) {
        sim_violate("connection %u: line %" PRIu64 " is of no message", c->number, c->recorded + 1);
        return;
    }
    n = escape_text(c->bytes + m.data, m.size, expected, TEXT_MAX);
    if (strlen(text) != n || memcmp(text, expected, n) != 0)
        sim_violate("connection %u: line %" PRIu64 " is not what was sent", c->number,
                    c->recorded + 1);
    note(c, c->recorded + 1, NULL, 0);
}

void record_printed(unsigned worker, const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char *text = lines[worker].text;

        if (bytes[i] != '\n' && lines[worker].n + 1 < LINE_ROOM) {
            text[lines[worker].n++] = bytes[i];
            continue;
        }
        text[lines[worker].n] = '\0';
        lines[worker].n = 0;
        line_printed(text);
    }
}
