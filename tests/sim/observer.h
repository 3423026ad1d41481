/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"

struct sim_inode;

/*
 * Callbacks for what the program does, at that moment: what the kernel takes from it, not what
 * arrives somewhere later. Each may be NULL. They must not call the program, and must not keep what
 * they are given.
 */
struct sim_observer {
    /* The file, and the bytes taken; passed: a file sent with them, or NULL. */
    void (*sent)(struct sim_file *file, const void *bytes, size_t n, struct sim_file *passed);
    void (*received)(struct sim_file *file, const void *bytes, size_t n);
    void (*accepted)(int listening, struct sim_file *stream);
    void (*unread)(struct sim_file *file, size_t n);                   /* FIONREAD returned this */
    void (*closing)(struct sim_file *file);                            /* its last descriptor */
    void (*written)(struct sim_file *file, uint64_t offset, size_t n); /* to the disk's cache */
    void (*synced)(struct sim_file *file, int error);                  /* 0, or a negative errno */
    void (*unlinking)(const char *name, const struct sim_inode *inode);
    void (*waiting)(struct sim_file *epoll, uint64_t timeout_ns);
};

/* NULL: none. */
extern const struct sim_observer *sim_observer;

#define sim_observe(what, ...)                                                                     \
    do {                                                                                           \
        if (sim_observer && sim_observer->what)                                                    \
            sim_observer->what(__VA_ARGS__);                                                       \
    } while (0)
