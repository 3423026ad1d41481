/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "base/macros.h"
#include "record/mirror-cursor.h"

void mirror_cursor_init(struct mirror_cursor *c, int dir_fd, uint64_t next)
{
    *c = (struct mirror_cursor){ .dir_fd = dir_fd, .next = next };
}

static void close_segment(struct mirror_cursor *c)
{
    if (c->opened)
        segment_close(&c->segment);
    c->opened = false;
}

void mirror_cursor_deinit(struct mirror_cursor *c)
{
    close_segment(c);
}

/* --- segments ------------------------------------------------------------------------------- */

/* 1; 0: its head cannot be read; or a negative errno. -ENOENT: retention has just removed it. */
static int open_segment(struct mirror_cursor *c, const struct segment_list *list, size_t i)
{
    int r = segment_open(&c->segment, c->dir_fd, list->items[i].serial);

    if (r == -EBADMSG || r == -EPROTO || r == -EIO)
        return 0;
    if (r < 0)
        return r;
    c->opened = true;
    c->serial = list->items[i].serial;
    c->oldest = i == 0;
    return 1;
}

/* The next segment in the list. Returns like open_segment(); 0: there is none. */
static int open_next(struct mirror_cursor *c, const struct segment_list *list)
{
    int r = 0;

    for (size_t i = 0; i < list->n && r == 0; i++)
        if (list->items[i].serial > c->serial)
            r = open_segment(c, list, i);
    return r;
}

/* The segment with record number `next`: the newest one that begins at or before it. If all begin
 * after it, the oldest one. */
static int open_first(struct mirror_cursor *c, const struct segment_list *list)
{
    for (size_t i = list->n; i > 0; i--) {
        int r = open_segment(c, list, i - 1);

        if (r < 0) {
            c->serial = 0;
            return r;
        }
        if (r > 0 && c->segment.head.first <= c->next) {
            segment_seek_number(&c->segment, c->next);
            return 1;
        }
        close_segment(c);
    }
    c->serial = 0;
    return open_next(c, list);
}

/* Opens the segment with record number `next`, or the first one behind it. 1; 0: there is none, and
 * an open segment stays open, since records may still be added to it; or a negative errno. */
static int advance(struct mirror_cursor *c, bool *ret_empty)
{
    struct segment_list list;
    int r;

    do {
        r = segment_list_read(c->dir_fd, &list);
        if (r < 0)
            return r;
        *ret_empty = list.n == 0;
        if (list.n > 0 && list.items[list.n - 1].serial > c->serial) {
            close_segment(c);
            r = c->serial > 0 ? open_next(c, &list) : open_first(c, &list);
        }
        segment_list_free(&list);
    } while (r == -ENOENT);
    return r;
}

/* --- records -------------------------------------------------------------------------------- */

static int read_on(struct mirror_cursor *c, struct log_item *ret)
{
    int r;

    do
        r = segment_next(&c->segment, ret);
    while (r > 0 && ret->number < c->next);
    return r;
}

/* Finds the first sound record of the segment from number `next` on, and stays before it. 1; 0:
 * there is none; or a negative errno. */
static int find_record(struct mirror_cursor *c, uint64_t synced, struct log_item *ret)
{
    uint64_t from = c->segment.offset;
    int r = read_on(c, ret);

    /* The bytes in memory may be older than the record. */
    if (r == 0 || r == -EBADMSG) {
        r = segment_refresh(&c->segment);
        if (r >= 0)
            r = read_on(c, ret);
    }
    while (r == -EBADMSG) {
        r = segment_skip(&c->segment, c->next - 1);
        if (r > 0)
            r = read_on(c, ret);
    }
    /* A record that is not synced proves nothing: the one before it may be being written. */
    if (r > 0)
        c->segment.offset = ret->number <= synced ? c->segment.offset - ret->size : from;
    /* The disk cannot read it. The next segment may be sound. */
    return r == -EIO ? 0 : r;
}

static int gap(uint64_t end, uint64_t synced, bool removed, struct mirror_gap *ret)
{
    *ret = (struct mirror_gap){ .end = MIN(end, synced + 1), .removed = removed };
    return MIRROR_GAP;
}

int mirror_cursor_look(struct mirror_cursor *c, uint64_t synced, struct log_item *ret_item,
                       struct mirror_gap *ret_gap)
{
    bool empty;
    int r;

    while (c->next <= synced && synced > 0) {
        if (c->opened && c->next < c->segment.head.first)
            return gap(c->segment.head.first, synced, c->oldest, ret_gap);
        r = c->opened ? find_record(c, synced, ret_item) : 0;
        if (r > 0 && ret_item->number == c->next)
            return MIRROR_RECORD;
        if (r > 0)
            return gap(ret_item->number, synced, false, ret_gap);
        if (r == 0)
            r = advance(c, &empty);
        if (r < 0)
            return r;
        if (r == 0 && c->next > 0)
            return gap(synced + 1, synced, empty, ret_gap);
        if (c->next == 0)
            c->next = r > 0 ? c->segment.head.first : synced + 1;
    }
    return MIRROR_END;
}

void mirror_cursor_pass(struct mirror_cursor *c, const struct log_item *item)
{
    c->segment.offset += item->size;
    c->next = item->number + 1;
}

void mirror_cursor_skip(struct mirror_cursor *c, const struct mirror_gap *g)
{
    c->next = g->end;
}
