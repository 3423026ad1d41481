/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * An open file: descriptors name it, epoll watches it, and it wakes its watches.
 *
 * A wake-up has a key, a set of EPOLL* bits that says what it is about; 0 means everything. As in
 * the kernel, it says nothing about the state. A watch that was woken asks for that (kind->poll).
 */

struct sim_file;

struct sim_file_kind {
    const char *name;
    bool is_socket;
    uint32_t (*poll)(struct sim_file *file); /* the current EPOLL* bits */
    void (*release)(struct sim_file *file);  /* the last reference is gone: free it, now or later */
    /* NULL means EINVAL. Returns the number of bytes, or a negative errno. */
    ssize_t (*read)(struct sim_file *file, void *bytes, size_t n);
    ssize_t (*write)(struct sim_file *file, const void *bytes, size_t n);
};

struct sim_watch {
    struct sim_watch *next, **pprev;
    struct sim_file *file;
    bool exclusive; /* EPOLLEXCLUSIVE */
    /* Whether it counts as an exclusive wake-up. If so, no other exclusive watch is woken. */
    bool (*wake)(struct sim_watch *watch, uint32_t key);
    /* The last descriptor is closed, and the watch has been removed. May be NULL. */
    void (*gone)(struct sim_watch *watch);
};

/* Embedded as the first member in each kind of file. */
struct sim_file {
    const struct sim_file_kind *kind;
    unsigned refs;
    bool nonblocking;
    struct sim_watch *watches, **watches_tail;
};

/* Starts with one reference. */
void sim_file_init(struct sim_file *file, const struct sim_file_kind *kind);
struct sim_file *sim_file_ref(struct sim_file *file);
void sim_file_unref(struct sim_file *file);
void sim_file_set_nonblocking(struct sim_file *file, bool nonblocking);

/* Exclusive watches come after all others, in the order they were added. */
void sim_watch_add(struct sim_watch *watch, struct sim_file *file, bool exclusive);
void sim_watch_remove(struct sim_watch *watch);

void sim_file_wake(struct sim_file *file, uint32_t key);

size_t sim_files_open(void); /* in the whole system, for ENFILE */
