/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs real workers in the model of the kernel, with many seeds. */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "drive/crowd.h"
#include "drive/overdue.h"
#include "drive/run.h"
#include "drive/shorten.h"
#include "seed.h"
#include "tls/tls.h"

/* Processor time. A run takes milliseconds, a crowd seconds, and with a sanitizer some times as long. */
#define RUN_ENDS_S   60
#define CROWD_ENDS_S 1800

struct options {
    uint64_t from, seeds;
    double seconds;
    bool shorten, keep_going;
    unsigned crowd;
    struct run_options run;
};

static const char usage[] =
    "simulate [OPTION...]\n"
    "\n"
    "Runs answerd's workers in a model of the kernel, in which chance decides everything, and "
    "looks\n"
    "for what must never be.\n"
    "\n"
    "  --seed=N      this run alone\n"
    "  --from=N      from this seed on (1)\n"
    "  --seeds=N     so many runs (1000)\n"
    "  --seconds=N   for so long instead\n"
    "  --verbose     every call that is made\n"
    "  --shorten     a failing run is made as short as it can be, and then shown\n"
    "  --keep-going  shows all failing runs, and not the first alone\n"
    "  --crowd=N     instead: so many connections that record at once\n"
    "  --log         every run has a record log\n"
    "  --tls         every run has listeners that speak TLS\n"
    "  --canary with a fault that has to be found\n"
    "  --help        this text\n";

static void parse(int argc, char **argv, struct options *o)
{
    static const struct option known[] = {
        { "seed", required_argument, NULL, 's' },
        { "from", required_argument, NULL, 'f' },
        { "seeds", required_argument, NULL, 'n' },
        { "seconds", required_argument, NULL, 't' },
        { "verbose", no_argument, NULL, 'v' },
        { "shorten", no_argument, NULL, 'm' },
        { "keep-going", no_argument, NULL, 'k' },
        { "log", no_argument, NULL, 'l' },
        { "crowd", required_argument, NULL, 'w' },
        { "canary", no_argument, NULL, 'c' },
        { "tls", no_argument, NULL, 'T' },
        { "help", no_argument, NULL, 'h' },
        { 0 },
    };

    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) >= 0;)
        switch (c) {
        case 's':
            o->seeds = 1;
            o->from = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            o->from = strtoull(optarg, NULL, 10);
            break;
        case 'n':
            o->seeds = strtoull(optarg, NULL, 10);
            break;
        case 't':
            o->seconds = strtod(optarg, NULL);
            o->seeds = UINT64_MAX;
            break;
        case 'v':
            o->run.verbose = true;
            break;
        case 'm':
            o->shorten = true;
            break;
        case 'w':
            o->crowd = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'k':
            o->keep_going = true;
            break;
        case 'c':
            o->run.canary = true;
            break;
        case 'l':
            o->run.log = true;
            break;
        case 'T':
            o->run.tls = true;
            break;
        case 'h':
            (void)fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            (void)fputs("try --help\n", stderr);
            exit(2);
        }
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add(struct run_result *sum, const struct run_result *r)
{
    sum->digest += r->digest;
    sum->calls += r->calls;
    sum->turns += r->turns;
    sum->decisions += r->decisions;
    sum->simulated_ns += r->simulated_ns;
    sum->connections += r->connections;
    sum->messages += r->messages;
    sum->replies += r->replies;
    for (int i = 0; i < SIM_FAULTS; i++)
        sum->faults[i] += r->faults[i];
}

static void report(const struct run_result *sum, uint64_t runs, uint64_t repeated, double took)
{
    (void)printf("# %" PRIu64 " runs, %" PRIu64 " of them twice, in %.1f s\n", runs, repeated,
                 took);
    (void)printf("# simulated: %.1f hours, %" PRIu64 " connections, %" PRIu64 " records, %" PRIu64
                 " replies, %" PRIu64 " calls\n",
                 (double)sum->simulated_ns / 3.6e12, sum->connections, sum->messages, sum->replies,
                 sum->calls);
    (void)printf("# digest %016" PRIx64 "\n", sum->digest);
    (void)printf("# %.0f times real time, %.0f records a second\n",
                 (double)sum->simulated_ns / 1e9 / took, (double)sum->messages / took);
    for (int i = 0; i < SIM_FAULTS; i++)
        (void)printf("# %12" PRIu64 " %s\n", sum->faults[i], sim_fault_name((enum sim_fault)i));
}

/* The same seed must give the same run. */
static bool repeats(uint64_t seed, const struct run_options *options,
                    const struct run_result *first)
{
    struct run_result second;

    sim_seed_draw(seed);
    run(options, &second);
    if (memcmp(first, &second, sizeof second) == 0)
        return true;
    (void)printf("seed %" PRIu64 ": the same seed gives another run\n", seed);
    return false;
}

static void fail(const struct options *o, const char *program, uint64_t seed,
                 const struct run_result *r)
{
    (void)printf("seed %" PRIu64 ": %s\n", seed, r->violation);
    (void)printf("    again: %s --seed=%" PRIu64 " --verbose%s%s%s\n", program, seed,
                 o->run.log ? " --log" : "", o->run.tls ? " --tls" : "",
                 o->run.canary ? " --canary" : "");
    if (o->shorten)
        shorten(seed, &o->run);
    (void)fflush(stdout);
}

static int run_crowd(const struct options *o)
{
    struct run_result r = { 0 };
    double began = now();

    overdue_watch("crowd", CROWD_ENDS_S);
    crowd(o->crowd, &o->run, &r);
    if (r.violation[0])
        (void)printf("crowd of %u: %s\n", o->crowd, r.violation);
    (void)printf("# %u connections, %" PRIu64
                 " records, %.2f turns each, %.1f s simulated in %.1f s\n",
                 o->crowd, r.messages, (double)r.turns / o->crowd, (double)r.simulated_ns / 1e9,
                 now() - began);
    return r.violation[0] ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void watch(uint64_t seed)
{
    char what[32];

    (void)snprintf(what, sizeof what, "seed %" PRIu64, seed);
    overdue_watch(what, RUN_ENDS_S);
}

int main(int argc, char **argv)
{
    struct options o = { .from = 1, .seeds = 1000 };
    struct run_result sum = { 0 }, r;
    uint64_t runs = 0, repeated = 0;
    double began;
    bool good = true;
    parse(argc, argv, &o);
    if (o.crowd > 0)
        return run_crowd(&o);
    sim_tls_open();
    began = now();
    for (;
         runs < o.seeds && (good || o.keep_going) && (o.seconds == 0 || now() - began < o.seconds);
         runs++) {
        uint64_t seed = o.from + runs;

        watch(seed);
        memset(&r, 0, sizeof r);
        sim_seed_draw(seed);
        run(&o.run, &r);
        add(&sum, &r);
        if (r.violation[0]) {
            fail(&o, argv[0], seed, &r);
            good = false;
        } else if (seed % 20 == 0) {
            repeated++;
            good = repeats(seed, &o.run, &r);
        }
    }
    report(&sum, runs, repeated, now() - began);
    sim_tls_close();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
