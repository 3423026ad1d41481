/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <unistd.h>

#include "log/file.h"

ssize_t file_read_some(int fd, void *bytes, size_t n, uint64_t offset)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = pread(fd, (char *)bytes + done, n - done, (off_t)(offset + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        if (r == 0)
            break;
        done += (size_t)r;
    }
    return (ssize_t)done;
}

int file_read(int fd, void *bytes, size_t n, uint64_t offset)
{
    ssize_t r = file_read_some(fd, bytes, n, offset);

    if (r < 0)
        return (int)r;
    return (size_t)r == n ? 0 : -ENODATA;
}

int file_write(int fd, const void *bytes, size_t n, uint64_t offset)
{
    size_t done = 0;

    while (done < n) {
        ssize_t r = pwrite(fd, (const char *)bytes + done, n - done, (off_t)(offset + done));

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return -errno;
        done += (size_t)r;
    }
    return 0;
}
