/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ask-bench/limits.h"
#include "base/macros.h"
#include "base/parse.h"

static FILE *open_proc(const char *root, const char *name)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof path, "%s/proc/%s", root, name);
    return fopen(path, "re");
}

/* The number at `index`, from 0, among the words of text. Changes text. */
static uint64_t take_number(char *text, unsigned index)
{
    uint64_t value = LIMIT_UNKNOWN;
    char *rest = text, *word = NULL;

    for (unsigned i = 0; i <= index; i++)
        word = strtok_r(i == 0 ? text : NULL, " \t\n", &rest);
    return word && parse_u64(word, &value) == 0 ? value : LIMIT_UNKNOWN;
}

/* The number at `index` in a file of numbers. */
static uint64_t read_number(const char *root, const char *name, unsigned index)
{
    FILE *f = open_proc(root, name);
    uint64_t value = LIMIT_UNKNOWN;
    char line[128];

    if (!f)
        return LIMIT_UNKNOWN;
    if (fgets(line, sizeof line, f))
        value = take_number(line, index);
    (void)fclose(f);
    return value;
}

static uint64_t read_ports(const char *root)
{
    uint64_t low = read_number(root, "sys/net/ipv4/ip_local_port_range", 0);
    uint64_t high = read_number(root, "sys/net/ipv4/ip_local_port_range", 1);

    return low <= high && high != LIMIT_UNKNOWN ? high - low + 1 : LIMIT_UNKNOWN;
}

static uint64_t read_available(const char *root)
{
    FILE *f = open_proc(root, "meminfo");
    uint64_t kib = LIMIT_UNKNOWN;
    char line[128];

    if (!f)
        return LIMIT_UNKNOWN;
    while (fgets(line, sizeof line, f))
        if (strncmp(line, "MemAvailable:", 13) == 0)
            kib = take_number(line + 13, 0);
    (void)fclose(f);
    return kib == LIMIT_UNKNOWN ? LIMIT_UNKNOWN : kib * 1024;
}

static uint64_t read_rlimit(int resource)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)resource, &limit) < 0 || limit.rlim_max == RLIM_INFINITY)
        return LIMIT_UNKNOWN;
    return limit.rlim_max;
}

/* A loaded module tracks nothing unless a firewall rule asks for it. A connection shows whether one
 * does. */
static bool is_tracked(const char *root)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    _cleanup_close_ int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    _cleanup_close_ int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (server < 0 || client < 0 || bind(server, (struct sockaddr *)&address, size) < 0 ||
        listen(server, 1) < 0 || getsockname(server, (struct sockaddr *)&address, &size) < 0 ||
        connect(client, (struct sockaddr *)&address, size) < 0)
        return true;
    return read_number(root, "sys/net/netfilter/nf_conntrack_count", 0) > 0;
}

void limits_read(const char *root, struct limits *ret)
{
    *ret = (struct limits){
        .descriptors = read_rlimit(RLIMIT_NOFILE),
        .nr_open = read_number(root, "sys/fs/nr_open", 0),
        .processes = geteuid() == 0 ? LIMIT_UNKNOWN : read_rlimit(RLIMIT_NPROC),
        .files = read_number(root, "sys/fs/file-max", 0),
        .files_used = read_number(root, "sys/fs/file-nr", 0),
        .ports = read_ports(root),
        .backlog = read_number(root, "sys/net/core/somaxconn", 0),
        .tcp_pages = read_number(root, "sys/net/ipv4/tcp_mem", 2),
        .tracked = read_number(root, "sys/net/netfilter/nf_conntrack_max", 0),
        .tracked_used = read_number(root, "sys/net/netfilter/nf_conntrack_count", 0),
        .memory_available = read_available(root),
        .page_size = (uint64_t)sysconf(_SC_PAGESIZE),
    };
    if (ret->tracked != LIMIT_UNKNOWN && !is_tracked(root))
        ret->tracked = LIMIT_UNKNOWN;
}
