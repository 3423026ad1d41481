/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "disk.h"
#include "file.h"

/* An open file or folder of the disk. */

struct sim_disk_file {
    struct sim_file file;
    struct sim_inode *inode;
    int flags; /* O_* */
};

/* With one reference. */
struct sim_file *sim_disk_open(struct sim_inode *inode, int flags);
/* NULL: it is another kind of file. */
struct sim_disk_file *sim_disk_file_of(struct sim_file *file);
