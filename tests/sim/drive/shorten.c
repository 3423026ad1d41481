/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../seed.h"
#include "shorten.h"

struct list {
    uint32_t *decisions;
    size_t n;
};

static const struct run_options *options;
static char kind[24]; /* the start of the violation's text, without its numbers */

/* The text of a violation without its numbers. */
static void kind_of(const char *violation, char *ret, size_t size)
{
    size_t n = 0;

    for (; *violation && n + 1 < size; violation++)
        if (*violation < '0' || *violation > '9')
            ret[n++] = *violation;
    ret[n] = '\0';
}

static bool fails(const struct list *l)
{
    static struct run_result r;
    char this[sizeof kind];

    sim_seed_replay(l->decisions, l->n);
    run(&(struct run_options){ .canary = options->canary,
                               .log = options->log,
                               .tls = options->tls },
        &r);
    kind_of(r.violation, this, sizeof this);
    return r.violation[0] && strcmp(this, kind) == 0;
}

/* Tries the run without n decisions from `at` on, or with those set to 0. */
static bool try(struct list *l, size_t at, size_t n, bool zero)
{
    struct list other = { malloc((l->n + 1) * sizeof(uint32_t)), l->n };
    bool good;

    memcpy(other.decisions, l->decisions, l->n * sizeof(uint32_t));
    if (zero) {
        memset(other.decisions + at, 0, n * sizeof(uint32_t));
    } else {
        memmove(other.decisions + at, other.decisions + at + n, (l->n - at - n) * sizeof(uint32_t));
        other.n -= n;
    }
    good = memcmp(other.decisions, l->decisions, other.n * sizeof(uint32_t)) != 0 || !zero;
    good = good && fails(&other);
    if (good) {
        free(l->decisions);
        *l = other;
    } else {
        free(other.decisions);
    }
    return good;
}

static void pass(struct list *l, size_t step, bool zero)
{
    for (size_t at = 0; at < l->n;) {
        size_t n = step < l->n - at ? step : l->n - at;

        if (!try(l, at, n, zero) || zero)
            at += n;
    }
}

void shorten(uint64_t seed, const struct run_options *o)
{
    static struct run_result r;
    const uint32_t *kept;
    struct list l;

    options = o;
    sim_seed_keep(true);
    sim_seed_draw(seed);
    run(&(struct run_options){ .canary = o->canary }, &r);
    kept = sim_seed_kept(&l.n);
    l.decisions = malloc((l.n + 1) * sizeof *kept);
    memcpy(l.decisions, kept, l.n * sizeof *kept);
    sim_seed_keep(false);
    kind_of(r.violation, kind, sizeof kind);
    while (l.n > 1 && try(&l, l.n / 2, l.n - l.n / 2, false))
        ;
    for (size_t step = l.n / 4 + 1; step > 16; step = step / 4) {
        pass(&l, step, false);
        pass(&l, step, true);
    }
    (void)printf("    %zu decisions are enough:\n", l.n);
    sim_seed_replay(l.decisions, l.n);
    run(&(struct run_options){ .verbose = true, .canary = o->canary }, &r);
    free(l.decisions);
}
