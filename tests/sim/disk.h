/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * A disk: folders and files, and the page cache in front of them. The program sees the cache. A sync
 * brings a file to the disk: its bytes and its size, or a folder's names.
 *
 * When the machine crashes, only the disk is left. Of the sectors that were written since the last
 * sync of their file, any may be there or not, in each version that the cache held. The same goes
 * for the size of a file, and for each change of a folder. When only the process dies, nothing is
 * lost.
 *
 * A sync may fail. As on Linux, the cache then forgets that these sectors are not on the disk: the
 * next sync succeeds, and does not write them.
 */

#define SIM_SECTOR   512
#define SIM_NAME_MAX 48

struct sim_inode;

/* A name in a folder. */
struct sim_name {
    char text[SIM_NAME_MAX];
    struct sim_inode *inode;
};

struct sim_names {
    struct sim_name *all;
    size_t n, capacity;
};

/* A change of a folder: a name is gone, or new, or both. */
struct sim_change {
    char gone[SIM_NAME_MAX], new[SIM_NAME_MAX];
    struct sim_inode *inode;
};

struct sim_inode {
    struct sim_inode *next, *parent;
    uint64_t id;
    bool is_folder;
    unsigned opens;              /* open files */
    const struct sim_file *lock; /* flock(2): held by this open file */

    /* A file. Bytes behind the size are 0. */
    uint8_t *bytes, *safe;    /* in the cache, on the disk */
    bool *dirty;              /* by sector: the disk may have other bytes */
    uint64_t capacity;        /* of all three, in bytes */
    uint64_t size, safe_size; /* in the cache, on the disk */
    uint64_t cut;             /* the lowest size since the last sync */
    uint64_t reserved;        /* bytes, by fallocate(2) */
    struct timespec modified; /* when it was last written to; CLOCK_REALTIME */

    /* A folder. */
    struct sim_names names, safe_names;
    struct sim_change *changes; /* since the last sync */
    size_t n_changes, changes_capacity;
};

void sim_disk_begin(bool plain);
void sim_disk_end(void);

/* The machine loses power. No file is open any more. */
void sim_disk_crash(void);

/* How many bytes all files may have. UINT64_MAX: no limit. */
void sim_disk_limit(uint64_t bytes);
uint64_t sim_disk_size(void);
uint64_t sim_disk_free(void);
/* How long a sync takes, in ns. */
uint64_t sim_disk_latency(void);

/* --- files --- */

/* Bytes that the file occupies. */
uint64_t sim_inode_allocated(const struct sim_inode *i);
/* Returns how many were written: less if the disk is full; 0: none could be. */
size_t sim_inode_write(struct sim_inode *i, const void *bytes, size_t n, uint64_t offset);
size_t sim_inode_read(const struct sim_inode *i, void *bytes, size_t n, uint64_t offset);
void sim_inode_truncate(struct sim_inode *i, uint64_t size);
/* False: there is no room. */
bool sim_inode_reserve(struct sim_inode *i, uint64_t size);
/* A file or a folder. */
void sim_inode_sync(struct sim_inode *i);
void sim_inode_fail_sync(struct sim_inode *i);

/* --- names --- */

/* NULL: there is none. */
struct sim_inode *sim_inode_find(const struct sim_inode *folder, const char *name);
/* By an absolute path. *ret_folder, *ret_name: where its last part is, or would be; NULL folder: an
 * earlier part does not exist. */
struct sim_inode *sim_inode_by_path(const char *path, struct sim_inode **ret_folder,
                                    const char **ret_name);
struct sim_inode *sim_inode_new(struct sim_inode *folder, const char *name, bool is_folder);
/* Names must exist. A file of the new name is replaced. */
void sim_inode_rename(struct sim_inode *folder, const char *name, const char *new_name);
void sim_inode_unlink(struct sim_inode *folder, const char *name);
/* A file was closed: forgets what has neither a name nor an open file. */
void sim_disk_collect(void);
