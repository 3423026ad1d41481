/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls on open files of the disk. */

#include <errno.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <sys/uio.h>

#include "base/macros.h"
#include "calls.h"
#include "disk-file.h"
#include "fiber.h"
#include "observer.h"
#include "seed.h"
#include "trace.h"

#define BLOCK 4096

/* *ret: NULL, if the call fails. */
static int file_of(const char *name, int fd, bool is_folder, struct sim_disk_file **ret)
{
    struct sim_file *file = sim_call_file(name, fd);

    *ret = file ? sim_disk_file_of(file) : NULL;
    if (!file)
        return -EBADF;
    if (!*ret)
        return -EINVAL;
    if ((*ret)->inode->is_folder == is_folder)
        return 0;
    *ret = NULL;
    return is_folder ? -ENOTDIR : -EISDIR;
}

static size_t shortened(size_t n)
{
    return n > 1 && sim_fault(SIM_SHORT) ? n - sim_below((uint32_t)MIN(n, (size_t)UINT32_MAX)) : n;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static ssize_t read_at(int fd, void *bytes, size_t n, off_t offset)
{
    struct sim_disk_file *f;
    int r = file_of("pread", fd, false, &f);

    if (r < 0)
        return r;
    if ((f->flags & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    return (ssize_t)sim_inode_read(f->inode, bytes, shortened(n), (uint64_t)offset);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset)
{
    if (!sim_world_stands)
        return __real_pread(fd, bytes, n, offset);
    sim_call_enter();
    return sim_call_leave("pread", fd, n, read_at(fd, bytes, n, offset));
}

ssize_t __wrap___pread_chk(int fd, void *bytes, size_t n, off_t offset, size_t size)
{
    return sim_world_stands ? __wrap_pread(fd, bytes, n, offset)
                            : __real___pread_chk(fd, bytes, n, offset, size);
}

static ssize_t write_at(struct sim_disk_file *f, const void *bytes, size_t n, uint64_t offset)
{
    size_t written;

    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (n == 0)
        return 0;
    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    if (sim_fault(SIM_DISK_FULL))
        return sim_below(4) < 3 ? -ENOSPC : -EDQUOT;
    written = sim_inode_write(f->inode, bytes, shortened(n), offset);
    if (written == 0)
        return -ENOSPC;
    sim_observe(written, &f->file, offset, written);
    return (ssize_t)written;
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t n, off_t offset)
{
    struct sim_disk_file *f;
    ssize_t r;

    if (!sim_world_stands)
        return __real_pwrite(fd, bytes, n, offset);
    sim_call_enter();
    r = file_of("pwrite", fd, false, &f);
    if (r == 0)
        r = write_at(f, bytes, n, (uint64_t)offset);
    return sim_call_leave("pwrite", fd, n, r);
}

ssize_t __wrap_pwritev(int fd, const struct iovec *vectors, int n, off_t offset)
{
    struct sim_disk_file *f;
    uint8_t *joined;
    size_t size = 0;
    ssize_t r;

    if (!sim_world_stands)
        return __real_pwritev(fd, vectors, n, offset);
    sim_call_enter();
    for (int i = 0; i < n; i++)
        size += vectors[i].iov_len;
    joined = __real_malloc(size + 1);
    for (size_t i = 0, at = 0; i < (size_t)n; at += vectors[i++].iov_len)
        memcpy(joined + at, vectors[i].iov_base, vectors[i].iov_len);
    r = file_of("pwritev", fd, false, &f);
    if (r == 0)
        r = write_at(f, joined, size, (uint64_t)offset);
    if (r > 0)
        sim_trace_bytes(joined, (uint64_t)r);
    __real_free(joined);
    return sim_call_leave("pwritev", fd, size, r);
}

/* --- syncs ---------------------------------------------------------------------------------- */

/* Others run while the disk works. */
static void take_time(void)
{
    if (sim_fiber_self())
        sim_fiber_sleep(sim_now() + sim_disk_latency());
}

static int sync_file(const char *name, int fd)
{
    struct sim_file *file = sim_call_file(name, fd);
    struct sim_disk_file *f = file ? sim_disk_file_of(file) : NULL;
    int error = 0;

    if (!f)
        return file ? -EINVAL : -EBADF;
    take_time();
    if (sim_fault(SIM_DISK_ERROR))
        error = -EIO;
    else if (sim_fault(SIM_DISK_FULL))
        error = -ENOSPC; /* space is allocated only now */
    if (error < 0)
        sim_inode_fail_sync(f->inode);
    else
        sim_inode_sync(f->inode);
    sim_observe(synced, file, error);
    return error;
}

int __wrap_fsync(int fd)
{
    if (!sim_world_stands)
        return __real_fsync(fd);
    sim_call_enter();
    return (int)sim_call_leave("fsync", fd, 0, sync_file("fsync", fd));
}

/* It leaves out only times, which survive a crash in this world. */
int __wrap_fdatasync(int fd)
{
    if (!sim_world_stands)
        return __real_fdatasync(fd);
    sim_call_enter();
    return (int)sim_call_leave("fdatasync", fd, 0, sync_file("fdatasync", fd));
}

/* --- sizes ---------------------------------------------------------------------------------- */

static int truncate_to(int fd, off_t size)
{
    struct sim_disk_file *f;
    int r = file_of("ftruncate", fd, false, &f);

    if (r < 0 || (f->flags & O_ACCMODE) == O_RDONLY || size < 0)
        return r < 0 ? r : -EINVAL;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    sim_inode_truncate(f->inode, (uint64_t)size);
    return 0;
}

int __wrap_ftruncate(int fd, off_t size)
{
    if (!sim_world_stands)
        return __real_ftruncate(fd, size);
    sim_call_enter();
    return (int)sim_call_leave("ftruncate", fd, (uint64_t)size, truncate_to(fd, size));
}

static int allocate(int fd, int mode, off_t offset, off_t size)
{
    struct sim_disk_file *f;
    int r = file_of("fallocate", fd, false, &f);

    if (r < 0)
        return r;
    if (mode != FALLOC_FL_KEEP_SIZE || offset != 0) {
        sim_violate("fallocate() of mode %d is not part of this world", mode);
        return -EINVAL;
    }
    if ((f->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    if (sim_fault(SIM_INTERRUPT))
        return -EINTR;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    if (sim_fault(SIM_DISK_FULL) || !sim_inode_reserve(f->inode, (uint64_t)size))
        return -ENOSPC;
    return 0;
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t size)
{
    if (!sim_world_stands)
        return __real_fallocate(fd, mode, offset, size);
    sim_call_enter();
    return (int)sim_call_leave("fallocate", fd, (uint64_t)size, allocate(fd, mode, offset, size));
}

static int file_system(int fd, struct statvfs *vfs)
{
    struct sim_file *file = sim_call_file("fstatvfs", fd);

    if (!file)
        return -EBADF;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    *vfs = (struct statvfs){
        .f_bsize = BLOCK,
        .f_frsize = BLOCK,
        .f_blocks = sim_disk_size() / BLOCK,
        .f_bfree = sim_disk_free() / BLOCK,
        .f_bavail = sim_disk_free() / BLOCK,
        .f_namemax = SIM_NAME_MAX - 1,
    };
    return 0;
}

int __wrap_fstatvfs(int fd, struct statvfs *vfs)
{
    if (!sim_world_stands)
        return __real_fstatvfs(fd, vfs);
    sim_call_enter();
    return (int)sim_call_leave("fstatvfs", fd, 0, file_system(fd, vfs));
}

/* --- locks ---------------------------------------------------------------------------------- */

static int lock(int fd, int operation)
{
    struct sim_file *file = sim_call_file("flock", fd);
    struct sim_disk_file *f = file ? sim_disk_file_of(file) : NULL;

    if (!f)
        return file ? -EINVAL : -EBADF;
    if (operation != (LOCK_EX | LOCK_NB)) {
        sim_violate("flock() with %d is not part of this world", operation);
        return -EINVAL;
    }
    if (sim_fault(SIM_NO_KERNEL))
        return -ENOLCK;
    if (f->inode->lock && f->inode->lock != file)
        return -EWOULDBLOCK;
    f->inode->lock = file;
    return 0;
}

int __wrap_flock(int fd, int operation)
{
    if (!sim_world_stands)
        return __real_flock(fd, operation);
    sim_call_enter();
    return (int)sim_call_leave("flock", fd, (uint64_t)operation, lock(fd, operation));
}
