/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the model of the kernel and the kernel are asked alike: each case is run twice, by its loop
 * index first against the kernel, then against the model, and must be answered the same. */

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ASK_KERNEL, ASK_MODEL, ASK_BOTH };

#define IN    ((unsigned)EPOLLIN)
#define PRI   ((unsigned)EPOLLPRI)
#define OUT   ((unsigned)EPOLLOUT)
#define ERR   ((unsigned)EPOLLERR)
#define HUP   ((unsigned)EPOLLHUP)
#define RDHUP ((unsigned)EPOLLRDHUP)
#define ALL   (IN | PRI | OUT | RDHUP)

/* The first line of each case. */
void ask(int whom);
bool asking_model(void);

/* Where there is time for what is on its way, and for a thread to fall asleep. */
void let_time_pass(void);

/* A new epoll; fd registered for `events`, edge-triggered. */
int watch(int fd, unsigned events);
int watch_too(int epoll, int fd, unsigned events); /* 0, or -1 and errno */
/* The events of the next edge, for which a second is given. */
unsigned edge(int epoll);
/* Likewise; 0 where there is none. */
unsigned edge_now(int epoll);
/* None comes, although it has time to. */
void no_edge(int epoll);
/* Waits until fd is in one of these states, asking for the state and for no edge. */
void await(int fd, unsigned events);

enum family { TCP, UNIX };

/* A case for each family and each side that is asked. */
#define CASES    (2 * ASK_BOTH)
#define ASK(i)   ask((i) % 2)
#define FAMILY() (_i / 2 == 0 ? TCP : UNIX)

#define ADD_TCP(tc, f)  tcase_add_loop_test(tc, f, 0, ASK_BOTH)
#define ADD_UNIX(tc, f) tcase_add_loop_test(tc, f, ASK_BOTH, CASES)
#define ADD_BOTH(tc, f) tcase_add_loop_test(tc, f, 0, CASES)

/* Two connected ends, which do not block. */
void connected(enum family family, int fds[2]);
/* A listening socket that does not block. */
int listening(enum family family, int backlog);
/* A connection to it, which does not block. */
int connection_to(int listening);
int accepted_from(int listening);

void send_bytes(int fd, size_t n);
/* Until EAGAIN. How much that was. */
size_t fill(int fd);
size_t drain(int fd);
/* recv() of at most n bytes. */
int receive(int fd, size_t n);
int unsent(int fd);

/* A name for a datagram socket; it is not there before and not after. */
const char *socket_path(void);
int bound(void);
int sender(void);
unsigned qlen(void);

/* Asleep in epoll_wait() in threads, until there is something; what the first event was of each. */
void fall_asleep(const int *epolls, unsigned n);
unsigned woken(unsigned i);
void wake_up_all(void);

/* RLIMIT_NOFILE so that no further descriptor can be had, or as before. */
void forbid_descriptors(bool forbid);

void add_epoll_cases(TCase *tc);
void add_stream_cases(TCase *tc);
void add_listening_cases(TCase *tc);
void add_datagram_cases(TCase *tc);
