/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "log-stand.h"
#include "random.h"
#include "runner.h"

void log_stand_init(struct log_stand *s)
{
    *s = (struct log_stand){
        .limits = { .segment_size = 64 * 1024, .max_use = UINT64_MAX, .max_age_us = UINT64_MAX },
    };
    /* In memory, if possible: these tests do not depend on a disk, and syncing takes its time. */
    (void)snprintf(s->folder, sizeof s->folder, "%s/answerd-test-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(s->folder));
    log_stand_start(s);
}

void log_stand_deinit(struct log_stand *s)
{
    DIR *dir = opendir(s->folder);
    struct dirent *entry;

    log_stand_stop(s, false);
    while ((entry = readdir(dir)))
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    ck_assert_int_eq(rmdir(s->folder), 0);
    free(s->generations);
}

void log_stand_start(struct log_stand *s)
{
    pid_t holder;

    s->generation++;
    ck_assert_int_eq(store_open(&s->store, s->folder, &holder), 0);
    store_limit(&s->store, &s->limits);
    ck_assert_int_eq(recover(&s->store, NULL, &s->recovery), 0);
    writer_init(&s->writer, &s->store, LOG_STAND_RUN, s->recovery.next_serial,
                s->recovery.next_number);
}

void log_stand_stop(struct log_stand *s, bool clean)
{
    if (s->store.dir_fd < 0)
        return;
    if (clean) {
        ck_assert_int_eq(writer_deinit(&s->writer), 0);
    } else {
        (void)close_fd(s->writer.fd);
        log_index_free(s->writer.index);
    }
    store_close(&s->store);
}

/* Long ones are rare. */
static size_t message(uint64_t number, uint64_t generation, uint8_t out[LOG_STAND_MESSAGE_MAX])
{
    uint64_t state = number * 1000 + generation;
    size_t size = random_magnitude(&state, 11);

    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)random_next(&state);
    return size;
}

static size_t encode(uint64_t number, uint64_t generation, uint8_t *out)
{
    uint8_t data[LOG_STAND_MESSAGE_MAX];
    struct record record = {
        .data = data,
        .size = message(number, generation, data),
        .peer = number % 3 ? "192.0.2.1" : "2001:db8::1",
        .peer_port = "4711",
        .listener = "default",
        .connection = number / 10,
        .seq = number,
        .unfinished = number % 5 == 0,
    };
    size_t size = log_record_size(&record);

    log_record_put(out, &record, size);
    return size;
}

void log_stand_append(struct log_stand *s, unsigned n)
{
    uint8_t *bytes = malloc((size_t)n * (LOG_STAND_MESSAGE_MAX + 200));
    struct chunk chunk = { .bytes = bytes };
    ssize_t r;

    s->n = s->writer.number + n;
    s->generations = reallocarray(s->generations, s->n, sizeof *s->generations);
    for (unsigned i = 0; i < n; i++) {
        chunk.size += encode(s->writer.number + i, s->generation, bytes + chunk.size);
        s->generations[s->writer.number + i] = s->generation;
    }
    while ((r = writer_append(&s->writer, &chunk, 1, clock_us(CLOCK_REALTIME))) != 1)
        if (r < 0) {
            ck_assert_int_eq(r, -EAGAIN);
            ck_assert_int_ge(store_keep(&s->store, clock_us(CLOCK_REALTIME)), 0);
        }
    free(bytes);
}

/* One assertion for all: each takes time, and there are millions of records. */
void log_stand_check_item(const struct log_stand *s, const struct log_item *item)
{
    const char *peer = item->number % 3 ? "192.0.2.1:4711" : "[2001:db8::1]:4711";
    uint8_t data[LOG_STAND_MESSAGE_MAX];
    char id[64];

    (void)snprintf(id, sizeof id, "0123456789abcdef-%" PRIu64 "-%" PRIu64, item->number / 10,
                   item->number);
    ck_assert(item->number < s->n &&
              item->record.size == message(item->number, s->generations[item->number], data) &&
              memcmp(item->record.data, data, item->record.size) == 0 &&
              strcmp(item->record.peer_name, peer) == 0 && strcmp(item->record.id, id) == 0 &&
              item->record.unfinished == (item->number % 5 == 0));
}

/* Returns how many it read; *last: the number of the last. */
static uint64_t check_segment(const struct log_stand *s, struct segment *segment, uint64_t to,
                              uint64_t *last)
{
    uint64_t n = 0, sound = 0, before = 0;
    struct log_item item;
    int r;

    do {
        sound = 0; /* without a gap */
        while ((r = segment_next(segment, &item)) > 0) {
            ck_assert_uint_gt(item.number, *last);
            *last = item.number;
            log_stand_check_item(s, &item);
            n += item.number <= to;
            sound++;
        }
        ck_assert(r == 0 || r == -EBADMSG);
    } while (segment_skip(segment, *last) > 0);
    ck_assert_int_eq(segment_refresh(segment), 0);
    ck_assert_int_eq(segment_seek_end(segment), 0);
    for (before = *last + 1; segment_previous(segment, &item) > 0; before = item.number, sound--) {
        ck_assert_uint_lt(item.number, before);
        log_stand_check_item(s, &item);
    }
    ck_assert_uint_eq(sound, 0);
    return n;
}

uint64_t log_stand_check(const struct log_stand *s, uint64_t to)
{
    struct segment_list list;
    uint64_t n = 0, last = 0;

    ck_assert_int_eq(segment_list_read(s->store.dir_fd, &list), 0);
    for (size_t i = 0; i < list.n; i++) {
        struct segment segment;
        int r = segment_open(&segment, s->store.dir_fd, list.items[i].serial);

        if (r == -EBADMSG || r == -EPROTO)
            continue;
        ck_assert_int_eq(r, 0);
        n += check_segment(s, &segment, to, &last);
        segment_close(&segment);
    }
    segment_list_free(&list);
    return n;
}
