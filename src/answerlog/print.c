/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answerlog/print-export.h"
#include "answerlog/print-json.h"
#include "answerlog/print.h"
#include "base/escape.h"
#include "base/macros.h"

#define PIECE_MAX 1024 /* bytes that are escaped at once, each into four at most */

void printer_init(struct printer *p, enum form form)
{
    *p = (struct printer){ .form = form, .terminal = isatty(STDOUT_FILENO) };
}

void printer_deinit(struct printer *p)
{
    buffer_free(&p->scratch);
}

/* How many bytes to escape next: a character is not cut in two. */
static size_t piece(const uint8_t *text, size_t n)
{
    size_t size = 0;

    while (size < n && size < PIECE_MAX - 4)
        size += utf8_sequence(text + size, n - size) ?: 1;
    return size;
}

static void print_escaped(const uint8_t *text, size_t n)
{
    char out[4 * PIECE_MAX];

    for (size_t size; n > 0; text += size, n -= size) {
        size_t m;

        size = piece(text, n);
        m = escape_text(text, size, out, sizeof out);
        (void)fwrite(out, 1, m, stdout);
    }
}

static void print_short(const struct log_item *item, bool iso)
{
    time_t seconds = (time_t)(item->time_us / 1000000);
    char time[64] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm) && iso)
        (void)strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S%z", &tm);
    else if (localtime_r(&seconds, &tm))
        (void)strftime(time, sizeof time, "%b %d %H:%M:%S", &tm);
    (void)fputs(time, stdout);
    (void)putchar(' ');
    print_escaped((const uint8_t *)item->record.peer_name, strlen(item->record.peer_name));
    (void)fputs(": ", stdout);
    print_escaped(item->record.data, item->record.size);
    (void)putchar('\n');
}

/* A message may be empty: then its pointer means nothing to fwrite(). */
static void print_data(const struct record *record)
{
    if (record->size > 0)
        (void)fwrite(record->data, 1, record->size, stdout);
}

int printer_print(struct printer *p, const struct log_item *item)
{
    int r = 0;

    errno = 0;
    switch (p->form) {
    case FORM_SHORT:
    case FORM_SHORT_ISO:
        print_short(item, p->form == FORM_SHORT_ISO);
        break;
    case FORM_CAT:
        if (p->terminal)
            print_escaped(item->record.data, item->record.size);
        else
            print_data(&item->record);
        (void)putchar('\n');
        break;
    case FORM_JSON:
        print_json(item);
        break;
    case FORM_EXPORT:
        r = print_export(item, &p->scratch);
        break;
    case FORM_DATA:
        print_data(&item->record);
        break;
    }
    if (r == 0 && ferror(stdout))
        r = errno ? -errno : -EIO;
    return r;
}
