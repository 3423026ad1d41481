/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The same questions to the kernel and to its model. Each case runs twice, by its loop index: first
 * against the kernel, then against the model. The answers must be the same. */

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

/* The first line of each case: selects the kernel or the model. */
void ask(int whom);
bool asking_model(void);

/* Gives data in flight time to arrive, and threads time to fall asleep. */
void let_time_pass(void);

/* A new epoll with fd registered for `events`, edge-triggered. */
int watch(int fd, unsigned events);
int watch_too(int epoll, int fd, unsigned events); /* 0, or -1 and errno */
/* The events of the next edge, within a second. */
unsigned edge(int epoll);
/* The same without waiting; 0 if there is no edge. */
unsigned edge_now(int epoll);
/* Expects that no edge comes, although it has time to. */
void no_edge(int epoll);
/* Waits until fd is in one of these states. Polls the state, so it consumes no edge. */
void await(int fd, unsigned events);

enum family { TCP, UNIX };

/* A case for each family, against kernel and model. */
#define CASES    (2 * ASK_BOTH)
#define ASK(i)   ask((i) % 2)
#define FAMILY() (_i / 2 == 0 ? TCP : UNIX)

#define ADD_TCP(tc, f)  tcase_add_loop_test(tc, f, 0, ASK_BOTH)
#define ADD_UNIX(tc, f) tcase_add_loop_test(tc, f, ASK_BOTH, CASES)
#define ADD_BOTH(tc, f) tcase_add_loop_test(tc, f, 0, CASES)

/* Two connected non-blocking ends. */
void connected(enum family family, int fds[2]);
/* A non-blocking listening socket. */
int listening(enum family family, int backlog);
/* A non-blocking connection to it. */
int connection_to(int listening);
int accepted_from(int listening);

void send_bytes(int fd, size_t n);
/* Sends until EAGAIN. Returns the number of bytes. */
size_t fill(int fd);
size_t drain(int fd);
/* recv() of up to n bytes. */
int receive(int fd, size_t n);
int unsent(int fd);

/* A name for a datagram socket. No file of that name exists before or after the test. */
const char *socket_path(void);
int bound(void);
int sender(void);
unsigned qlen(void);

/* Threads sleep in epoll_wait() until there is an event. Returns the first event of each. */
void fall_asleep(const int *epolls, unsigned n);
unsigned woken(unsigned i);
void wake_up_all(void);

/* Sets RLIMIT_NOFILE so that no more descriptors can be opened, or restores it. */
void forbid_descriptors(bool forbid);

void add_epoll_cases(TCase *tc);
void add_stream_cases(TCase *tc);
void add_listening_cases(TCase *tc);
void add_datagram_cases(TCase *tc);
void add_file_cases(TCase *tc);
