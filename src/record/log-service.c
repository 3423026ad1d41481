/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/timer.h"
#include "base/wake.h"
#include "record/event-log.h"
#include "record/log-service.h"

/* As journald has it: a tenth of the disk, a seventh free, neither above 4 GiB. */
#define MAX_USE_SHARE   10
#define KEEP_FREE_SHARE 7
#define SHARE_MAX       (UINT64_C(4) << 30)

/* For MaxAge=, and for room on the disk, which nothing announces. */
#define KEEP_AGAIN_MS 60000
#define NO_ROOM_MS    200
#define TELL_TRIES    100
#define TELL_AGAIN_MS 10
/* How long a stop waits for the mirror. */
#define CATCH_UP_US UINT64_C(1000000)

#define MAX_SEGMENTS                                                                               \
    2 /* so many fit into MaxUse= at least: one that is written to, and the spare */

void log_settings_default(struct log_settings *settings)
{
    *settings = (struct log_settings){
        .segment_size = UINT64_C(64) << 20,
        .keep_free = LOG_SHARE,
        .max_age_ms = TIMER_NEVER,
        .mirror = true,
    };
}

bool log_settings_equal(const struct log_settings *a, const struct log_settings *b)
{
    return strcmp(log_directory(a), log_directory(b)) == 0 && a->segment_size == b->segment_size &&
           a->max_use == b->max_use && a->keep_free == b->keep_free &&
           a->max_age_ms == b->max_age_ms && a->sync_ms == b->sync_ms && a->wait == b->wait &&
           a->mirror == b->mirror;
}

const char *log_directory(const struct log_settings *settings)
{
    const char *state = getenv("STATE_DIRECTORY");

    if (settings->directory)
        return settings->directory;
    /* Several are separated by colons (systemd.exec(5)): the unit has one. */
    return state && !strchr(state, ':') ? state : LOG_DIRECTORY;
}

int log_service_init(struct log_service *s, int notify_fd, const char *journal_path)
{
    *s = (struct log_service){ .notify_fd = notify_fd, .journal_path = journal_path };
    return committer_init(&s->committer);
}

void log_service_deinit(struct log_service *s)
{
    (void)log_service_stop(s);
    committer_deinit(&s->committer);
}

/* Until wake(), or the time is over. */
static void wait_for(int fd, int ms)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    if (poll(&p, 1, ms) > 0)
        wake_clear(fd);
}

/* --- threads ---------------------------------------------------------------------------------- */

/* A journal that is full drops an event. This one is worth a second of trying: the mirror may fill
 * the journal. */
static void tell_failure(const struct log_service *s)
{
    for (unsigned i = 0; i < TELL_TRIES; i++) {
        if (event_log(EVENT_LOG_FAILED,
                      "the log cannot be written: %s. Nothing more is answered, and the service "
                      "ends",
                      strerror(-log_service_error(s))))
            return;
        wait_for(s->committer.wake_fd, TELL_AGAIN_MS);
    }
}

static void *run_committer(void *userdata)
{
    struct log_service *s = userdata;
    struct committer *c = &s->committer;

    while (!atomic_load(&s->stopping)) {
        uint64_t wait_us = committer_step(c);

        if (atomic_load(&c->error) < 0)
            break;
        if (wait_us > 0 && !atomic_load_explicit(&c->arrived, memory_order_relaxed))
            wait_for(c->wake_fd,
                     wait_us == COMMITTER_NEVER
                         ? -1
                         : (int)MIN(DIV_ROUND_UP(wait_us, UINT64_C(1000)), (uint64_t)INT32_MAX));
    }
    if (atomic_load(&c->error) < 0) {
        tell_failure(s);
        wake(s->notify_fd);
    }
    return NULL;
}

/* Once for each segment. A journal that is full drops it: then it is logged with the next attempt. */
static void tell_kept(const struct store *store, uint64_t *told)
{
    char name[SEGMENT_NAME_MAX];

    if (store->kept == *told)
        return;
    segment_name(store->kept, name);
    if (event_log(EVENT_NOTICE,
                  "the log's segment %s cannot be removed: %s. It stays until the next start", name,
                  strerror(-store->kept_error)))
        *told = store->kept;
}

static bool tell_error(int error)
{
    if (!store_has_no_room(error))
        return event_log(EVENT_NOTICE, "the log's next segment cannot be made: %s",
                         strerror(-error));
    return event_log(EVENT_LOG_NO_ROOM, "the log has no room: %s",
                     error == STORE_LIMITED ? "MaxUse= or KeepFree= is reached" : strerror(-error));
}

static void *run_keeper(void *userdata)
{
    struct log_service *s = userdata;
    uint64_t told_kept = 0;
    int told = 0; /* the error */

    while (!atomic_load(&s->stopping)) {
        int r = store_keep(&s->store, clock_us(CLOCK_REALTIME));

        /* A journal that is full drops it: then it is logged with the next attempt. */
        if (r == 0)
            told = 0;
        else if (r < 0 && r != -EAGAIN && r != told && tell_error(r))
            told = r;
        tell_kept(&s->store, &told_kept);
        if (r > 0)
            wake(s->committer.wake_fd);
        else
            wait_for(s->committer.keep_fd, r < 0 ? NO_ROOM_MS : KEEP_AGAIN_MS);
    }
    return NULL;
}

/* Until the committer or a stop wakes the mirror, the time is over, or, if the mirror watches for
 * it, the journal has room. */
static void mirror_sleeps(struct log_service *s, uint64_t wait_us)
{
    struct pollfd p[] = {
        { .fd = s->committer.synced_fd, .events = POLLIN },
        { .fd = s->mirror.watch ? s->mirror.sink->fd : -1, .events = POLLOUT },
    };
    struct timespec t = {
        .tv_sec = (time_t)(wait_us / 1000000),
        .tv_nsec = (long)(wait_us % 1000000 * 1000),
    };

    if (ppoll(p, ARRAY_SIZE(p), wait_us == MIRROR_NEVER ? NULL : &t, NULL) > 0 && p[0].revents)
        wake_clear(p[0].fd);
}

static void *run_mirror(void *userdata)
{
    struct log_service *s = userdata;
    struct mirror *m = &s->mirror;
    uint64_t until_us = MIRROR_NEVER;

    for (;;) {
        bool stopping = atomic_load(&s->mirror_stopping);
        uint64_t synced = committer_synced(&s->committer), now_us = clock_us(CLOCK_MONOTONIC),
                 wait_us = mirror_step(m, synced, now_us);

        if (stopping) {
            until_us = MIN(until_us, now_us + CATCH_UP_US);
            if (mirror_waiting(m, synced) == 0 || m->sink->state == SINK_AWAY || now_us >= until_us)
                break;
            wait_us = MIN(wait_us, until_us - now_us);
        }
        if (wait_us < MIRROR_NEVER || m->watch || committer_watch(&s->committer, synced))
            mirror_sleeps(s, wait_us);
    }
    return NULL;
}

static int start_thread(pthread_t *ret, void *(*run)(void *), struct log_service *s,
                        const char *name)
{
    sigset_t all, before;
    int r;

    /* Signals are for the main thread. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = pthread_create(ret, NULL, run, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        (void)pthread_setname_np(*ret, name);
    return -r;
}

/* --- start and stop --------------------------------------------------------------------------- */

static uint64_t share(uint64_t bytes, uint64_t part, uint64_t segment_size)
{
    return MAX(MIN(bytes / part, SHARE_MAX), MAX_SEGMENTS * segment_size);
}

static struct store_limits limits(const struct log_settings *settings, const struct statvfs *vfs)
{
    uint64_t disk = (uint64_t)vfs->f_blocks * vfs->f_frsize, size = settings->segment_size;

    return (struct store_limits){
        .segment_size = size,
        .max_use = settings->max_use ?: share(disk, MAX_USE_SHARE, size),
        .keep_free = settings->keep_free != LOG_SHARE ? settings->keep_free
                                                      : MIN(disk / KEEP_FREE_SHARE, SHARE_MAX),
        .max_age_us =
            settings->max_age_ms == TIMER_NEVER ? UINT64_MAX : settings->max_age_ms * 1000,
        .wait = settings->wait,
    };
}

/* In one event: a second one of its kind would be suppressed. */
static void tell_damage(const struct recovery *rec, const char *directory)
{
    char segments[96] = "", records[64] = "";

    if (rec->n_bad == 1)
        (void)snprintf(segments, sizeof segments, "segment %" PRIu64, rec->bad_segment);
    else if (rec->n_bad > 1)
        (void)snprintf(segments, sizeof segments, "%" PRIu64 " segments, the first is %" PRIu64 ",",
                       rec->n_bad, rec->bad_segment);
    if (rec->n_damaged > 0)
        (void)snprintf(records, sizeof records, "%" PRIu64 " record%s", rec->n_damaged,
                       rec->n_damaged == 1 ? "" : "s");
    if (segments[0] || records[0])
        event_log(EVENT_LOG_DAMAGED, "the log %s is damaged: %s%s%s cannot be read", directory,
                  segments, segments[0] && records[0] ? " and " : "", records);
}

static void tell(const struct recovery *rec, const char *directory)
{
    if (rec->n_recovered > 0 || rec->n_cut > 0)
        event_log(EVENT_LOG_RECOVERED,
                  "recovered the log %s after a crash: %" PRIu64
                  " record%s kept in its last segment, %" PRIu64
                  " byte%s of unfinished ones cut off; the next record is number %" PRIu64,
                  directory, rec->n_recovered, rec->n_recovered == 1 ? "" : "s", rec->n_cut,
                  rec->n_cut == 1 ? "" : "s", rec->next_number);
    tell_damage(rec, directory);
}

/* serial: the segment that the error is about; 0: it is about none. */
static void say_what_failed(const char *directory, uint64_t serial, int error, char *wrong,
                            size_t wrong_size)
{
    char name[SEGMENT_NAME_MAX] = "";

    if (serial > 0)
        segment_name(serial, name);
    (void)snprintf(wrong, wrong_size, "the log %s%s%s: %s", directory, serial > 0 ? "/" : "", name,
                   strerror(-error));
}

static int open_log(struct log_service *s, const struct log_settings *settings, uint64_t run,
                    char *wrong, size_t wrong_size)
{
    const char *directory = log_directory(settings);
    struct recovery rec = { 0 };
    struct statvfs vfs;
    pid_t holder;
    int r;

    r = store_open(&s->store, directory, &holder);
    s->opened = true;
    if (r == -EWOULDBLOCK) {
        (void)snprintf(wrong, wrong_size, "the log %s is in use by process %d", directory,
                       (int)holder);
        return r;
    }
    if (r >= 0 && fstatvfs(s->store.dir_fd, &vfs) < 0)
        r = -errno;
    if (r >= 0) {
        struct store_limits l = limits(settings, &vfs);

        store_limit(&s->store, &l);
        r = recover(&s->store, s->progress, &rec);
    }
    if (r < 0) {
        say_what_failed(directory, rec.failed, r, wrong, wrong_size);
        return r;
    }
    tell(&rec, directory);
    if (settings->mirror) {
        s->mirrors = true;
        r = mirror_init(&s->mirror, s->store.dir_fd, rec.next_number - 1, s->journal_path);
    }
    if (r < 0) {
        (void)snprintf(wrong, wrong_size, "the mirror of the log %s: %s", directory, strerror(-r));
        return r;
    }
    writer_init(&s->committer.writer, &s->store, run, rec.next_serial, rec.next_number);
    committer_open(&s->committer, settings->sync_ms * 1000);
    return 0;
}

static int start_threads(struct log_service *s)
{
    int r = start_thread(&s->keeper_thread, run_keeper, s, "log-keeper");

    s->keeper_runs = r == 0;
    if (r < 0)
        return r;
    r = start_thread(&s->committer_thread, run_committer, s, "log-committer");
    s->committer_runs = r == 0;
    if (r < 0 || !s->mirrors)
        return r;
    r = start_thread(&s->mirror_thread, run_mirror, s, "log-mirror");
    s->mirror_runs = r == 0;
    return r;
}

int log_service_start(struct log_service *s, const struct log_settings *settings, uint64_t run,
                      char *wrong, size_t wrong_size)
{
    int r;

    if (s->opened)
        return 0;
    r = open_log(s, settings, run, wrong, wrong_size);
    if (r < 0) {
        (void)log_service_stop(s);
        return r;
    }
    r = start_threads(s);
    if (r < 0) {
        (void)snprintf(wrong, wrong_size, "a thread of the log cannot start: %s", strerror(-r));
        (void)log_service_stop(s);
    }
    return r;
}

uint64_t log_service_unmirrored(const struct log_service *s)
{
    return s->mirror_runs ? mirror_waiting(&s->mirror, committer_synced(&s->committer)) : 0;
}

/* Last, since the committer's last records are for the mirror, too. */
static void stop_mirror(struct log_service *s)
{
    atomic_store(&s->mirror_stopping, true);
    wake(s->committer.synced_fd);
    if (s->mirror_runs)
        (void)pthread_join(s->mirror_thread, NULL);
    if (s->mirrors)
        mirror_deinit(&s->mirror);
    s->mirror_runs = s->mirrors = false;
    atomic_store(&s->mirror_stopping, false);
}

int log_service_stop(struct log_service *s)
{
    int r;

    if (!s->opened)
        return 0;
    atomic_store(&s->stopping, true);
    store_stop(&s->store);
    wake(s->committer.wake_fd);
    wake(s->committer.keep_fd);
    if (s->committer_runs)
        (void)pthread_join(s->committer_thread, NULL);
    if (s->keeper_runs)
        (void)pthread_join(s->keeper_thread, NULL);
    r = committer_close(&s->committer);
    stop_mirror(s);
    store_close(&s->store);
    s->committer_runs = s->keeper_runs = s->opened = false;
    atomic_store(&s->stopping, false);
    return log_service_error(s) ?: r;
}
