/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* The limits of this machine for very large numbers of connections. LIMIT_UNKNOWN if the kernel
 * does not tell. */
#define LIMIT_UNKNOWN UINT64_MAX

struct limits {
    uint64_t descriptors;      /* hard RLIMIT_NOFILE; a worker raises its soft limit to it */
    uint64_t nr_open;          /* fs.nr_open: the most that RLIMIT_NOFILE can be */
    uint64_t processes;        /* RLIMIT_NPROC; unknown for root, who has no limit */
    uint64_t files;            /* fs.file-max: open files of the whole machine */
    uint64_t files_used;       /* files in use */
    uint64_t ports;            /* in net.ipv4.ip_local_port_range */
    uint64_t backlog;          /* net.core.somaxconn */
    uint64_t tcp_pages;        /* the third number of net.ipv4.tcp_mem: pages for all TCP buffers */
    uint64_t tracked;          /* net.netfilter.nf_conntrack_max; unknown if not in use */
    uint64_t tracked_used;     /* connections tracked now */
    uint64_t memory_available; /* bytes */
    uint64_t page_size;
};

/* root: the folder that holds proc/; "" for this machine. */
void limits_read(const char *root, struct limits *ret);
