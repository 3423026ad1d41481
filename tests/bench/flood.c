/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood SOCKET FILE: sends the entries in FILE to a journald as fast as it takes them. answerd's
 * recording is measured against this. answerd wrote the entries, each after its size (a uint32_t in
 * native byte order), so journald has the same work in both cases.
 *
 * When the queue is full, it sleeps for as long as journald takes to read a part of it. poll(2)
 * would wake it with every entry read, at journald's cost, and so would not measure what journald
 * can take.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BATCH              64
#define PAUSE_PER_PLACE_NS 4000

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static int connect_journal(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(path);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ 8 * 1024 * 1024 }, sizeof(int));
    return fd;
}

/* The contents of the file, in memory before the measurement. */
static uint8_t *load(const char *path, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    uint8_t *bytes;

    if (fd < 0 || fstat(fd, &st) < 0)
        die(path);
    bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (bytes == MAP_FAILED)
        die(path);
    (void)close(fd);
    *ret_size = (size_t)st.st_size;
    return bytes;
}

/* most: the most entries that the journal took at once. */
static void pause_a_while(unsigned most)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = (most + 1L) * PAUSE_PER_PLACE_NS }, NULL);
}

static void send_batch(int fd, struct mmsghdr *messages, unsigned n)
{
    static unsigned most, at_once;

    for (unsigned sent = 0; sent < n;) {
        int r = sendmmsg(fd, messages + sent, n - sent, MSG_NOSIGNAL);

        if (r >= 0) {
            sent += (unsigned)r;
            at_once += (unsigned)r;
        } else if (errno == EAGAIN) {
            most = at_once > most ? at_once : most;
            at_once = 0;
            pause_a_while(most);
        } else if (errno != EINTR) {
            die("sendmmsg");
        }
    }
}

static void flood(int fd, uint8_t *bytes, size_t size)
{
    struct mmsghdr messages[BATCH];
    struct iovec vectors[BATCH];
    uint32_t entry;

    for (size_t at = 0; at < size;) {
        unsigned n = 0;

        for (; n < BATCH && at < size; n++, at += entry) {
            memcpy(&entry, bytes + at, sizeof entry);
            at += sizeof entry;
            vectors[n] = (struct iovec){ bytes + at, entry };
            messages[n].msg_hdr = (struct msghdr){ .msg_iov = &vectors[n], .msg_iovlen = 1 };
        }
        send_batch(fd, messages, n);
    }
}

int main(int argc, char **argv)
{
    uint8_t *bytes;
    size_t size;

    if (argc != 3) {
        (void)fputs("usage: flood SOCKET FILE\n", stderr);
        return EXIT_FAILURE;
    }
    bytes = load(argv[2], &size);
    flood(connect_journal(argv[1]), bytes, size);
    return EXIT_SUCCESS;
}
