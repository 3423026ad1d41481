/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "answerlog/print-export.h"
#include "base/escape.h"
#include "log/bytes.h"
#include "record/entry.h"

/* Whether the value can be written as NAME=VALUE. journalctl writes these so as well. An empty value
 * has to be: systemd-journal-remote drops a field with the length 0. */
static bool is_text(const uint8_t *value, size_t n)
{
    for (size_t i = 0, size; i < n; i += size) {
        size = utf8_sequence(value + i, n - i);
        if (size == 0 || (value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7f)
            return false;
    }
    return true;
}

static void print_field(const uint8_t *name, size_t name_size, const uint8_t *value, size_t n)
{
    uint8_t size[8];

    (void)fwrite(name, 1, name_size, stdout);
    if (is_text(value, n)) {
        (void)putchar('=');
    } else {
        put_le64(size, n);
        (void)putchar('\n');
        (void)fwrite(size, 1, sizeof size, stdout);
    }
    (void)fwrite(value, 1, n, stdout);
    (void)putchar('\n');
}

int print_export(const struct log_item *item, struct buffer **scratch)
{
    const uint8_t *p, *end;
    int r;

    buffer_clear(*scratch);
    r = entry_record(scratch, &item->record);
    if (r < 0)
        return r;
    (void)printf("__REALTIME_TIMESTAMP=%" PRIu64 "\n", item->time_us);
    p = buffer_head(*scratch);
    end = p + buffer_size(*scratch);
    /* Each field is NAME LF, size, value, LF: see record/entry.h. */
    while (p < end) {
        const uint8_t *name = p, *size = memchr(p, '\n', (size_t)(end - p)), *value = size + 9;
        size_t n = (size_t)get_le64(size + 1);

        print_field(name, (size_t)(size - name), value, n);
        p = value + n + 1;
    }
    (void)putchar('\n');
    return 0;
}
