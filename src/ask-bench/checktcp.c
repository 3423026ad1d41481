/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdarg.h>

#include "ask-bench/checktcp.h"
#include "ask-bench/coordinator.h"
#include "ask-bench/format.h"
#include "ask-bench/target.h"
#include "ask-bench/worker.h"
#include "base/macros.h"

/* Kernel memory for one end of an idle connection: socket, file, inode, epoll entry, port. Both
 * ends of a loopback connection take 9.4 KiB on Linux 6.x (slabinfo before and after). */
#define BYTES_PER_END     (5 * UINT64_C(1024))
#define BYTES_PER_CLIENT  UINT64_C(128)
#define BYTES_PER_WORKER  (UINT64_C(4) * 1024 * 1024)
#define BACKLOG_NEEDED    128 /* connection attempts that ask-bench has in flight */
#define PORTS_MOST        (65535 - 1024 + 1)
#define FILES_OF_OTHERS   1000
#define TIME_WAIT_SECONDS 60

static void _printf_(2, 3) say(char text[static CHECK_TEXT_MAX], const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, CHECK_TEXT_MAX, format, args);
    va_end(args);
}

static uint64_t ends(const struct demand *d)
{
    return d->connections * (d->local ? 2 : 1);
}

static bool check_descriptors(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t each = DIV_ROUND_UP(d->connections, d->workers),
             needed = each + MIN(each, coordinator_reserved_descriptors());

    if (l->descriptors == LIMIT_UNKNOWN)
        return false;
    c->name = "descriptors";
    c->stops = l->descriptors < needed;
    say(c->text,
        "RLIMIT_NOFILE is %" PRIu64 " (fs.nr_open %" PRIu64 "); %" PRIu64
        " needed by each of %" PRIu64 " worker%s",
        l->descriptors, l->nr_open, needed, d->workers, d->workers == 1 ? "" : "s");
    if (l->nr_open < needed)
        say(c->lift, "sysctl -w fs.nr_open=%" PRIu64 " && ulimit -Hn %" PRIu64, needed, needed);
    else
        say(c->lift, "ulimit -Hn %" PRIu64, needed);
    return true;
}

static bool check_processes(const struct demand *d, const struct limits *l, struct check *c)
{
    if (l->processes == LIMIT_UNKNOWN)
        return false;
    c->name = "processes";
    c->stops = l->processes < d->workers + 1;
    say(c->text, "RLIMIT_NPROC is %" PRIu64 "; %" PRIu64 " needed", l->processes, d->workers + 1);
    say(c->lift, "ulimit -u %" PRIu64 "  (or a higher RLIMIT_NOFILE, for fewer workers)",
        d->workers + 100);
    return true;
}

static bool check_files(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed = ends(d) + FILES_OF_OTHERS;

    if (l->files == LIMIT_UNKNOWN || l->files_used == LIMIT_UNKNOWN)
        return false;
    needed += l->files_used;
    c->name = "open files";
    c->stops = l->files < needed;
    say(c->text, "fs.file-max is %" PRIu64 "; %" PRIu64 " needed with the %" PRIu64 " in use",
        l->files, needed, l->files_used);
    say(c->lift, "sysctl -w fs.file-max=%" PRIu64, needed);
    return true;
}

/* Suggests more ports if they are enough, else more addresses. */
static bool check_ports(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed = DIV_ROUND_UP(d->ports, d->sources);

    if (!d->tcp || l->ports == LIMIT_UNKNOWN)
        return false;
    c->name = "local ports";
    c->stops = l->ports < needed;
    say(c->text,
        "net.ipv4.ip_local_port_range has %" PRIu64 " ports; %" PRIu64
        " needed from each of %" PRIu64 " address%s",
        l->ports, needed, d->sources, d->sources == 1 ? "" : "es");
    if (needed <= PORTS_MOST)
        say(c->lift, "sysctl -w net.ipv4.ip_local_port_range='1024 65535'");
    else
        say(c->lift, "--source=ADDR-ADDR with %" PRIu64 " addresses of this machine%s%s",
            DIV_ROUND_UP(d->ports, MAX(l->ports, UINT64_C(1))), *d->more_from ? ", from " : "",
            d->more_from);
    return true;
}

static bool check_backlog(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed = MIN(d->connections, (uint64_t)BACKLOG_NEEDED);

    if (!d->local || l->backlog == LIMIT_UNKNOWN)
        return false;
    c->name = "backlog";
    c->stops = l->backlog < needed;
    say(c->text, "net.core.somaxconn is %" PRIu64 "; %" PRIu64 " needed while connecting",
        l->backlog, needed);
    say(c->lift, "sysctl -w net.core.somaxconn=4096  (then restart the server)");
    return true;
}

/* A socket that holds any data uses at least a page. */
static bool check_tcp_memory(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed = d->active * (d->local ? 2 : 1) * (1 + d->per_turn / l->page_size);

    if (!d->tcp || l->tcp_pages == LIMIT_UNKNOWN)
        return false;
    c->name = "TCP buffers";
    c->stops = l->tcp_pages < needed;
    say(c->text, "net.ipv4.tcp_mem allows %" PRIu64 " pages; %" PRIu64 " needed for data in flight",
        l->tcp_pages, needed);
    say(c->lift, "sysctl -w net.ipv4.tcp_mem='%" PRIu64 " %" PRIu64 " %" PRIu64 "'", needed / 2,
        needed * 3 / 4, needed);
    return true;
}

static bool check_conntrack(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed = d->connections;

    if (!d->tcp || l->tracked == LIMIT_UNKNOWN)
        return false;
    needed += l->tracked_used == LIMIT_UNKNOWN ? 0 : l->tracked_used;
    c->name = "conntrack";
    c->stops = l->tracked < needed;
    say(c->text, "net.netfilter.nf_conntrack_max is %" PRIu64 "; %" PRIu64 " needed", l->tracked,
        needed);
    say(c->lift, "sysctl -w net.netfilter.nf_conntrack_max=%" PRIu64, needed);
    return true;
}

static bool check_memory(const struct demand *d, const struct limits *l, struct check *c)
{
    uint64_t needed =
        ends(d) * BYTES_PER_END + d->connections * BYTES_PER_CLIENT + d->workers * BYTES_PER_WORKER;
    char have[FORMAT_MAX], need[FORMAT_MAX];
    uint64_t fits;

    if (l->memory_available == LIMIT_UNKNOWN)
        return false;
    c->name = "memory";
    c->stops = l->memory_available < needed;
    fits = (uint64_t)((double)l->memory_available / (double)needed * (double)d->connections);
    say(c->text, "%s available; about %s needed, not counting the server",
        format_bytes((double)l->memory_available, have), format_bytes((double)needed, need));
    say(c->lift, "--connections=%" PRIu64 ", or more memory", fits);
    return true;
}

size_t checktcp_compare(const struct demand *d, const struct limits *l,
                        struct check checks[static CHECKS_MAX])
{
    static bool (*const all[CHECKS_MAX])(const struct demand *d, const struct limits *l,
                                         struct check *c) = {
        check_descriptors, check_processes,  check_files,     check_ports,
        check_backlog,     check_tcp_memory, check_conntrack, check_memory,
    };
    size_t n = 0;

    for (size_t i = 0; i < CHECKS_MAX; i++)
        if (all[i](d, l, &checks[n]))
            n++;
    return n;
}

static bool is_loopback(const struct sockaddr *sa)
{
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    const struct sockaddr_in *in = (const struct sockaddr_in *)sa;

    if (sa->sa_family == AF_INET)
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    if (sa->sa_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    return true;
}

/* A port stays in use for a minute after ask-bench has closed its connection (tcp(7), TIME_WAIT).
 * On loopback the kernel reuses it after a second (tcp_tw_reuse). The number of such ports is only
 * known if the rate or the number of messages is. */
static uint64_t ports_in_use(const struct options *o, bool local)
{
    uint64_t left = o->messages ?: UINT64_MAX;

    if (!o->churn || local || (o->rate == 0 && o->messages == 0))
        return o->connections;
    if (o->rate > 0)
        left = MIN(left, o->rate * MIN(o->duration_us / 1000000, (uint64_t)TIME_WAIT_SECONDS));
    return o->connections + left;
}

static int measure_demand(const struct options *o, const struct limits *l, struct demand *d)
{
    struct sources sources = o->sources;
    struct sockaddr_any target;
    int r;

    r = target_resolve(o, &target);
    if (r < 0)
        return r;
    if (sources.count == 0)
        sources_choose(&sources, &target, o->connections, o->churn, l->ports);
    *d = (struct demand){
        .connections = o->connections,
        .active =
            o->mode == MODE_HOLD ? MIN(o->connections, (uint64_t)HOLD_WINDOW) : o->connections,
        .per_turn = o->pipeline * o->size,
        .workers = coordinator_workers(o, l->descriptors),
        .ports = ports_in_use(o, is_loopback(&target.sa)),
        .sources = sources.count,
        .more_from = target.sa.sa_family == AF_INET && is_loopback(&target.sa) ? "127.0.0.1" : "",
        .tcp = target.sa.sa_family != AF_UNIX,
        .local = is_loopback(&target.sa),
    };
    return 0;
}

int checktcp_run(const struct options *o, FILE *f)
{
    struct check checks[CHECKS_MAX];
    struct limits limits;
    struct demand demand;
    size_t n, stops = 0;
    char text[FORMAT_MAX];

    limits_read("", &limits);
    if (measure_demand(o, &limits, &demand) < 0)
        return BENCH_FAILED;
    n = checktcp_compare(&demand, &limits, checks);
    (void)fprintf(f, "%s connections to %s\n\n", format_count((double)o->connections, text),
                  o->target);
    for (size_t i = 0; i < n; i++) {
        (void)fprintf(f, "%-5s %-12s %s\n", checks[i].stops ? "STOP" : "ok", checks[i].name,
                      checks[i].text);
        if (checks[i].stops)
            (void)fprintf(f, "%18s to lift it: %s\n", "", checks[i].lift);
        stops += checks[i].stops;
    }
    if (stops > 0)
        (void)fprintf(f, "\n%zu limit%s would stop this run\n", stops, stops == 1 ? "" : "s");
    else
        (void)fputs("\nno limit would stop this run\n", f);
    return stops > 0 ? BENCH_FAILED : BENCH_OK;
}
