/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>

#include "world.h"

/* A call that the linker intercepts. With --wrap=NAME, a call of NAME goes to __wrap_NAME(), and
 * __real_NAME() is libc's function. */
#define SIM_CALL(type, name, arguments)                                                            \
    type __real_##name arguments;                                                                  \
    type __wrap_##name arguments;

SIM_CALL(int, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags))
SIM_CALL(int, access, (const char *path, int mode))
SIM_CALL(int, bind, (int fd, const struct sockaddr *address, socklen_t size))
SIM_CALL(void *, calloc, (size_t n, size_t size))
SIM_CALL(int, clock_gettime, (clockid_t id, struct timespec *t))
SIM_CALL(int, close, (int fd))
SIM_CALL(int, closedir, (DIR * dir))
SIM_CALL(int, connect, (int fd, const struct sockaddr *address, socklen_t size))
SIM_CALL(int, epoll_create1, (int flags))
SIM_CALL(int, epoll_ctl, (int epoll, int operation, int fd, struct epoll_event *event))
SIM_CALL(int, epoll_pwait2,
         (int fd, struct epoll_event *events, int n, const struct timespec *timeout,
          const sigset_t *mask))
SIM_CALL(int, epoll_wait, (int fd, struct epoll_event *events, int n, int timeout))
SIM_CALL(int, eventfd, (unsigned count, int flags))
SIM_CALL(int, fallocate, (int fd, int mode, off_t offset, off_t size))
SIM_CALL(int, fcntl, (int fd, int command, ...))
SIM_CALL(int, fdatasync, (int fd))
SIM_CALL(DIR *, fdopendir, (int fd))
SIM_CALL(int, flock, (int fd, int operation))
SIM_CALL(void, free, (void *block))
SIM_CALL(int, fstat, (int fd, struct stat *st))
SIM_CALL(int, fstatat, (int fd, const char *name, struct stat *st, int flags))
SIM_CALL(int, fstatvfs, (int fd, struct statvfs *vfs))
SIM_CALL(int, fsync, (int fd))
SIM_CALL(int, ftruncate, (int fd, off_t size))
SIM_CALL(int, getpeername, (int fd, struct sockaddr *address, socklen_t *size))
SIM_CALL(pid_t, getpid, (void))
SIM_CALL(ssize_t, getrandom, (void *bytes, size_t n, unsigned flags))
SIM_CALL(int, getsockname, (int fd, struct sockaddr *address, socklen_t *size))
SIM_CALL(int, getsockopt, (int fd, int level, int option, void *value, socklen_t *size))
SIM_CALL(int, ioctl, (int fd, unsigned long request, ...))
SIM_CALL(int, listen, (int fd, int backlog))
SIM_CALL(void *, malloc, (size_t size))
SIM_CALL(int, malloc_trim, (size_t pad))
SIM_CALL(int, memfd_create, (const char *name, unsigned flags))
SIM_CALL(int, mkdir, (const char *path, mode_t mode))
SIM_CALL(void *, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t offset))
SIM_CALL(int, munmap, (void *at, size_t size))
SIM_CALL(int, open, (const char *path, int flags, ...))
SIM_CALL(int, openat, (int fd, const char *name, int flags, ...))
SIM_CALL(int, poll, (struct pollfd * fds, nfds_t n, int timeout))
SIM_CALL(ssize_t, pread, (int fd, void *bytes, size_t n, off_t offset))
SIM_CALL(ssize_t, __pread_chk, (int fd, void *bytes, size_t n, off_t offset, size_t size))
SIM_CALL(int, pthread_create,
         (pthread_t * ret, const pthread_attr_t *attributes, void *(*fn)(void *), void *userdata))
SIM_CALL(void *, pthread_getspecific, (pthread_key_t key))
SIM_CALL(int, pthread_join, (pthread_t thread, void **ret))
SIM_CALL(int, pthread_key_create, (pthread_key_t * ret, void (*destroy)(void *)))
SIM_CALL(int, pthread_setname_np, (pthread_t thread, const char *name))
SIM_CALL(int, pthread_setspecific, (pthread_key_t key, const void *value))
SIM_CALL(int, pthread_sigmask, (int how, const sigset_t *set, sigset_t *before))
SIM_CALL(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t offset))
SIM_CALL(ssize_t, pwritev, (int fd, const struct iovec *vectors, int n, off_t offset))
SIM_CALL(ssize_t, read, (int fd, void *bytes, size_t n))
SIM_CALL(struct dirent *, readdir, (DIR * dir))
SIM_CALL(ssize_t, __read_chk, (int fd, void *bytes, size_t n, size_t size))
SIM_CALL(void *, realloc, (void *block, size_t size))
SIM_CALL(void *, reallocarray, (void *block, size_t n, size_t size))
SIM_CALL(ssize_t, recv, (int fd, void *bytes, size_t n, int flags))
SIM_CALL(ssize_t, recvfrom,
         (int fd, void *bytes, size_t n, int flags, struct sockaddr *address, socklen_t *size))
SIM_CALL(ssize_t, __recv_chk, (int fd, void *bytes, size_t n, size_t size, int flags))
SIM_CALL(int, renameat, (int from, const char *name, int to, const char *new_name))
SIM_CALL(int, renameat2, (int from, const char *name, int to, const char *new_name, unsigned flags))
SIM_CALL(ssize_t, send, (int fd, const void *bytes, size_t n, int flags))
SIM_CALL(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned n, int flags))
SIM_CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags))
SIM_CALL(ssize_t, sendto,
         (int fd, const void *bytes, size_t n, int flags, const struct sockaddr *address,
          socklen_t size))
SIM_CALL(int, setsockopt, (int fd, int level, int option, const void *value, socklen_t size))
SIM_CALL(int, shutdown, (int fd, int how))
SIM_CALL(int, socket, (int family, int type, int protocol))
SIM_CALL(int, socketpair, (int family, int type, int protocol, int fds[2]))
SIM_CALL(long, syscall, (long number, ...))
SIM_CALL(int, unlink, (const char *path))
SIM_CALL(int, unlinkat, (int fd, const char *name, int flags))
SIM_CALL(ssize_t, write, (int fd, const void *bytes, size_t n))

/* For open(2) and fstat(2) of the disk. */
struct sim_inode;
int sim_disk_open_path(const char *path, int flags);
void sim_inode_stat(const struct sim_inode *inode, struct stat *st);
