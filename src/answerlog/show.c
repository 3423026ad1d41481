/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "answerlog/follow.h"
#include "answerlog/gaps.h"
#include "answerlog/print.h"
#include "answerlog/show.h"
#include "base/macros.h"

struct showing {
    const struct options *options;
    struct reader reader;
    struct printer printer;
    struct gaps gaps;
    uint64_t n; /* records printed */
};

/* An ID is that of one record. */
static uint64_t most(const struct options *o)
{
    return o->select.id ? MIN(o->lines, UINT64_C(1)) : o->lines;
}

/* When to stop. */
static bool is_enough(const struct showing *s)
{
    const struct options *o = s->options;

    return s->n >= (o->follow && !o->select.id ? UINT64_MAX : most(o));
}

/* Goes back before the last records that match. 0 or a negative errno. */
static int go_back(struct showing *s)
{
    reader_gap_fn on_gap = STEAL_PTR(s->reader.on_gap); /* gaps are reported on the way forward */
    uint64_t n = most(s->options);
    struct log_item item;
    int r = reader_seek_end(&s->reader);

    while (r >= 0 && n > 0) {
        r = reader_previous(&s->reader, &item);
        if (r <= 0)
            break;
        n -= select_matches(&s->options->select, &item);
    }
    s->reader.on_gap = on_gap;
    return r < 0 ? r : 0;
}

static int print_matching(struct showing *s, const struct log_item *item)
{
    int r;

    if (!select_matches(&s->options->select, item))
        return 0;
    r = printer_print(&s->printer, item);
    s->n += r == 0;
    return r;
}

static int print_forwards(struct showing *s)
{
    struct log_item item;
    int r = 0;

    while (r >= 0 && !is_enough(s)) {
        r = reader_next(&s->reader, &item);
        if (r <= 0)
            break;
        r = print_matching(s, &item);
    }
    return r;
}

static int print_backwards(struct showing *s)
{
    struct log_item item;
    int r = reader_seek_end(&s->reader);

    while (r >= 0 && !is_enough(s)) {
        r = reader_previous(&s->reader, &item);
        if (r <= 0)
            break;
        r = print_matching(s, &item);
    }
    return r;
}

/* Ends with an error, with standard output, or with the record of an ID. */
static int follow(struct showing *s, int fd)
{
    int r = 0;

    s->reader.live = true;
    while (r >= 0 && !is_enough(s)) {
        if (fflush(stdout) != 0)
            return -errno;
        r = follow_wait(fd);
        if (r <= 0)
            break;
        r = reader_refresh(&s->reader);
        if (r >= 0)
            r = print_forwards(s);
    }
    return r;
}

static int run(struct showing *s)
{
    const struct options *o = s->options;
    _cleanup_close_ int fd = o->follow ? follow_open(o->directory) : -EBADF;
    int r;

    if (o->follow && fd < 0)
        return fd;
    r = reader_open(&s->reader, o->directory, &o->select.scope);
    if (r < 0)
        return r;
    gaps_attach(&s->gaps, &s->reader);
    if (o->reverse)
        return print_backwards(s);
    if (o->lines < LINES_ALL)
        r = go_back(s);
    if (r >= 0)
        r = print_forwards(s);
    if (r >= 0 && o->follow)
        r = follow(s, fd);
    return r;
}

enum status show(const struct options *o)
{
    static struct showing s;
    int r;

    s = (struct showing){ .options = o };
    printer_init(&s.printer, o->form);
    r = run(&s);
    reader_close(&s.reader);
    printer_deinit(&s.printer);
    if (r >= 0 && fflush(stdout) != 0)
        r = -errno;
    /* As head(1) does when it has enough. */
    if (r == -EPIPE)
        return STATUS_OK;
    if (r < 0) {
        options_complain(o, r);
        return STATUS_SYSTEM;
    }
    if (s.gaps.n > 0 || (s.n == 0 && o->lines > 0 && select_is_given(&o->select)))
        return STATUS_DAMAGED;
    return STATUS_OK;
}
