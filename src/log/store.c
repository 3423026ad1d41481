/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/parse.h"
#include "log/file.h"
#include "log/store.h"

#define LOCK     STORE_LOCK
#define SPARE    STORE_SPARE
#define AT_ONCE  ((size_t)1024 * 1024) /* of zeros: the disk is never busy for long with them */
#define PID_SIZE 24

static pid_t holder(int lock_fd)
{
    char text[PID_SIZE] = "";
    uint64_t pid;

    if (file_read_some(lock_fd, text, sizeof text - 1, 0) <= 0)
        return 0;
    text[strcspn(text, "\n")] = '\0';
    return parse_u64(text, &pid) == 0 ? (pid_t)pid : 0;
}

/* The lock is the folder's, which nobody removes by mistake, and it ends with the process. The file
 * only has the process ID: for people, and for the next one's message. */
static int lock(int dir_fd, pid_t *ret_holder)
{
    _cleanup_close_ int fd = openat(dir_fd, LOCK, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    char text[PID_SIZE];

    if (fd < 0)
        return -errno;
    if (flock(dir_fd, LOCK_EX | LOCK_NB) < 0) {
        int error = -errno;

        *ret_holder = holder(fd);
        return error;
    }
    (void)snprintf(text, sizeof text, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)file_write(fd, text, strlen(text), 0);
    return 0;
}

/* After a crash, a new folder is there only if the folder above was synced. Where we may not read that
 * one, somebody else has made ours: systemd, for StateDirectory=. */
static int sync_parent(int dir_fd)
{
    _cleanup_close_ int fd = openat(dir_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES ? 0 : -errno;
    /* Not every file system can sync a folder; one that cannot be written to need not. */
    return fsync(fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -errno;
}

int store_open(struct store *s, const char *directory, pid_t *ret_holder)
{
    int r;

    *ret_holder = 0;
    *s = (struct store){ .dir_fd = -1 };
    (void)pthread_mutex_init(&s->mutex, NULL);
    if (mkdir(directory, 0700) < 0 && errno != EEXIST)
        return -errno;
    s->dir_fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return -errno;
    r = lock(s->dir_fd, ret_holder);
    return r < 0 ? r : sync_parent(s->dir_fd);
}

/* One that was being made when the daemon ended is shorter. */
static bool spare_is_there(const struct store *s)
{
    struct stat st;

    return fstatat(s->dir_fd, SPARE, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (uint64_t)st.st_size == s->limits.segment_size;
}

void store_limit(struct store *s, const struct store_limits *limits)
{
    s->limits = *limits;
    s->has_spare = spare_is_there(s);
}

void store_close(struct store *s)
{
    free(STEAL_PTR(s->segments));
    s->n = 0;
    s->dir_fd = close_fd(s->dir_fd);
    (void)pthread_mutex_destroy(&s->mutex);
}

int store_add(struct store *s, const struct stored *segment)
{
    struct stored *segments;

    (void)pthread_mutex_lock(&s->mutex);
    segments = reallocarray(s->segments, s->n + 1, sizeof *segments);
    if (segments) {
        s->segments = segments;
        segments[s->n++] = *segment;
    }
    s->writing = false;
    (void)pthread_mutex_unlock(&s->mutex);
    return segments ? 0 : -ENOMEM;
}

/* --- retention ------------------------------------------------------------------------------ */

static uint64_t add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Bytes of the complete segments, and of the one that is written to. */
static uint64_t in_use(const struct store *s)
{
    uint64_t use = s->writing ? s->limits.segment_size : 0;

    for (size_t i = 0; i < s->n; i++)
        use = add(use, s->segments[i].size);
    return use;
}

/* The newest segment stays: its numbers tell which one comes next. */
static bool has_removable(const struct store *s)
{
    return s->n > (s->writing ? 0 : 1);
}

static bool fits_max_use(const struct store *s)
{
    return add(in_use(s), s->limits.segment_size) <= s->limits.max_use ||
           (!s->writing && s->n <= 1);
}

/* Whether the disk has room for a spare, once so many bytes more are free. */
static bool fits_disk(const struct store *s, uint64_t free_bytes, uint64_t more)
{
    return add(free_bytes, more) >= add(s->limits.keep_free, s->limits.segment_size);
}

/* Whether removing segments makes room: nothing is removed in vain. */
static bool removing_helps(const struct store *s, uint64_t free_bytes)
{
    uint64_t removable = 0;

    for (size_t i = 0; i + (s->writing ? 0 : 1) < s->n; i++)
        removable = add(removable, s->segments[i].size);
    return removable > 0 && (s->has_spare || fits_disk(s, free_bytes, removable));
}

static bool too_old(const struct store *s, uint64_t now_us)
{
    uint64_t age =
        s->n > 0 && now_us > s->segments[0].newest_us ? now_us - s->segments[0].newest_us : 0;

    return age > s->limits.max_age_us;
}

/* What the disk refuses needs no more room than a segment. If that much was removed in vain, more would
 * be too. */
static bool may_relieve(const struct store *s)
{
    return s->pressed && !s->limits.wait && has_removable(s) && s->freed < s->limits.segment_size;
}

enum task { TASK_NONE, TASK_REMOVE, TASK_MAKE, TASK_NO_ROOM };

/* With the mutex held. */
static enum task next_task(const struct store *s, uint64_t free_bytes, uint64_t now_us)
{
    if (has_removable(s) && too_old(s, now_us))
        return TASK_REMOVE;
    if (may_relieve(s))
        return TASK_REMOVE;
    if (fits_max_use(s) && (s->has_spare || fits_disk(s, free_bytes, 0)))
        return s->has_spare ? TASK_NONE : TASK_MAKE;
    if (!s->limits.wait && removing_helps(s, free_bytes))
        return TASK_REMOVE;
    return s->has_spare ? TASK_NONE : TASK_NO_ROOM;
}

static int remove_oldest(struct store *s, const struct stored *oldest)
{
    char name[SEGMENT_NAME_MAX];

    segment_name(oldest->serial, name);
    /* One that cannot be removed is left alone until the next start: it must not hold up the others. */
    if (unlinkat(s->dir_fd, name, 0) < 0 && errno != ENOENT) {
        s->kept_error = -errno;
        s->kept = oldest->serial;
    }
    (void)pthread_mutex_lock(&s->mutex);
    s->removed_to = MAX(s->removed_to, oldest->last);
    s->n--;
    memmove(s->segments, s->segments + 1, s->n * sizeof *s->segments);
    (void)pthread_mutex_unlock(&s->mutex);
    return 1;
}

/* Segments that somebody else has removed. Returns whether there were any. */
static bool forget_removed(struct store *s)
{
    bool some = false;

    for (size_t i = 0;;) {
        struct stored segment = { 0 };
        char name[SEGMENT_NAME_MAX];
        struct stat st;
        bool is_there;

        (void)pthread_mutex_lock(&s->mutex);
        is_there = i < s->n;
        if (is_there)
            segment = s->segments[i];
        (void)pthread_mutex_unlock(&s->mutex);
        if (!is_there)
            return some;
        segment_name(segment.serial, name);
        if (fstatat(s->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT) {
            i++;
            continue;
        }
        some = true;
        (void)pthread_mutex_lock(&s->mutex);
        s->removed_to = MAX(s->removed_to, segment.last);
        s->n--;
        memmove(s->segments + i, s->segments + i + 1, (s->n - i) * sizeof *s->segments);
        (void)pthread_mutex_unlock(&s->mutex);
    }
}

/* With the mutex held. error: as for store_press(). */
static void press(struct store *s, int error)
{
    s->refused = error;
    s->pressed = error < 0;
    if (error == 0)
        s->freed = 0;
}

void store_press(struct store *s, int error)
{
    (void)pthread_mutex_lock(&s->mutex);
    press(s, error);
    (void)pthread_mutex_unlock(&s->mutex);
}

/* --- the spare ------------------------------------------------------------------------------ */

void store_stop(struct store *s)
{
    atomic_store(&s->stopping, true);
}

static int write_zeros(const struct store *s, int fd)
{
    uint64_t size = s->limits.segment_size;
    _cleanup_free_ uint8_t *zeros = calloc(1, AT_ONCE);
    int r = zeros ? 0 : -ENOMEM;

    /* Space that cannot be had is known at once; not every file system can tell (EOPNOTSUPP). */
    if (r == 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 &&
        (errno == ENOSPC || errno == EDQUOT))
        r = -errno;
    for (uint64_t at = 0; r >= 0 && at < size; at += AT_ONCE) {
        r = file_write(fd, zeros, (size_t)MIN(size - at, (uint64_t)AT_ONCE), at);
        if (r >= 0 && fdatasync(fd) < 0)
            r = -errno;
        if (r >= 0 && atomic_load(&s->stopping))
            r = -EAGAIN;
    }
    return r < 0 || fsync(fd) == 0 ? r : -errno;
}

static int make_spare(struct store *s)
{
    _cleanup_close_ int fd =
        openat(s->dir_fd, SPARE, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r = fd < 0 ? -errno : write_zeros(s, fd);

    if (r < 0 && fd >= 0)
        (void)unlinkat(s->dir_fd, SPARE, 0);
    return r;
}

/* The spare is there, or an error keeps it from being made. */
static int spare_made(struct store *s, int r)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->has_spare = r >= 0;
    s->error = r;
    s->pressed = r == -ENOSPC || r == -EDQUOT;
    if (r >= 0)
        s->freed = 0;
    if (may_relieve(s))
        r = 1;
    (void)pthread_mutex_unlock(&s->mutex);
    return r < 0 ? r : 1;
}

/* Returns what is to be done. Then the disk is asked again: it may refuse again. */
static enum task begin_task(struct store *s, uint64_t free_bytes, uint64_t now_us,
                            struct stored *ret_oldest, int *ret_refused)
{
    enum task task;

    (void)pthread_mutex_lock(&s->mutex);
    task = next_task(s, free_bytes, now_us);
    if (task == TASK_REMOVE) {
        *ret_oldest = s->segments[0];
        s->freed = s->pressed ? add(s->freed, s->segments[0].size) : s->freed;
        s->refused = 0;
    }
    s->pressed = false;
    *ret_refused = s->refused;
    (void)pthread_mutex_unlock(&s->mutex);
    return task;
}

int store_keep(struct store *s, uint64_t now_us)
{
    struct stored oldest = { 0 };
    struct statvfs vfs;
    enum task task;
    int refused;

    if (fstatvfs(s->dir_fd, &vfs) < 0) {
        int error = -errno;

        (void)pthread_mutex_lock(&s->mutex);
        s->error = error;
        (void)pthread_mutex_unlock(&s->mutex);
        return error;
    }
    task = begin_task(s, (uint64_t)vfs.f_bavail * vfs.f_frsize, now_us, &oldest, &refused);
    if (task == TASK_NONE)
        return refused;
    if (task == TASK_REMOVE)
        return remove_oldest(s, &oldest);
    if (task == TASK_NO_ROOM && forget_removed(s))
        return 1;
    return spare_made(s, task == TASK_MAKE ? make_spare(s) : STORE_LIMITED);
}

/* Renames a file, and never replaces another one where the file system can do that. */
static int rename_new(int dir_fd, const char *from, const char *to)
{
    if (renameat2(dir_fd, from, dir_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -errno;
    return renameat(dir_fd, from, dir_fd, to) == 0 ? 0 : -errno;
}

/* Gives the spare its name, on the disk too. After an error it is the spare as before, as far as the
 * file system allows. */
static int name_spare(const struct store *s, uint64_t serial)
{
    char name[SEGMENT_NAME_MAX];
    int r;

    segment_name(serial, name);
    r = rename_new(s->dir_fd, SPARE, name);
    if (r < 0 || fsync(s->dir_fd) == 0)
        return r;
    r = -errno;
    (void)rename_new(s->dir_fd, name, SPARE);
    return r;
}

int store_take(struct store *s, uint64_t serial, const struct log_head *head)
{
    _cleanup_close_ int fd = -EBADF;
    uint8_t bytes[LOG_HEAD_SIZE];
    bool ready;
    int r;

    (void)pthread_mutex_lock(&s->mutex);
    ready = s->has_spare;
    r = s->error ?: -EAGAIN;
    (void)pthread_mutex_unlock(&s->mutex);
    if (!ready)
        return r;
    log_head_put(bytes, head);
    fd = openat(s->dir_fd, SPARE, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    r = fd < 0 ? -errno : file_write(fd, bytes, sizeof bytes, 0);
    /* Its name, and its head, are on the disk before its first record is. */
    if (r >= 0 && fdatasync(fd) < 0)
        r = -errno;
    if (r >= 0)
        r = name_spare(s, serial);
    ready = r < 0 && spare_is_there(s);
    (void)pthread_mutex_lock(&s->mutex);
    s->has_spare = ready;
    if (r >= 0) {
        s->writing = true;
        s->error = 0;
        press(s, 0);
    } else if (store_has_no_room(r)) {
        press(s, r);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (r < 0)
        return r == -ENOENT ? -EAGAIN
                            : r; /* somebody has removed it: the keeper makes another one */
    return STEAL_FD(fd);
}
