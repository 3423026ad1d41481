/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "file.h"

/*
 * Who wants to know what the program does, at the moment at which it does it: what the kernel has
 * taken of it, and not what arrives somewhere later. Each may be NULL. They must not call the
 * program, and what they see is not theirs to keep.
 */
struct sim_observer {
    /* fd, its file, and what was taken; passed: a file that went with it, or NULL. */
    void (*sent)(struct sim_file *file, const void *bytes, size_t n, struct sim_file *passed);
    void (*received)(struct sim_file *file, const void *bytes, size_t n);
    void (*accepted)(int listening, struct sim_file *stream);
    void (*unread)(struct sim_file *file, size_t n); /* FIONREAD said so */
    void (*closing)(struct sim_file *file);          /* its last descriptor */
    void (*waiting)(struct sim_file *epoll, uint64_t timeout_ns);
};

/* NULL: nobody. */
extern const struct sim_observer *sim_observer;

#define sim_observe(what, ...)                                                                     \
    do {                                                                                           \
        if (sim_observer && sim_observer->what)                                                    \
            sim_observer->what(__VA_ARGS__);                                                       \
    } while (0)
