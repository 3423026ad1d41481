/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "log/recovery.h"
#include "record/committer.h"
#include "record/mirror.h"

/*
 * The record log of the process: its folder, and the threads that work for it. The committer writes
 * and syncs. The keeper makes the next segment's file, and removes old segments. The mirror copies
 * synced records to the journal.
 */

#define LOG_SHARE UINT64_MAX

/* What [Log] says. */
struct log_settings {
    char *directory; /* owned by whoever made the settings; NULL: as log_directory() says */
    uint64_t segment_size;
    uint64_t max_use;    /* bytes; 0: a share of the disk */
    uint64_t keep_free;  /* bytes; LOG_SHARE: a share of the disk */
    uint64_t max_age_ms; /* TIMER_NEVER: no limit */
    uint64_t sync_ms;    /* 0: always */
    bool wait;           /* WhenFull=wait */
    bool mirror;         /* Mirror=journal */
};

/* The defaults: all but the numbers is zero. */
void log_settings_default(struct log_settings *settings);

bool log_settings_equal(const struct log_settings *a, const struct log_settings *b);

#define LOG_DIRECTORY LOCALSTATEDIR "/lib/answerd" /* the usual place */

/* $STATE_DIRECTORY, as systemd gives it to a service with StateDirectory=, or the usual place. */
const char *log_directory(const struct log_settings *settings);

struct log_service {
    struct store store;
    struct committer committer;
    struct mirror mirror;
    pthread_t committer_thread, keeper_thread, mirror_thread;
    bool committer_runs, keeper_runs, mirror_runs, mirrors, opened;
    atomic_bool stopping, mirror_stopping;
    const char *journal_path; /* as for sink_journal_new(); borrowed */
    void (*progress)(void);   /* written by the owner; see recover() */
    int notify_fd;            /* eventfd, written to when the log has failed; borrowed */
};

/* Not started. 0 or a negative errno; log_service_deinit() follows in both cases. */
int log_service_init(struct log_service *s, int notify_fd, const char *journal_path);
void log_service_deinit(struct log_service *s);

/* Opens the log, recovers what the last run left, tells the daemon's log of it, and starts the
 * threads. run: see struct log_head. 0; or a negative errno, and `wrong` says what was wrong. Nothing
 * happens where it has been started. */
int log_service_start(struct log_service *s, const struct log_settings *settings, uint64_t run,
                      char *wrong, size_t wrong_size);

/* After all workers have ended: writes what is left, and ends the threads. The mirror has up to a
 * second to catch up. 0; or the negative errno that ended the log. */
int log_service_stop(struct log_service *s);

/* How many records the mirror has not copied yet; 0 without a mirror. For the thread that starts
 * the service. */
uint64_t log_service_unmirrored(const struct log_service *s);

/* The negative errno that ended the log, or 0. From any thread. */
static inline int log_service_error(const struct log_service *s)
{
    return atomic_load(&s->committer.error);
}
