/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/macros.h"
#include "log/bytes.h"
#include "log/file.h"
#include "record/event-log.h"
#include "record/mirror.h"

#define MS UINT64_C(1000) /* in µs */

#define BACKOFF_FIRST_US (100 * MS)
#define BACKOFF_MAX_US   (1000 * MS)
#define STRAINED_US      (10 * MS)
#define READ_AGAIN_US    (1000 * MS)
#define TELL_EVERY_US    (1000 * MS)
/* After a batch the mirror naps before it asks the committer to wake it. So the committer makes no
 * system call for each sync while messages keep coming. */
#define NAP_US (10 * MS)
/* A sleeper that polls the journal's socket is woken with each entry that journald reads. So while
 * journald works, the mirror pauses, for less time than journald needs for its whole queue. */
#define PAUSE_MIN_US       UINT64_C(100)
#define PAUSE_MAX_US       (2 * MS)
#define PAUSE_PER_PLACE_US 4

/* --- the position ----------------------------------------------------------------------------- */

#define FILE_NAME "mirror"

static const uint8_t magic[8] = "answmir\n"; /* without a NUL */

enum { AT_MAGIC = 0, AT_NUMBER = 8, AT_CRC = 16, FILE_SIZE = 20 };

/* False: there is none, or it is damaged. */
static bool load_position(const struct mirror *m, uint64_t *ret)
{
    uint8_t bytes[FILE_SIZE];

    if (file_read(m->file_fd, bytes, sizeof bytes, 0) < 0 ||
        memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0 ||
        get_le32(bytes + AT_CRC) != crc32c(0, bytes, AT_CRC))
        return false;
    *ret = get_le64(bytes + AT_NUMBER);
    return true;
}

static void save_position(struct mirror *m)
{
    uint64_t number = atomic_load(&m->mirrored);
    uint8_t bytes[FILE_SIZE];
    int r;

    if (number == m->saved)
        return;
    memcpy(bytes + AT_MAGIC, magic, sizeof magic);
    put_le64(bytes + AT_NUMBER, number);
    put_le32(bytes + AT_CRC, crc32c(0, bytes, AT_CRC));
    r = file_write(m->file_fd, bytes, sizeof bytes, 0);
    if (r >= 0)
        m->saved = number;
    else if (!m->save_failed)
        event_log(
            EVENT_NOTICE,
            "the mirror cannot save its position: %s. The next start will send records to the "
            "journal again",
            strerror(-r));
    m->save_failed = r < 0;
}

/* --- start and stop --------------------------------------------------------------------------- */

int mirror_init(struct mirror *m, int dir_fd, uint64_t synced, const char *journal_path)
{
    uint64_t number = 0;
    bool found;

    *m = (struct mirror){ .file_fd = -1, .backoff_us = BACKOFF_FIRST_US };
    mirror_cursor_init(&m->cursor, dir_fd, 0);
    m->sink = sink_journal_new(journal_path);
    if (!m->sink)
        return -ENOMEM;
    m->file_fd = openat(dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (m->file_fd < 0)
        return -errno;
    found = load_position(m, &number);
    /* If the log's segments were deleted, its numbers began again. */
    number = MIN(number, synced);
    m->saved = number;
    atomic_store(&m->mirrored, number);
    m->cursor.next = found ? number + 1 : 0;
    return 0;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

static bool tell_of(struct mirror *m, enum mirror_miss why)
{
    uint64_t n = m->missed[why];

    switch (why) {
    case MISS_REMOVED:
        return event_log(EVENT_MIRROR_MISSED,
                         "retention removed %" PRIu64 " record%s of the log before the journal had "
                         "taken %s",
                         n, plural(n), n == 1 ? "it" : "them");
    case MISS_UNREADABLE:
        return event_log(EVENT_MIRROR_MISSED,
                         "%" PRIu64 " record%s of the log cannot be read, and %s not in the "
                         "journal",
                         n, plural(n), n == 1 ? "is" : "are");
    default:
        return event_log(EVENT_MIRROR_MISSED,
                         "the journal cannot take %" PRIu64 " record%s of the log: %s", n,
                         plural(n), strerror(-m->refused_error));
    }
}

static void tell(struct mirror *m)
{
    for (unsigned why = 0; why < MIRROR_MISSES; why++)
        if (m->missed[why] > 0 && tell_of(m, why))
            m->missed[why] = 0;
}

static bool has_missed(const struct mirror *m)
{
    for (unsigned why = 0; why < MIRROR_MISSES; why++)
        if (m->missed[why] > 0)
            return true;
    return false;
}

void mirror_deinit(struct mirror *m)
{
    tell(m);
    mirror_cursor_deinit(&m->cursor);
    sink_free(STEAL_PTR(m->sink));
    m->file_fd = close_fd(m->file_fd);
}

/* --- records ---------------------------------------------------------------------------------- */

/* Stages what the sink has room for. MIRROR_END: nothing is left to be staged; another
 * mirror_found: something is; or a negative errno. */
static int stage(struct mirror *m, uint64_t synced)
{
    struct mirror_gap gap;
    struct log_item item;
    int r, found = MIRROR_RECORD;

    while (found == MIRROR_RECORD && sink_room(m->sink) > 0) {
        found = mirror_cursor_look(&m->cursor, synced, &item, &gap);
        if (found == MIRROR_RECORD) {
            r = sink_stage(m->sink, &item.record);
            if (r < 0)
                return r;
            mirror_cursor_pass(&m->cursor, &item);
        } else if (found == MIRROR_GAP && m->sink->n_waiting == 0) {
            m->missed[gap.removed ? MISS_REMOVED : MISS_UNREADABLE] += gap.end - m->cursor.next;
            mirror_cursor_skip(&m->cursor, &gap);
            found = MIRROR_RECORD;
        }
    }
    return found;
}

/* Sends what is staged. Returns how many records that were. */
static size_t submit(struct mirror *m)
{
    size_t done = 0;
    int error;

    do {
        done += sink_submit(m->sink, &error);
        if (error < 0) {
            m->missed[MISS_REFUSED]++;
            m->refused_error = error;
        }
    } while (error < 0);
    return done;
}

static uint64_t back_off(struct mirror *m)
{
    uint64_t wait_us = m->backoff_us;

    m->backoff_us = MIN(2 * m->backoff_us, BACKOFF_MAX_US);
    return wait_us;
}

/* The journal's queue is full. If a pause made no room, journald stands still. */
static uint64_t wait_for_room(struct mirror *m, size_t done)
{
    uint64_t pause_us;

    m->places = MAX(m->places, done);
    m->watch = done == 0;
    pause_us = m->places * PAUSE_PER_PLACE_US;
    return m->watch ? MIRROR_NEVER : MIN(MAX(pause_us, PAUSE_MIN_US), PAUSE_MAX_US);
}

static uint64_t copy(struct mirror *m, uint64_t synced)
{
    int found = stage(m, synced);
    size_t done = submit(m);

    /* Between the numbers of staged records is no gap. */
    if (m->cursor.next > 0)
        atomic_store(&m->mirrored, m->cursor.next - 1 - m->sink->n_waiting);
    save_position(m);
    if (done > 0)
        m->backoff_us = BACKOFF_FIRST_US;
    switch (m->sink->state) {
    case SINK_BUSY:
        return wait_for_room(m, done);
    case SINK_STRAINED:
        return STRAINED_US;
    case SINK_AWAY:
        return back_off(m);
    default:
        break;
    }
    if (found < 0)
        return READ_AGAIN_US;
    if (found != MIRROR_END)
        return 0;
    return done > 0 ? NAP_US : MIRROR_NEVER;
}

uint64_t mirror_step(struct mirror *m, uint64_t synced, uint64_t now_us)
{
    uint64_t wait_us;

    m->watch = false;
    if (mirror_waiting(m, synced) == 0)
        wait_us = MIRROR_NEVER;
    else if (m->sink->state == SINK_AWAY && sink_open(m->sink) < 0)
        wait_us = back_off(m);
    else
        wait_us = copy(m, synced);
    if (!has_missed(m))
        return wait_us;
    if (m->tell_next_us <= now_us) {
        tell(m);
        m->tell_next_us = now_us + TELL_EVERY_US;
    }
    return has_missed(m) ? MIN(wait_us, m->tell_next_us - now_us) : wait_us;
}

uint64_t mirror_waiting(const struct mirror *m, uint64_t synced)
{
    uint64_t mirrored = atomic_load(&m->mirrored);

    return synced > mirrored ? synced - mirrored : 0;
}
