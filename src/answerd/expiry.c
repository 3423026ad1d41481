/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/expiry.h"
#include "base/macros.h"
#include "base/timer.h"
#include "record/event-log.h"

#define HOUR_MS  (UINT64_C(3600) * 1000)
#define WHAT_MAX 40
#define DAY_S    ((time_t)24 * 3600)

/* The expiry of another certificate begins anew. */
struct expiry_told {
    char *name; /* of the section */
    time_t expires;
    unsigned stage;
};

/* How many of the moments for a warning are over. */
static unsigned stage_of(time_t expires, time_t now)
{
    static const time_t days[] = { 30, 7, 1, 0 };
    unsigned stage = 0;

    while (stage < ARRAY_SIZE(days) && now >= expires - days[stage] * DAY_S)
        stage++;
    return stage;
}

static const char *describe(time_t expires, time_t now, char text[static WHAT_MAX])
{
    long long days = (long long)((expires - now) / DAY_S);

    if (now >= expires)
        (void)snprintf(text, WHAT_MAX, "has expired");
    else if (days > 0)
        (void)snprintf(text, WHAT_MAX, "expires in %lld day%s", days, days == 1 ? "" : "s");
    else
        (void)snprintf(text, WHAT_MAX, "expires in less than a day");
    return text;
}

/* False if the event cannot be written now. */
static bool warn(const struct config_tls *tls, const char *file, time_t expires, time_t now)
{
    char date[32] = "", what[WHAT_MAX];
    struct tm tm;

    if (gmtime_r(&expires, &tm))
        (void)strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &tm);
    return event_log(EVENT_TLS_EXPIRES, "[TLS %s]: the certificate in %s %s: %s", tls->name, file,
                     describe(expires, now, what), date);
}

static unsigned stage_told(const struct expiry *e, const char *name, time_t expires)
{
    for (size_t i = 0; i < e->n_told; i++)
        if (e->told[i].expires == expires && e->told[i].name && strcmp(e->told[i].name, name) == 0)
            return e->told[i].stage;
    return 0;
}

void expiry_deinit(struct expiry *e)
{
    for (size_t i = 0; i < e->n_told; i++)
        free(e->told[i].name);
    free(e->told);
    *e = (struct expiry){ .next_ms = TIMER_NEVER };
}

/* Without memory, the name is not found the next time, and the warning is repeated. */
static void look_at(const struct expiry *e, const struct config_tls *tls, time_t now,
                    struct expiry_told *ret)
{
    const char *file;
    time_t expires = tls_server_expires(tls->server, &file);
    unsigned told = stage_told(e, tls->name, expires), stage = stage_of(expires, now);

    if (stage > told && warn(tls, file, expires, now))
        told = stage;
    *ret = (struct expiry_told){ .name = strdup(tls->name), .expires = expires, .stage = told };
}

void expiry_look(struct expiry *e, const struct config *c, time_t now, uint64_t now_ms)
{
    struct expiry new = { .next_ms = c->n_tls > 0 ? now_ms + HOUR_MS : TIMER_NEVER };
    const struct expiry_told *first = NULL;
    char what[WHAT_MAX];

    if (c->n_tls > 0)
        new.told = calloc(c->n_tls, sizeof *new.told);
    for (size_t i = 0; new.told &&i < c->n_tls; i++) {
        struct expiry_told *told = &new.told[new.n_told];

        look_at(e, &c->tls[i], now, told);
        if (!first || told->expires < first->expires)
            first = told;
        new.n_told++;
    }
    if (first && stage_of(first->expires, now) > 0)
        (void)snprintf(new.text, sizeof new.text, "; a certificate %s",
                       describe(first->expires, now, what));
    expiry_deinit(e);
    *e = new;
}
