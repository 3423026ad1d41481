/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "answerlog/print-json.h"
#include "base/escape.h"

static bool is_utf8(const uint8_t *text, size_t n)
{
    for (size_t i = 0, size; i < n; i += size) {
        size = utf8_sequence(text + i, n - i);
        if (size == 0)
            return false;
    }
    return true;
}

/* The code point of a sequence of two or three bytes: no control character has more. */
static unsigned code_point(const uint8_t *text, size_t n)
{
    return n == 2 ? (text[0] & 0x1fU) << 6 | (text[1] & 0x3fU)
                  : (text[0] & 0x0fU) << 12 | (text[1] & 0x3fU) << 6 | (text[2] & 0x3fU);
}

/* Control characters are escaped, also those that JSON would allow: the text is safe on a
 * terminal. */
static void print_character(const uint8_t *text, size_t n)
{
    if (n == 1 && (text[0] == '"' || text[0] == '\\'))
        (void)printf("\\%c", text[0]);
    else if (n == 1 && text[0] == '\n')
        (void)fputs("\\n", stdout);
    else if (n == 1 && (text[0] < 0x20 || text[0] == 0x7f))
        (void)printf("\\u%04x", text[0]);
    else if ((n == 2 || n == 3) && escape_has_wide_controls(text, n))
        (void)printf("\\u%04x", code_point(text, n));
    else
        (void)fwrite(text, 1, n, stdout);
}

static void print_bytes(const void *bytes, size_t n)
{
    const uint8_t *text = bytes;

    if (!is_utf8(text, n)) {
        for (size_t i = 0; i < n; i++)
            (void)printf("%c%u", i == 0 ? '[' : ',', text[i]);
        (void)putchar(']');
        return;
    }
    (void)putchar('"');
    for (size_t i = 0, size; i < n; i += size) {
        size = utf8_sequence(text + i, n - i);
        print_character(text + i, size);
    }
    (void)putchar('"');
}

static void print_text(const char *key, const char *text)
{
    (void)printf(",\"%s\":", key);
    print_bytes(text, strlen(text));
}

static void print_time(uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    char text[64] = "";
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)printf(",\"time\":\"%s.%06uZ\"", text, (unsigned)(time_us % 1000000));
}

static void print_origin(const struct record_origin *o)
{
    if (o->identity[0])
        print_text("identity", o->identity);
    if (o->proxy[0])
        print_text("proxy", o->proxy);
    if (o->proxy_id[0])
        print_text("proxy_id", o->proxy_id);
}

void print_json(const struct log_item *item)
{
    const struct record *record = &item->record;

    (void)printf("{\"number\":%" PRIu64, item->number);
    print_time(item->time_us);
    print_text("id", record->id);
    print_text("peer", record->peer);
    if (record->peer_port[0])
        print_text("port", record->peer_port);
    print_text("listener", record->listener);
    if (record->origin)
        print_origin(record->origin);
    (void)printf(",\"connection\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"unfinished\":%s,\"message\":",
                 record->connection, record->seq, record->unfinished ? "true" : "false");
    print_bytes(record->data, record->size);
    (void)fputs("}\n", stdout);
}
