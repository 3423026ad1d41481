/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/wake.h"

int wake_new(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    return fd < 0 ? -errno : fd;
}

/* Fails only if the counter is full. Then the reader is woken anyway (eventfd(2)). */
void wake(int fd)
{
    (void)!write(fd, &(uint64_t){ 1 }, sizeof(uint64_t));
}

/* Fails only if nothing has come since the last call. */
void wake_clear(int fd)
{
    uint64_t value;

    (void)!read(fd, &value, sizeof value);
}
