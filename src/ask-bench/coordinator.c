/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "ask-bench/coordinator.h"
#include "ask-bench/dial.h"
#include "ask-bench/gather.h"
#include "ask-bench/limits.h"
#include "ask-bench/progress.h"
#include "ask-bench/target.h"
#include "ask-bench/worker.h"
#include "base/clock.h"
#include "base/descriptors.h"
#include "base/macros.h"
#include "base/wake.h"
#include "net/tls-client.h"

#define RESERVED_DESCRIPTORS 64 /* standard streams, epoll, timer and so on, of a worker */
#define TICK_NS              UINT64_C(1000000000)
#define STOP_LIMIT_NS        UINT64_C(5000000000) /* for workers to end, after their timeouts */
#define HURRY_LIMIT_NS       UINT64_C(1000000000) /* the same after a second SIGINT */

struct run {
    const struct options *options;
    struct result *result;
    struct message message;
    struct sockaddr_any target;
    struct sources sources;
    struct tls_client *tls;  /* NULL: without TLS */
    struct control *control; /* shared */
    pid_t *pids;             /* 0: has exited */
    uint32_t n_workers;
    int signal_fd, wake_fd, done_fd;
    uint64_t connect_ns; /* when connecting began */
    uint64_t tick_ns;    /* when the next sample is due */
    uint64_t round_ns;   /* --hold: when the next round begins, or the run ends */
    uint64_t kill_ns;    /* when to kill workers that still run */
    struct progress progress;
    struct gather gather;
};

static int complain(const char *what, int error)
{
    (void)fprintf(stderr, "ask-bench: %s: %s\n", what, strerror(-error));
    return error;
}

uint64_t coordinator_reserved_descriptors(void)
{
    return RESERVED_DESCRIPTORS;
}

uint64_t coordinator_usable_descriptors(uint64_t limit)
{
    return limit > 2 * RESERVED_DESCRIPTORS ? limit - RESERVED_DESCRIPTORS : limit / 2;
}

uint32_t coordinator_workers(const struct options *o, uint64_t descriptors)
{
    uint64_t usable = MAX(coordinator_usable_descriptors(descriptors), UINT64_C(1));
    uint64_t needed = DIV_ROUND_UP(o->connections, usable), wanted = o->workers;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    /* The server gets half of the processors. */
    if (wanted == 0)
        wanted = MIN(cpus > 3 ? (uint64_t)cpus / 2 : 1, o->connections);
    if (o->workers == 0 && o->mode == MODE_OPEN)
        wanted = MIN(wanted, o->rate);
    return (uint32_t)MAX(needed, wanted);
}

static void *map_shared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static int init_shared(struct run *run)
{
    run->control = map_shared(sizeof *run->control);
    run->gather.workers = map_shared(run->n_workers * sizeof *run->gather.workers);
    run->gather.n_workers = run->n_workers;
    run->pids = calloc(run->n_workers, sizeof *run->pids);
    if (!run->control || !run->gather.workers || !run->pids)
        return complain("memory", -ENOMEM);
    return 0;
}

static int init_descriptors(struct run *run)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGCHLD);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    run->signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (run->signal_fd < 0)
        return complain("cannot create a signalfd", -errno);
    run->wake_fd = wake_new();
    run->done_fd = wake_new();
    if (run->wake_fd < 0 || run->done_fd < 0)
        return complain("cannot create an eventfd", MIN(run->wake_fd, run->done_fd));
    return 0;
}

/* Checks that this machine has the first and the last source address. Otherwise every connection
 * would fail. */
static int check_sources(const struct run *run)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t number = i == 0 ? 0 : run->sources.count - 1;
        int fd = dial_socket(&run->target, &run->sources, number, false);

        if (fd == -EADDRNOTAVAIL) {
            (void)fprintf(stderr,
                          "ask-bench: --source: the %s address does not belong to this machine\n",
                          i == 0 ? "first" : "last");
            return fd;
        }
        (void)close_fd(fd);
    }
    return 0;
}

static int init(struct run *run)
{
    const struct options *o = run->options;
    struct result *result = run->result;
    struct limits limits;
    int r;

    run->n_workers = coordinator_workers(o, descriptors_raise_limit());
    run->signal_fd = run->wake_fd = run->done_fd = -1;
    run->round_ns = run->kill_ns = UINT64_MAX;
    /* Before the fork: a file that cannot be used is reported once. */
    r = o->tls ? target_prepare_tls(o, &run->tls) : 0;
    if (r >= 0)
        r = target_resolve(o, &run->target);
    if (r < 0)
        return r;
    (void)address_format(&run->target.sa, run->target.size, result->address);
    limits_read("", &limits);
    run->sources = o->sources;
    if (run->sources.count == 0)
        sources_choose(&run->sources, &run->target, o->connections, o->churn, limits.ports);
    result->sources = run->sources.count;
    r = check_sources(run);
    if (r < 0)
        return r;
    r = message_init(&run->message, o->framing, o->text, o->size, (uint32_t)o->pipeline);
    if (r < 0)
        return complain("messages", r);
    result->message_size = run->message.size;
    r = init_shared(run);
    if (r < 0)
        return r;
    return init_descriptors(run);
}

static void deinit(struct run *run)
{
    (void)close_fd(run->signal_fd);
    (void)close_fd(run->wake_fd);
    (void)close_fd(run->done_fd);
    if (run->control)
        (void)munmap(run->control, sizeof *run->control);
    if (run->gather.workers)
        (void)munmap(run->gather.workers, run->n_workers * sizeof *run->gather.workers);
    message_deinit(&run->message);
    tls_client_free(run->tls);
    free(run->pids);
}

/* In the worker's process; does not return. */
static _Noreturn void be_worker(const struct run *run, uint32_t index, pid_t parent)
{
    struct worker_task task = {
        .options = run->options,
        .message = &run->message,
        .target = &run->target,
        .sources = &run->sources,
        .tls = run->tls,
        .control = run->control,
        .stats = &run->gather.workers[index],
        .wake_fd = run->wake_fd,
        .done_fd = run->done_fd,
        .index = index,
        .count = run->n_workers,
    };
    int r;

    /* Die with the coordinator, which may already have exited. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(BENCH_FAILED);
    r = worker_run(&task);
    if (r < 0)
        (void)complain("a worker failed", r);
    _exit(r < 0 ? BENCH_FAILED : BENCH_OK);
}

static void kill_workers(const struct run *run)
{
    for (uint32_t i = 0; i < run->n_workers; i++)
        if (run->pids[i] > 0)
            (void)kill(run->pids[i], SIGKILL);
}

static int start_workers(struct run *run)
{
    pid_t parent = getpid();

    /* Otherwise every worker would write the contents of stdio buffers again. */
    (void)fflush(NULL);
    for (uint32_t i = 0; i < run->n_workers; i++) {
        pid_t pid = fork();

        if (pid < 0) {
            int error = -errno;

            kill_workers(run);
            return complain("cannot start a worker", error);
        }
        if (pid == 0)
            be_worker(run, i, parent);
        run->pids[i] = pid;
    }
    return 0;
}

static void set_step(struct run *run, uint32_t step)
{
    if (run->control->step == STEP_STOP)
        return;
    if (step == STEP_STOP)
        run->kill_ns = clock_ns(CLOCK_MONOTONIC) + STOP_LIMIT_NS;
    __atomic_store_n(&run->control->step, step, __ATOMIC_RELEASE);
    wake(run->wake_fd);
}

/* Whether all living workers have completed the step. */
static bool all_settled(const struct run *run, uint32_t step)
{
    for (uint32_t i = 0; i < run->n_workers; i++)
        if (run->pids[i] > 0 && STAT_GET(run->gather.workers[i].settled) < step)
            return false;
    return true;
}

static uint64_t count_open(const struct run *run)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < run->n_workers; i++)
        n += STAT_GET(run->gather.workers[i].open);
    return n;
}

static uint64_t rounds(const struct options *o)
{
    return MAX(o->messages, UINT64_C(1));
}

/* --hold: spreads the rounds over the duration, from its start to its end. */
static uint64_t round_time(const struct run *run, uint64_t number)
{
    const struct options *o = run->options;
    uint64_t n = rounds(o);
    unsigned __int128 ns;

    if (o->duration_us >= UINT64_MAX / 2000)
        return UINT64_MAX;
    ns = (unsigned __int128)o->duration_us * 1000 * number / (n > 1 ? n - 1 : 1);
    return run->control->start_ns + (uint64_t)ns;
}

static void begin_run(struct run *run, uint64_t now)
{
    const struct options *o = run->options;

    run->control->start_ns = now;
    run->result->connect_seconds = (double)(now - run->connect_ns) / 1e9;
    if (!o->churn && count_open(run) == 0) {
        set_step(run, STEP_STOP);
        return;
    }
    if (o->mode == MODE_HOLD) {
        run->round_ns = round_time(run, 1);
        return;
    }
    gather_begin(&run->gather, now);
    run->tick_ns = now + TICK_NS;
    set_step(run, STEP_RUN);
}

/* Goes to the next step once the present one is complete. */
static void advance(struct run *run, uint64_t now)
{
    uint32_t step = run->control->step;

    if (step == STEP_STOP || !all_settled(run, step))
        return;
    if (run->control->start_ns == 0) {
        begin_run(run, now);
        return;
    }
    if (run->options->mode != MODE_HOLD || now < run->round_ns)
        return;
    /* Step n is the n-th round. After the last round the run ends. */
    if (step >= rounds(run->options)) {
        set_step(run, STEP_STOP);
        return;
    }
    run->round_ns = step + 1 < rounds(run->options) ? round_time(run, step + 1) : 0;
    set_step(run, step + 1);
}

static int add_sample(struct run *run, const struct sample *s)
{
    int r = result_append(run->result, s);

    return r < 0 ? complain("memory", r) : 0;
}

static int tick(struct run *run, uint64_t now)
{
    bool connecting = run->control->start_ns == 0;
    struct sample s;

    if (now < run->tick_ns)
        return 0;
    gather_slice(&run->gather, run->options, now, &s);
    run->tick_ns += TICK_NS * (1 + (now - run->tick_ns) / TICK_NS);
    progress_show(&run->progress, run->options, &s, connecting);
    /* Nothing to measure before the run begins. But with --hold each connection asks as soon as it
     * is made. */
    return connecting && run->options->mode != MODE_HOLD ? 0 : add_sample(run, &s);
}

static void reap(struct run *run)
{
    for (uint32_t i = 0; i < run->n_workers; i++) {
        int status;

        if (run->pids[i] <= 0 || waitpid(run->pids[i], &status, WNOHANG) <= 0)
            continue;
        run->pids[i] = 0;
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            STAT_ADD(run->gather.workers[i].counters.errors[ERROR_WORKER], 1);
    }
}

/* A second SIGINT: stop waiting. */
static void hurry(struct run *run)
{
    run->kill_ns = MIN(run->kill_ns, clock_ns(CLOCK_MONOTONIC) + HURRY_LIMIT_NS);
    STAT_SET(run->control->hurry, 1);
    wake(run->wake_fd);
}

static void take_signals(struct run *run)
{
    struct signalfd_siginfo info;

    while (read(run->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            continue;
        if (run->result->interrupted)
            hurry(run);
        else
            run->result->signal = (int)info.ssi_signo;
        run->result->interrupted = true;
        set_step(run, STEP_STOP);
    }
    reap(run);
}

/* The latest end of a timed run: a guard against a worker that hangs. */
static uint64_t give_up_time(const struct run *run)
{
    const struct options *o = run->options;

    if (run->kill_ns != UINT64_MAX || run->control->start_ns == 0 || o->mode == MODE_HOLD ||
        o->duration_us >= UINT64_MAX / 8000 || o->timeout_us >= UINT64_MAX / 8000)
        return run->kill_ns;
    return run->control->start_ns + (o->duration_us + 2 * o->timeout_us) * 1000 + STOP_LIMIT_NS;
}

static int wait_for_news(struct run *run, uint64_t now)
{
    struct pollfd fds[] = {
        { .fd = run->signal_fd, .events = POLLIN },
        { .fd = run->done_fd, .events = POLLIN },
    };
    uint64_t until = MIN(run->tick_ns, give_up_time(run)), wait;

    if (run->control->start_ns != 0 && all_settled(run, run->control->step))
        until = MIN(until, run->round_ns);
    wait = until > now ? DIV_ROUND_UP(until - now, UINT64_C(1000000)) : 0;
    if (poll(fds, ARRAY_SIZE(fds), (int)MIN(wait, UINT64_C(1000))) < 0 && errno != EINTR)
        return complain("poll", -errno);
    if (fds[1].revents)
        wake_clear(run->done_fd);
    take_signals(run);
    return 0;
}

static int lead(struct run *run)
{
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    int r = 0;

    run->connect_ns = now;
    run->tick_ns = now + TICK_NS;
    gather_begin(&run->gather, now);
    set_step(run, STEP_CONNECT);
    /* Only after the workers have exited: the kernel takes seconds to close very many
     * connections. */
    while (!all_settled(run, STEP_STOP) && r >= 0) {
        r = wait_for_news(run, now);
        now = clock_ns(CLOCK_MONOTONIC);
        advance(run, now);
        if (r >= 0)
            r = tick(run, now);
        if (now >= give_up_time(run))
            kill_workers(run);
    }
    progress_end(&run->progress);
    if (r < 0)
        kill_workers(run);
    return r;
}

/* Adds the time after the last whole slice, unless it is so short that its rate would be chance. */
static int finish(struct run *run)
{
    struct result *result = run->result;
    struct sample s;

    gather_slice(&run->gather, run->options, clock_ns(CLOCK_MONOTONIC), &s);
    result->seconds = s.at;
    result->late_max = s.late_max;
    if (s.seconds >= 0.5 || result->n_samples == 0) {
        int r = add_sample(run, &s);

        if (r < 0)
            return r;
    }
    gather_total(&run->gather, result);
    return 0;
}

void coordinator_wait(void)
{
    while (wait(NULL) > 0 || errno == EINTR)
        ;
}

int coordinator_run(const struct options *o, struct result *ret)
{
    struct run *run = calloc(1, sizeof *run);
    int r;

    if (!run)
        return complain("memory", -ENOMEM);
    memset(ret, 0, sizeof *ret);
    ret->options = o;
    ret->started = time(NULL);
    run->options = o;
    run->result = ret;
    r = init(run);
    progress_init(&run->progress, o);
    if (r >= 0)
        r = start_workers(run);
    if (r >= 0)
        r = lead(run);
    if (r >= 0)
        r = finish(run);
    deinit(run);
    free(run);
    return r;
}
