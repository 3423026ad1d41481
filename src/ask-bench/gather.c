/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "ask-bench/gather.h"
#include "base/macros.h"

static struct counters sum_counters(const struct gather *g)
{
    struct counters sum = { 0 };

    for (uint32_t i = 0; i < g->n_workers; i++)
        counters_add(&sum, &g->workers[i].counters);
    return sum;
}

static void sum_latency(const struct gather *g, struct histogram *ret)
{
    memset(ret, 0, sizeof *ret);
    for (uint32_t i = 0; i < g->n_workers; i++)
        histogram_add(ret, &g->workers[i].latency);
}

void gather_begin(struct gather *g, uint64_t now_ns)
{
    g->begin_ns = g->last_ns = now_ns;
    g->base = g->last = sum_counters(g);
    sum_latency(g, &g->before);
}

static uint64_t take_late_max(struct worker_stats *s)
{
    return __atomic_exchange_n(&s->late_max_ns, 0, __ATOMIC_RELAXED);
}

void gather_slice(struct gather *g, const struct options *o, uint64_t now_ns, struct sample *ret)
{
    struct counters now = sum_counters(g);

    *ret = (struct sample){
        .at = (double)(now_ns - g->begin_ns) / 1e9,
        .seconds = (double)MAX(now_ns - g->last_ns, UINT64_C(1)) / 1e9,
        .delta = counters_difference(&now, &g->last),
    };
    for (uint32_t i = 0; i < g->n_workers; i++) {
        ret->connections += STAT_GET(g->workers[i].open);
        ret->late_max = MAX(ret->late_max, take_late_max(&g->workers[i]));
    }
    sum_latency(g, &g->now);
    histogram_difference(&g->now, &g->before, &g->slice);
    ret->p50 = histogram_percentile(&g->slice, 50);
    ret->p99 = histogram_percentile(&g->slice, 99);
    ret->p999 = histogram_percentile(&g->slice, 99.9);
    ret->max = g->slice.max;
    ret->behind = sample_behind(o, g->n_workers, ret);
    g->before = g->now;
    g->last = now;
    g->last_ns = now_ns;
}

void gather_total(const struct gather *g, struct result *ret)
{
    struct counters all = sum_counters(g);
    uint64_t connects = all.connects, resumed = all.resumed, last_reply = 0;

    ret->total = counters_difference(&all, &g->base);
    ret->total.connects = connects;
    ret->total.resumed = resumed;
    memcpy(ret->total.errors, all.errors, sizeof all.errors);
    ret->workers = g->n_workers;
    sum_latency(g, &ret->latency);
    for (uint32_t i = 0; i < g->n_workers; i++) {
        const struct worker_stats *s = &g->workers[i];

        ret->connections += STAT_GET(s->peak);
        ret->planned += STAT_GET(s->planned);
        ret->cpu_ns += STAT_GET(s->cpu_ns);
        last_reply = MAX(last_reply, STAT_GET(s->last_reply_ns));
        histogram_add(&ret->connect, &s->connect);
        if (!ret->tls_error[0])
            memcpy(ret->tls_error, s->tls_error, sizeof ret->tls_error - 1);
    }
    for (size_t i = 0; i < ret->n_samples; i++)
        ret->late_max = MAX(ret->late_max, ret->samples[i].late_max);
    if (last_reply > g->begin_ns)
        ret->seconds = (double)(last_reply - g->begin_ns) / 1e9;
}
