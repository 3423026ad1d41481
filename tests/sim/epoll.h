/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "file.h"

/*
 * epoll like fs/eventpoll.c. If the key of a wake-up matches a registration, the registration is
 * queued once. A waiter takes the queue, asks each file for its full state, reports every state
 * that is not empty, and drops the others. A registration that is not edge-triggered goes back to
 * the end of the queue. ADD and MOD ask immediately.
 *
 * One epoll cannot watch another.
 */

void sim_epoll_begin(bool plain);

struct sim_file *sim_epoll_new(void);
bool sim_epoll_is(const struct sim_file *file);

/* 0 or a negative errno. */
int sim_epoll_control(struct sim_file *epoll, int operation, int fd, struct sim_file *file,
                      const struct epoll_event *event);

/* Whether fd is registered. */
bool sim_epoll_has(const struct sim_file *epoll, int fd);

/* At most n events to report now. */
int sim_epoll_collect(struct sim_file *epoll, struct epoll_event *events, int n);

/* A sleeper until there may be events. `woken` is called once. NULL: none. */
struct sim_sleeper {
    void (*woken)(struct sim_sleeper *sleeper);
};
void sim_epoll_sleep(struct sim_file *epoll, struct sim_sleeper *sleeper);

/* Queues one registration without news, like a wake-up whose cause has already gone. */
void sim_epoll_disturb(struct sim_file *epoll);

/* max_user_watches. */
void sim_epoll_limit(uint32_t watches);
uint32_t sim_epoll_watches(void); /* in all */
