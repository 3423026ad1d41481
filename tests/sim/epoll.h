/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "file.h"

/*
 * epoll as fs/eventpoll.c has it. A wake-up whose key meets what a registration asks for queues it,
 * once. Whoever waits takes the queue, asks each file for its whole state, reports what is not
 * nothing, and drops the rest; what is not edge-triggered goes back to the end of the queue. ADD
 * and MOD ask at once.
 *
 * Watching one epoll by another is left out.
 */

void sim_epoll_begin(bool plain);

struct sim_file *sim_epoll_new(void);
bool sim_epoll_is(const struct sim_file *file);

/* 0 or a negative errno. */
int sim_epoll_control(struct sim_file *epoll, int operation, int fd, struct sim_file *file,
                      const struct epoll_event *event);

/* Whether it is registered. */
bool sim_epoll_has(const struct sim_file *epoll, int fd);

/* What is to be reported now; at most n. */
int sim_epoll_collect(struct sim_file *epoll, struct epoll_event *events, int n);

/* Who sleeps until there may be something: woken is called once. NULL: nobody. */
struct sim_sleeper {
    void (*woken)(struct sim_sleeper *sleeper);
};
void sim_epoll_sleep(struct sim_file *epoll, struct sim_sleeper *sleeper);

/* Queues one registration that has no news, as a wake-up does whose cause is gone by then. */
void sim_epoll_disturb(struct sim_file *epoll);

/* max_user_watches. */
void sim_epoll_limit(uint32_t watches);
uint32_t sim_epoll_watches(void); /* in all */
