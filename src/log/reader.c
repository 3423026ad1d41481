/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "log/reader.h"
#include "log/store.h"

/* --- what is missing ------------------------------------------------------------------------ */

/* Numbers are missing here, perhaps. The first reason is the one to tell. */
static void suspect(struct reader *r, enum gap_kind kind, uint64_t serial)
{
    if (r->pending.serial == 0)
        r->pending = (struct gap){ .kind = kind, .serial = serial, .last_serial = serial };
    else if (r->pending.kind == kind) {
        r->pending.serial = MIN(r->pending.serial, serial);
        r->pending.last_serial = MAX(r->pending.last_serial, serial);
    }
}

static void report(struct reader *r, uint64_t from, uint64_t to)
{
    struct gap gap = r->pending;

    if (gap.serial == 0)
        gap = (struct gap){ .kind = GAP_DAMAGED, .serial = r->serial, .last_serial = r->serial };
    gap.from = from;
    gap.to = to;
    if (r->on_gap)
        r->on_gap(r->userdata, &gap);
    r->pending = (struct gap){ 0 };
}

/* Forwards: the record of this number comes next. */
static void expect(struct reader *r, uint64_t number)
{
    if (r->number > 0 && number > r->number)
        report(r, r->number, number - 1);
    else if (r->number == 0 && r->pending.kind == GAP_UNREADABLE && number > 1)
        report(r, 0, number - 1);
    r->pending = (struct gap){ 0 };
    r->number = number;
}

/* Backwards: the record before has the number `number` - 1. */
static void expect_back(struct reader *r, uint64_t number)
{
    if (r->number > number)
        report(r, number, r->number - 1);
    else if (r->number == 0 && r->pending.kind == GAP_UNREADABLE)
        report(r, number, 0);
    r->pending = (struct gap){ 0 };
    r->number = number;
}

/* --- what is wanted ------------------------------------------------------------------------- */

static bool overlaps(const struct reader_scope *scope, const struct log_mark *mark)
{
    return mark->time_max >= scope->since_us && mark->time_min <= scope->until_us;
}

static bool may_have(const struct reader_scope *scope, const struct segment *s)
{
    const struct log_index *x = s->index;

    if (scope->by_connection &&
        (s->head.run != scope->run || (x && !log_index_may_have(x, scope->connection))))
        return false;
    for (size_t i = 0; x && i < x->n_marks; i++)
        if (overlaps(scope, &x->marks[i]))
            return true;
    return !x;
}

/* Passes over records that no one wants, from mark to mark. */
static void pass_forwards(struct reader *r)
{
    const struct log_index *x = r->segment.index;
    size_t first, i;

    if (!x || x->n_marks == 0 || segment_is_over(&r->segment))
        return;
    for (first = i = log_index_mark_at(x, r->segment.offset); i < x->n_marks; i++)
        if (overlaps(&r->scope, &x->marks[i]))
            break;
    if (i == first)
        return;
    r->segment.offset = i < x->n_marks ? x->marks[i].offset : x->end;
    r->number = i < x->n_marks ? x->marks[i].number : x->last + 1;
    r->pending = (struct gap){ 0 };
}

static void pass_backwards(struct reader *r)
{
    const struct log_index *x = r->segment.index;

    while (x && x->n_marks > 0 && r->segment.offset > x->marks[0].offset) {
        const struct log_mark *mark = &x->marks[log_index_mark_at(x, r->segment.offset - 1)];

        if (overlaps(&r->scope, mark))
            return;
        r->segment.offset = mark->offset;
        r->number = mark->number;
        r->pending = (struct gap){ 0 };
    }
}

/* --- the folder ----------------------------------------------------------------------------- */

static int read_list(struct reader *r)
{
    struct segment_list list;
    int error = segment_list_read(r->dir_fd, &list);

    if (error < 0)
        return error;
    segment_list_free(&r->list);
    r->list = list;
    return 0;
}

int reader_open(struct reader *r, const char *directory, const struct reader_scope *scope)
{
    struct stat st;
    int error;

    *r = (struct reader){ .dir_fd = -1, .scope = *scope, .segment = { .fd = -1 } };
    r->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->dir_fd < 0)
        return -errno;
    error = read_list(r);
    if (error == 0 && r->list.n == 0 && fstatat(r->dir_fd, STORE_LOCK, &st, 0) < 0)
        error = -ENODATA;
    return error;
}

static void leave(struct reader *r)
{
    if (r->open)
        segment_close(&r->segment);
    r->open = false;
}

/* Leaves a segment that cannot be read, or the rest of it. */
static void give_up(struct reader *r, uint64_t serial, int error)
{
    if (r->open)
        r->pending = (struct gap){ 0 }; /* a reason within this segment matters less */
    leave(r);
    suspect(r, GAP_UNREADABLE, serial);
    if (r->pending.kind == GAP_UNREADABLE)
        r->pending.error = error;
    r->serial = serial;
}

void reader_close(struct reader *r)
{
    leave(r);
    segment_list_free(&r->list);
    r->dir_fd = close_fd(r->dir_fd);
}

bool reader_is_growing(const struct reader *r)
{
    return r->open && !r->segment.index &&
           (r->list.n == 0 || r->list.items[r->list.n - 1].serial <= r->serial);
}

int reader_refresh(struct reader *r)
{
    /* In this order: where a later segment is listed, this one is complete. */
    int error = read_list(r);

    return error == 0 && r->open ? segment_refresh(&r->segment) : error;
}

/* --- forwards ------------------------------------------------------------------------------- */

/* No sound record is here. 1: go on; 0: the segment is over, so far; or a negative errno. */
static int pass_unsound(struct reader *r)
{
    struct segment *s = &r->segment;
    int result = 0;

    if (segment_is_over(s)) {
        expect(r, MAX(r->number, s->index->last + 1));
        return 0;
    }
    if (reader_is_growing(r)) {
        result = r->live ? 0 : segment_was_synced(s, r->number);
        if (result <= 0)
            return result;
    }
    /* The daemon may have written it meanwhile: what is in memory can be older. */
    if (r->reread != s->offset) {
        r->reread = s->offset;
        result = segment_refresh(s);
        return result < 0 ? result : 1;
    }
    suspect(r, GAP_DAMAGED, s->serial);
    result = segment_skip(s, r->number - 1);
    if (result != 0)
        return result;
    s->offset = s->index ? s->index->end : s->size;
    return s->index ? 1 : 0;
}

static int next_here(struct reader *r, struct log_item *ret)
{
    int result;

    do {
        pass_forwards(r);
        result = segment_next(&r->segment, ret);
        if (result > 0) {
            expect(r, ret->number);
            r->number++;
            return 1;
        }
        if (result == 0 || result == -EBADMSG)
            result = pass_unsound(r);
    } while (result > 0);
    return result;
}

static const struct segment_file *segment_after(const struct reader *r)
{
    for (size_t i = 0; i < r->list.n; i++)
        if (r->list.items[i].serial > r->serial)
            return &r->list.items[i];
    return NULL;
}

/* Begins the segment that was opened, unless nothing of it is wanted: 0. */
static int begin(struct reader *r, const struct segment *s)
{
    leave(r);
    expect(r, s->head.first);
    r->segment = *s;
    r->open = true;
    r->serial = s->serial;
    r->reread = 0;
    if (may_have(&r->scope, s))
        return 1;
    r->number = s->index ? s->index->last + 1 : 0;
    leave(r);
    return 0;
}

/* Passes a segment, or the rest of it. */
static void pass_unreadable(struct reader *r, uint64_t serial, int error)
{
    give_up(r, serial, error);
    if (segment_after(r))
        return;
    report(r, r->number, 0);
    r->number = 0;
}

/* 1; 0: there is none; or a negative errno. Where a serial is missing, the list is read again:
 * readdir(3) may leave out a file that is renamed meanwhile, and yet list a later one. */
static int enter_next(struct reader *r)
{
    bool removed = false, again = false;
    int result = 0;

    while (result == 0) {
        const struct segment_file *file = segment_after(r);
        struct segment s;

        if (!file)
            return 0;
        if (r->serial > 0 && file->serial > r->serial + 1 && !again) {
            again = true;
            result = read_list(r);
            continue;
        }
        removed = removed || (r->serial > 0 && file == r->list.items);
        if (r->serial > 0 && file->serial > r->serial + 1)
            suspect(r, removed ? GAP_REMOVED : GAP_MISSING, r->serial + 1);
        if (r->pending.kind == GAP_MISSING || r->pending.kind == GAP_REMOVED)
            r->pending.last_serial = file->serial - 1;
        result = segment_open(&s, r->dir_fd, file->serial);
        if (result == 0) {
            result = begin(r, &s);
        } else if (result == -ENOENT) {
            removed = true;
            result = read_list(r);
        } else if (segment_is_damaged(result)) {
            pass_unreadable(r, file->serial, result);
            result = 0;
        }
    }
    return result;
}

int reader_next(struct reader *r, struct log_item *ret)
{
    int result = r->open ? next_here(r, ret) : 0;

    while (result == 0 || result == -EIO) {
        if (result == -EIO)
            pass_unreadable(r, r->serial, result);
        result = enter_next(r);
        if (result <= 0)
            return result;
        result = next_here(r, ret);
    }
    return result;
}

/* --- backwards ------------------------------------------------------------------------------ */

static int previous_here(struct reader *r, struct log_item *ret)
{
    struct segment *s = &r->segment;

    for (;;) {
        int result;

        pass_backwards(r);
        result = segment_previous(s, ret);
        if (result > 0) {
            expect_back(r, ret->number + 1);
            r->number--;
            return 1;
        }
        if (result == 0) {
            expect_back(r, MIN(r->number, s->head.first));
            return 0;
        }
        if (result != -EBADMSG)
            return result;
        suspect(r, GAP_DAMAGED, s->serial);
        result = segment_skip_back(s);
        if (result < 0)
            return result;
        if (result == 0)
            s->offset = LOG_HEAD_SIZE;
    }
}

/* Goes to the end of a segment that was just opened. Returns the number that follows, or 0, with
 * *ret_error. */
static uint64_t to_end(struct reader *r, struct segment *s, bool is_last, int *ret_error)
{
    uint64_t number = s->head.first;
    struct log_item item;
    int result;

    *ret_error = 0;
    if (s->index) {
        s->offset = s->index->end;
        return MAX(number, s->index->last + 1);
    }
    for (;;) {
        while ((result = segment_next(s, &item)) > 0)
            number = item.number + 1;
        if (result == 0 || result == -EBADMSG)
            result = is_last ? (r->live ? 0 : segment_was_synced(s, number)) : 1;
        if (result > 0)
            result = segment_skip(s, number - 1);
        if (result <= 0) {
            *ret_error = result;
            return result < 0 ? 0 : number;
        }
    }
}

static size_t segments_before(const struct reader *r)
{
    size_t n = 0;

    while (n < r->list.n && r->list.items[n].serial < r->serial)
        n++;
    return n;
}

/* Stands at the end of the segment that was opened, unless nothing of it is wanted: 0. */
static int begin_at_end(struct reader *r, struct segment *s, bool is_last, bool any)
{
    uint64_t number;
    int error = 0;

    leave(r);
    r->segment = *s;
    r->open = true;
    number = to_end(r, &r->segment, is_last, &error);
    if (error < 0)
        return error;
    if (r->pending.serial == 0)
        suspect(r, GAP_DAMAGED, s->serial);
    expect_back(r, number);
    r->serial = s->serial;
    r->reread = 0;
    if (any || may_have(&r->scope, s))
        return 1;
    r->number = s->head.first;
    leave(r);
    return 0;
}

/* 1; 0: there is none; or a negative errno. any: also one of which nothing is wanted. */
static int enter_previous(struct reader *r, bool any)
{
    bool again = false;
    int result = 0;

    while (result == 0) {
        size_t n = segments_before(r);
        uint64_t serial = n > 0 ? r->list.items[n - 1].serial : 0;
        struct segment s;

        if (serial == 0)
            return 0;
        if (r->serial < UINT64_MAX && serial + 1 < r->serial && !again) {
            again = true;
            result = read_list(r);
            continue;
        }
        if (r->serial < UINT64_MAX && serial + 1 < r->serial)
            suspect(r, GAP_MISSING, serial + 1);
        if (r->pending.kind == GAP_MISSING)
            r->pending.last_serial = r->serial - 1;
        result = segment_open(&s, r->dir_fd, serial);
        if (result == -ENOENT) {
            result = read_list(r);
            continue;
        }
        if (result == 0)
            result = begin_at_end(r, &s, n == r->list.n, any);
        if (segment_is_damaged(result)) {
            give_up(r, serial, result);
            if (n == 1)
                report(r, 0, r->number > 0 ? r->number - 1 : 0);
            result = 0;
        }
    }
    return result;
}

/* Passes the rest of a segment, down to its beginning. */
static void pass_unreadable_back(struct reader *r, int error)
{
    uint64_t first = r->segment.head.first;

    give_up(r, r->serial, error);
    expect_back(r, MIN(r->number, first));
}

int reader_previous(struct reader *r, struct log_item *ret)
{
    int result = r->open ? previous_here(r, ret) : 0;

    while (result == 0 || result == -EIO) {
        if (result == -EIO)
            pass_unreadable_back(r, result);
        result = enter_previous(r, false);
        if (result <= 0)
            return result;
        result = previous_here(r, ret);
    }
    return result;
}

int reader_seek_end(struct reader *r)
{
    int result = read_list(r);

    leave(r);
    r->number = 0;
    r->serial = UINT64_MAX;
    if (result == 0)
        result = enter_previous(r, true);
    if (!r->open && r->serial == UINT64_MAX)
        r->serial = 0; /* an empty log */
    return result < 0 ? result : 0;
}
