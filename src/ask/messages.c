/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "ask/modes.h"
#include "base/macros.h"

/* One run over the messages. */
struct run {
    struct exchange *exchange;
    int signal_fd;    /* -1: Ctrl-C just ends the process */
    bool interrupted; /* Ctrl-C ended the run */
    uint64_t due_us;  /* when the next message is due */
};

/* With repetition, Ctrl-C ends the run and the summary is still shown. */
static int catch_interrupt(struct run *run)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (run->signal_fd < 0)
        return exchange_fail(run->exchange, STATUS_SYSTEM, "signalfd: %s", strerror(errno));
    return 0;
}

/* 0, or -1 if the run is over. */
static int wait_until(struct run *run, uint64_t until_us)
{
    struct pollfd signal = { .fd = run->signal_fd, .events = POLLIN };
    int r = exchange_wait(run->exchange, &signal, 1, until_us);

    if (signal.revents != 0)
        run->interrupted = true;
    return r < 0 || run->interrupted ? -1 : 0;
}

static int ask_one(struct run *run, const char *message)
{
    struct exchange *e = run->exchange;
    uint64_t interval = e->options->interval_us;

    if (interval > 0) {
        while (exchange_now() < run->due_us)
            if (wait_until(run, run->due_us) < 0)
                return -1;
        if (__builtin_add_overflow(exchange_now(), interval, &run->due_us))
            run->due_us = EXCHANGE_FOREVER;
    }
    if (exchange_send(e, message, strlen(message)) < 0)
        return -1;
    while (e->pending.count > 0)
        if (wait_until(run, EXCHANGE_FOREVER) < 0)
            return -1;
    return 0;
}

static void ask_rounds(struct run *run)
{
    const struct options *o = run->exchange->options;
    uint64_t rounds = o->repeat ? o->count : 1;

    for (uint64_t round = 0; rounds == COUNT_ENDLESS || round < rounds; round++)
        for (size_t i = 0; i < o->n_messages; i++)
            if (ask_one(run, o->messages[i]) < 0)
                return;
    while (exchange_suspects(run->exchange))
        if (wait_until(run, EXCHANGE_FOREVER) < 0)
            return;
}

/* ms */
static double percentile(const struct rtt *rtt, double percent)
{
    return (double)histogram_percentile(&rtt->times, percent) / 1000;
}

/* On stderr: stdout is for replies. */
static void summarize(const struct exchange *e, uint64_t us)
{
    uint64_t lost = e->sent - e->answered;
    const struct rtt *rtt = &e->rtt;

    (void)fprintf(stderr, "--- %s ---\n", e->options->address_text);
    (void)fprintf(
        stderr, "%" PRIu64 " sent, %" PRIu64 " answered, %.4g%% loss, time %" PRIu64 "ms\n",
        e->sent, e->answered, e->sent > 0 ? 100.0 * (double)lost / (double)e->sent : 0, us / 1000);
    if (rtt->count == 0)
        return;
    (void)fprintf(stderr, "rtt min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n",
                  (double)rtt->min / 1000, rtt->mean / 1000, (double)rtt->times.max / 1000,
                  rtt_deviation(rtt) / 1000);
    (void)fprintf(stderr, "rtt p50/p90/p99/p99.9 = %.3f/%.3f/%.3f/%.3f ms\n", percentile(rtt, 50),
                  percentile(rtt, 90), percentile(rtt, 99), percentile(rtt, 99.9));
}

void ask_messages(struct exchange *e)
{
    struct run run = { .exchange = e, .signal_fd = -1 };
    uint64_t start = exchange_now();

    if (e->options->repeat && catch_interrupt(&run) < 0)
        return;
    ask_rounds(&run);
    (void)exchange_show(e);
    if (run.interrupted && e->pending.count > 0)
        (void)exchange_fail(e, STATUS_ENDED, "interrupted; unanswered messages: %zu of %" PRIu64,
                            e->pending.count, e->sent);
    if (e->options->repeat)
        summarize(e, exchange_now() - start);
    (void)close_fd(run.signal_fd);
}
