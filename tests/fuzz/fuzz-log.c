/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Input: a byte of flags, and what follows the head of the only segment of a log. Nobody guesses a
 * checksum, so FIX_RECORDS makes those of the records right, and FIX_INDEX that of the index. The
 * reader reads it in both directions, then recovery completes it, and the reader reads it again.
 */

#include <fcntl.h>

#include "base/crc32c.h"
#include "log/bytes.h"
#include "log/file.h"
#include "log/reader.h"
#include "log/recovery.h"
#include "target.h"

#define FIX_RECORDS 1
#define FIX_INDEX   2

static const struct log_head head = { .serial = 1, .salt = 7, .run = 9, .first = 1 };
static char folder[64];
static int dir_fd = -1;

static void remove_files(void)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(1, name);
    (void)unlinkat(dir_fd, name, 0);
    (void)unlinkat(dir_fd, STORE_LOCK, 0);
}

static void remove_folder(void)
{
    remove_files();
    (void)rmdir(folder);
}

static void make_folder(void)
{
    if (dir_fd >= 0)
        return;
    /* Recovery syncs, which takes a disk long. */
    (void)snprintf(folder, sizeof folder, "%s/answerd-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    CHECK(mkdtemp(folder));
    dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir_fd >= 0);
    (void)atexit(remove_folder);
}

/* As far as one follows the other. */
static void fix_records(uint8_t *p, size_t n)
{
    while (n >= LOG_RECORD_MIN) {
        size_t size = log_record_claim(p);
        struct log_seal seal = {
            .number = log_record_number(p),
            .time_us = log_record_time(p),
            .distance = get_le32(p + 40),
        };

        if (size < LOG_RECORD_MIN || size > n)
            return;
        put_le32(p + size - 4, (uint32_t)size);
        put_le32(p + 52, crc32c(0, p + LOG_RECORD_HEAD, size - LOG_RECORD_HEAD));
        (void)log_record_seal(p, head.salt, &seal);
        p += size;
        n -= size;
    }
}

static void fix_index(uint8_t *p, size_t n)
{
    uint8_t salt[8];
    uint64_t size;

    if (n < LOG_TRAILER_SIZE)
        return;
    size = LOG_INDEX_GAP + LOG_FILTER_SIZE + LOG_TRAILER_SIZE +
           (uint64_t)LOG_MARK_SIZE * get_le32(p + n - LOG_TRAILER_SIZE + 32);
    put_le64(salt, head.salt);
    if (size <= n)
        put_le32(p + n - 4, crc32c(crc32c(0, salt, sizeof salt), p + n - size, (size_t)size - 4));
}

static void write_segment(const uint8_t *data, size_t size, unsigned flags)
{
    uint8_t *bytes = malloc(LOG_HEAD_SIZE + size);
    char name[SEGMENT_NAME_MAX];
    int fd;

    CHECK(bytes);
    log_head_put(bytes, &head);
    if (size > 0)
        memcpy(bytes + LOG_HEAD_SIZE, data, size);
    if (flags & FIX_RECORDS)
        fix_records(bytes + LOG_HEAD_SIZE, size);
    if (flags & FIX_INDEX)
        fix_index(bytes + LOG_HEAD_SIZE, size);
    segment_name(1, name);
    fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && file_write(fd, bytes, LOG_HEAD_SIZE + size, 0) == 0);
    (void)close(fd);
    free(bytes);
}

/* A record lies within what was read: a sanitizer sees to it. */
static uint64_t sum(const struct log_item *item)
{
    uint64_t n = strlen(item->record.peer_name) + strlen(item->record.listener);

    for (size_t i = 0; i < item->record.size; i++)
        n += item->record.data[i];
    return n;
}

static size_t read_all(void)
{
    size_t n = 0, n_back = 0;
    uint64_t total = 0;
    struct log_item item;
    struct reader r;
    int result;

    CHECK(reader_open(&r, folder, &READER_SCOPE_ALL) == 0);
    for (; (result = reader_next(&r, &item)) > 0; n++)
        total += sum(&item);
    CHECK(result == 0);
    CHECK(reader_seek_end(&r) == 0);
    for (; (result = reader_previous(&r, &item)) > 0; n_back++)
        total += sum(&item);
    CHECK(result == 0);
    CHECK(n_back > 0 || n == 0 || r.segment.index);
    reader_close(&r);
    return total < UINT64_MAX ? n : 0;
}

static void recover_log(void)
{
    struct store_limits limits = { 65536, UINT64_MAX, 0, UINT64_MAX, false };
    struct recovery recovery;
    struct store store;
    pid_t holder;

    CHECK(store_open(&store, folder, &holder) == 0);
    store_limit(&store, &limits);
    CHECK(recover(&store, NULL, &recovery) == 0);
    store_close(&store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    make_folder();
    write_segment(data + 1, size - 1, data[0]);
    (void)read_all();
    recover_log();
    (void)read_all();
    remove_files();
    return 0;
}
