/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* The limits of this machine that a very large number of connections runs into. Each is
 * LIMIT_UNKNOWN where the kernel does not say. */
#define LIMIT_UNKNOWN UINT64_MAX

struct limits {
    uint64_t descriptors;      /* RLIMIT_NOFILE, the hard one, which a worker raises itself to */
    uint64_t nr_open;          /* fs.nr_open: what RLIMIT_NOFILE can be raised to */
    uint64_t processes;        /* RLIMIT_NPROC; unknown for root, whom it does not bind */
    uint64_t files;            /* fs.file-max: open files of the whole machine */
    uint64_t files_used;       /* of these */
    uint64_t ports;            /* in net.ipv4.ip_local_port_range */
    uint64_t backlog;          /* net.core.somaxconn */
    uint64_t tcp_pages;        /* net.ipv4.tcp_mem, the last of three: pages of all TCP buffers */
    uint64_t tracked;          /* net.netfilter.nf_conntrack_max; unknown when not in use */
    uint64_t tracked_used;     /* of these */
    uint64_t memory_available; /* bytes */
    uint64_t page_size;
};

/* root: where /proc/ is looked for, "" for the machine itself. */
void limits_read(const char *root, struct limits *ret);
