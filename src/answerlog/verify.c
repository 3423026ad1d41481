/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "answerlog/gaps.h"
#include "answerlog/verify.h"
#include "base/macros.h"
#include "log/store.h"

/* What was found. */
struct survey {
    struct reader reader;
    struct gaps gaps;
    uint64_t n, first, last, first_us, last_us; /* records */
    uint64_t synced;                            /* the last record that is known to be synced */
    uint64_t serial, end, size;                 /* the segment of the last record; where it ends */
    bool has_index;
    uint64_t n_bad_indexes;
};

/* A segment without an index ends with its last record; what is behind it was an index. Lost records
 * are reported as such. */
static void check_index(struct survey *s, uint64_t n_gaps_before)
{
    if (s->serial == 0 || s->has_index || s->end >= s->size || s->gaps.n > n_gaps_before)
        return;
    s->n_bad_indexes++;
    (void)fprintf(stderr,
                  "answerlog: segment %" PRIu64 ": its index is damaged; no record is missing\n",
                  s->serial);
}

static void note_segment(struct survey *s)
{
    const struct segment *segment = &s->reader.segment;

    s->serial = segment->serial;
    s->has_index = segment->index;
    s->size = segment->size;
    /* A segment is begun only after all before it is synced. */
    s->synced = MAX(s->synced, segment->head.first - 1);
}

static void note_record(struct survey *s, const struct log_item *item)
{
    if (s->n++ == 0) {
        s->first = item->number;
        s->first_us = item->time_us;
    }
    s->last = item->number;
    s->last_us = item->time_us;
    s->end = s->reader.segment.offset;
    if (s->has_index)
        s->synced = MAX(s->synced, item->number);
    else if (item->distance < item->number)
        s->synced = MAX(s->synced, item->number - 1 - item->distance);
}

static int read_all(struct survey *s)
{
    uint64_t n_gaps = 0;
    struct log_item item;
    int r;

    while ((r = reader_next(&s->reader, &item)) > 0) {
        if (s->reader.segment.serial != s->serial) {
            check_index(s, n_gaps);
            note_segment(s);
        }
        n_gaps = s->gaps.n;
        note_record(s, &item);
    }
    return r;
}

/* --- the end of an incomplete segment ------------------------------------------------------- */

static int describe_end(struct survey *s)
{
    struct segment *segment = &s->reader.segment;
    uint64_t serial = segment->serial, at = segment->offset, end;
    struct log_item item;
    int r;

    if (!reader_is_growing(&s->reader))
        return 0;
    s->synced = MAX(s->synced, segment->head.first - 1);
    (void)printf("segment %" PRIu64 " is incomplete: answerd is writing to it, or was killed\n",
                 serial);
    r = segment_written_end(segment, &end);
    if (r < 0 || end == at)
        return r;
    /* Where another record is there by now, it was none that is unfinished. */
    r = reader_refresh(&s->reader);
    if (r >= 0)
        r = reader_next(&s->reader, &item);
    if (r == 0)
        (void)printf("it ends with %" PRIu64 " bytes of an unfinished record\n", end - at);
    return MIN(r, 0);
}

/* --- the result ----------------------------------------------------------------------------- */

static void print_time(const char *what, uint64_t number, uint64_t time_us)
{
    time_t seconds = (time_t)(time_us / 1000000);
    char text[64] = "";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        (void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    (void)printf("%s record: number %" PRIu64 ", %s.%06u\n", what, number, text,
                 (unsigned)(time_us % 1000000));
}

static void print_result(const struct survey *s)
{
    (void)printf("%zu segment%s, %" PRIu64 " record%s\n", s->reader.list.n,
                 s->reader.list.n == 1 ? "" : "s", s->n, s->n == 1 ? "" : "s");
    if (s->n > 0) {
        print_time("first", s->first, s->first_us);
        print_time("last", s->last, s->last_us);
        (void)printf("known to be synced: up to number %" PRIu64 "\n", s->synced);
    }
    if (s->gaps.n > 0)
        (void)printf("damaged: %" PRIu64 " gap%s, at least %" PRIu64 " record%s missing\n",
                     s->gaps.n, s->gaps.n == 1 ? "" : "s", s->gaps.n_missing,
                     s->gaps.n_missing == 1 ? "" : "s");
    else if (s->n_bad_indexes > 0)
        (void)puts("damaged: only indexes; no record is missing");
    else
        (void)puts("no damage");
}

enum status verify(const struct options *o)
{
    static struct survey s;
    int r;

    s = (struct survey){ 0 };
    r = reader_open(&s.reader, o->directory, &READER_SCOPE_ALL);
    gaps_attach(&s.gaps, &s.reader);
    if (r >= 0)
        r = read_all(&s);
    if (r >= 0)
        r = describe_end(&s);
    if (r >= 0) {
        print_result(&s);
        r = fflush(stdout) == 0 ? 0 : -errno;
    }
    reader_close(&s.reader);
    if (r < 0 && r != -EPIPE) {
        options_complain(o, r);
        return STATUS_SYSTEM;
    }
    return s.gaps.n > 0 || s.n_bad_indexes > 0 ? STATUS_DAMAGED : STATUS_OK;
}
