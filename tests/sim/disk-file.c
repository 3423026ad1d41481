/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk-file.h"
#include "own.h"

static void disk_release(struct sim_file *file)
{
    struct sim_disk_file *f = (struct sim_disk_file *)file;

    if (f->inode->lock == file)
        f->inode->lock = NULL;
    f->inode->opens--;
    sim_own_free(f);
    sim_disk_collect();
}

static const struct sim_file_kind disk_kind = {
    .name = "file",
    .release = disk_release,
};

struct sim_file *sim_disk_open(struct sim_inode *inode, int flags)
{
    struct sim_disk_file *f = sim_own_alloc(sizeof *f);

    sim_file_init(&f->file, &disk_kind);
    f->inode = inode;
    f->flags = flags;
    inode->opens++;
    return &f->file;
}

struct sim_disk_file *sim_disk_file_of(struct sim_file *file)
{
    return file->kind == &disk_kind ? (struct sim_disk_file *)file : NULL;
}
