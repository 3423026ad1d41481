/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answerd/refusal.h"
#include "answerd/service.h"
#include "answerd/signals.h"
#include "base/clock.h"
#include "base/format.h"
#include "base/parse.h"

#define HOLD_US  (UINT64_C(60) * 1000000) /* less than TimeoutStartSec= of the unit */
#define LOOK_NS  (250 * 1000000)
#define TEXT_MAX 4096

/* See systemd.exec(5). Takes the first of several folders. False if there is none. */
static bool file_name(char path[static PATH_MAX])
{
    const char *folder = getenv("RUNTIME_DIRECTORY");

    if (!folder || !*folder)
        return false;
    (void)snprintf(path, PATH_MAX, "%.*s/refused", (int)strcspn(folder, ":"), folder);
    return true;
}

/* A clock that runs while the machine sleeps. The folder vanishes when it boots. */
static bool repeated(const char *path, const char *why)
{
    char first[FORMAT_U64_MAX + 2], text[TEXT_MAX] = "";
    uint64_t then = 0;
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f)
        return false;
    if (fgets(first, sizeof first, f)) {
        first[strcspn(first, "\n")] = '\0';
        n = parse_u64(first, &then) == 0 ? fread(text, 1, sizeof text - 1, f) : 0;
        text[n] = '\0';
    }
    (void)fclose(f);
    return clock_us(CLOCK_BOOTTIME) - then < HOLD_US && strncmp(text, why, sizeof text - 1) == 0;
}

static void remember(const char *path, const char *why)
{
    FILE *f = fopen(path, "we");

    if (!f)
        return;
    (void)fprintf(f, "%" PRIu64 "\n%s", clock_us(CLOCK_BOOTTIME), why);
    (void)fclose(f);
}

enum refusal refusal_wait(const char *why)
{
    const struct timespec moment = { .tv_nsec = LOOK_NS };
    char path[PATH_MAX];
    sigset_t signals = signals_awaited();
    int number;

    if (!file_name(path))
        return REFUSAL_SAY;
    if (!repeated(path, why)) {
        remember(path, why);
        return REFUSAL_SAY;
    }
    /* They stay blocked, as while the daemon runs: no signal may kill the process now. */
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    service_notify("STATUS=Cannot start yet: %.*s", (int)strcspn(why, "\n"), why);
    number = sigtimedwait(&signals, NULL, &moment);
    if (number != SIGTERM && number != SIGINT)
        return REFUSAL_AGAIN;
    refusal_forget();
    return REFUSAL_ENDED;
}

void refusal_forget(void)
{
    char path[PATH_MAX];

    if (file_name(path))
        (void)unlink(path);
}
