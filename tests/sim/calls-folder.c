/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls on the names of the disk's folders. */

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "calls.h"
#include "descriptors.h"
#include "disk-file.h"
#include "observer.h"
#include "own.h"
#include "seed.h"
#include "trace.h"

#define THE_PROCESS 4711

/* Errors of a call that looks at names, and of one that changes them. */
static int trouble(bool changes)
{
    if (sim_fault(SIM_NO_KERNEL))
        return -ENOMEM;
    if (sim_fault(SIM_DISK_ERROR))
        return -EIO;
    if (changes && sim_fault(SIM_DISK_FULL))
        return -ENOSPC;
    return 0;
}

static int folder_of(const char *call, int fd, struct sim_inode **ret)
{
    struct sim_file *file = sim_call_file(call, fd);
    struct sim_disk_file *f = file ? sim_disk_file_of(file) : NULL;

    if (!file)
        return -EBADF;
    if (!f || !f->inode->is_folder)
        return -ENOTDIR;
    *ret = f->inode;
    return 0;
}

/* --- open ----------------------------------------------------------------------------------- */

static int open_inode(struct sim_inode *inode, int flags)
{
    struct sim_file *file;

    if (flags & O_DIRECTORY && !inode->is_folder)
        return -ENOTDIR;
    if (inode->is_folder && (flags & O_ACCMODE) != O_RDONLY)
        return -EISDIR;
    if (flags & O_TRUNC)
        sim_inode_truncate(inode, 0);
    file = sim_disk_open(inode, flags);
    return sim_descriptor_new(file, 0);
}

static int open_name(struct sim_inode *folder, struct sim_inode *inode, const char *name, int flags)
{
    int r;

    if (sim_fault(SIM_NO_DESCRIPTOR))
        return sim_below(2) > 0 ? -ENFILE : -EMFILE;
    r = trouble(!inode && flags & O_CREAT);
    if (r < 0)
        return r;
    if (!inode && (!folder || !(flags & O_CREAT)))
        return -ENOENT;
    r = sim_descriptor_room();
    if (r < 0)
        return r;
    if (inode && flags & O_CREAT && flags & O_EXCL)
        return -EEXIST;
    return open_inode(inode ?: sim_inode_new(folder, name, false), flags);
}

int sim_disk_open_path(const char *path, int flags)
{
    struct sim_inode *folder;
    const char *name;
    struct sim_inode *inode = sim_inode_by_path(path, &folder, &name);

    return open_name(folder, inode, name, flags);
}

static struct sim_inode *look_up(struct sim_inode *folder, const char *name)
{
    if (strcmp(name, ".") == 0)
        return folder;
    return strcmp(name, "..") == 0 ? folder->parent : sim_inode_find(folder, name);
}

static int open_at(int fd, const char *name, int flags)
{
    struct sim_inode *folder;
    int r = folder_of("openat", fd, &folder);

    return r < 0 ? r : open_name(folder, look_up(folder, name), name, flags);
}

int __wrap_openat(int fd, const char *name, int flags, ...)
{
    va_list arguments;
    unsigned mode;

    va_start(arguments, flags);
    mode = va_arg(arguments, unsigned);
    va_end(arguments);
    if (!sim_world_stands)
        return __real_openat(fd, name, flags, mode);
    sim_call_enter();
    return (int)sim_call_leave("openat", fd, (uint64_t)flags, open_at(fd, name, flags));
}

static int make_folder(const char *path)
{
    struct sim_inode *folder;
    const char *name;
    struct sim_inode *inode = sim_inode_by_path(path, &folder, &name);
    int r = trouble(true);

    if (r < 0)
        return r;
    if (inode || !folder)
        return inode ? -EEXIST : -ENOENT;
    (void)sim_inode_new(folder, name, true);
    return 0;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (!sim_world_stands)
        return __real_mkdir(path, mode);
    sim_call_enter();
    return (int)sim_call_leave("mkdir", -1, mode, make_folder(path));
}

/* --- names ---------------------------------------------------------------------------------- */

static int rename_at(int from, const char *name, int to, const char *new_name, bool replace)
{
    struct sim_inode *folder, *other;
    int r = folder_of("renameat", from, &folder);

    if (r >= 0)
        r = folder_of("renameat", to, &other);
    if (r >= 0)
        r = trouble(true);
    if (r < 0)
        return r;
    if (other != folder) {
        sim_violate("renameat() to another folder is not part of this world");
        return -EXDEV;
    }
    if (!sim_inode_find(folder, name))
        return -ENOENT;
    if (!replace && sim_inode_find(folder, new_name))
        return -EEXIST;
    sim_inode_rename(folder, name, new_name);
    return 0;
}

int __wrap_renameat(int from, const char *name, int to, const char *new_name)
{
    if (!sim_world_stands)
        return __real_renameat(from, name, to, new_name);
    sim_call_enter();
    return (int)sim_call_leave("renameat", from, 0, rename_at(from, name, to, new_name, true));
}

int __wrap_renameat2(int from, const char *name, int to, const char *new_name, unsigned flags)
{
    if (!sim_world_stands)
        return __real_renameat2(from, name, to, new_name, flags);
    sim_call_enter();
    if (flags != RENAME_NOREPLACE) {
        sim_violate("renameat2() with %u is not part of this world", flags);
        return (int)sim_call_leave("renameat2", from, flags, -EINVAL);
    }
    return (int)sim_call_leave("renameat2", from, flags,
                               rename_at(from, name, to, new_name, false));
}

static int unlink_at(int fd, const char *name)
{
    struct sim_inode *folder, *inode;
    int r = folder_of("unlinkat", fd, &folder);

    if (r >= 0)
        r = trouble(false);
    if (r < 0)
        return r;
    inode = sim_inode_find(folder, name);
    if (!inode || inode->is_folder)
        return inode ? -EISDIR : -ENOENT;
    sim_observe(unlinking, name, inode);
    sim_inode_unlink(folder, name);
    return 0;
}

int __wrap_unlinkat(int fd, const char *name, int flags)
{
    if (!sim_world_stands)
        return __real_unlinkat(fd, name, flags);
    sim_call_enter();
    return (int)sim_call_leave("unlinkat", fd, (uint64_t)flags, unlink_at(fd, name));
}

void sim_inode_stat(const struct sim_inode *inode, struct stat *st)
{
    memset(st, 0, sizeof *st);
    st->st_mode = inode->is_folder ? S_IFDIR : S_IFREG;
    st->st_ino = inode->id;
    st->st_size = (off_t)inode->size;
    st->st_mtim = inode->modified;
    st->st_blocks = (blkcnt_t)(sim_inode_allocated(inode) / 512);
}

static int stat_at(int fd, const char *name, struct stat *st)
{
    struct sim_inode *folder;
    const struct sim_inode *inode;
    int r = folder_of("fstatat", fd, &folder);

    if (r >= 0)
        r = trouble(false);
    if (r < 0)
        return r;
    inode = sim_inode_find(folder, name);
    if (!inode)
        return -ENOENT;
    sim_inode_stat(inode, st);
    return 0;
}

int __wrap_fstatat(int fd, const char *name, struct stat *st, int flags)
{
    if (!sim_world_stands)
        return __real_fstatat(fd, name, st, flags);
    sim_call_enter();
    return (int)sim_call_leave("fstatat", fd, (uint64_t)flags, stat_at(fd, name, st));
}

/* --- lists ---------------------------------------------------------------------------------- */

/* DIR of the world. Names that come or go meanwhile may be listed or not (readdir(3)). */
struct listing {
    int fd;
    size_t at;
    struct dirent entry;
};

static DIR *list(int fd)
{
    struct sim_inode *folder;
    struct listing *l;
    int r = folder_of("fdopendir", fd, &folder);

    if (r >= 0 && sim_fault(SIM_NO_MEMORY))
        r = -ENOMEM;
    (void)sim_call_leave("fdopendir", fd, 0, r);
    if (r < 0)
        return NULL;
    l = sim_own_alloc(sizeof *l);
    l->fd = fd;
    return (DIR *)l;
}

DIR *__wrap_fdopendir(int fd)
{
    if (!sim_world_stands)
        return __real_fdopendir(fd);
    sim_call_enter();
    return list(fd);
}

struct dirent *__wrap_readdir(DIR *dir)
{
    struct listing *l = (struct listing *)dir;
    struct sim_inode *folder;

    if (!sim_world_stands)
        return __real_readdir(dir);
    sim_call_enter();
    if (folder_of("readdir", l->fd, &folder) < 0)
        return NULL;
    if (sim_fault(SIM_DISK_ERROR)) {
        (void)sim_call_leave("readdir", l->fd, l->at, -EIO);
        return NULL;
    }
    if (l->at == folder->names.n)
        return NULL;
    (void)strcpy(l->entry.d_name, folder->names.all[l->at++].text);
    return &l->entry;
}

int __wrap_closedir(DIR *dir)
{
    struct listing *l = (struct listing *)dir;
    int fd;

    if (!sim_world_stands)
        return __real_closedir(dir);
    fd = l->fd;
    sim_own_free(l);
    return __wrap_close(fd);
}

pid_t __wrap_getpid(void)
{
    return sim_world_stands ? THE_PROCESS : __real_getpid();
}
