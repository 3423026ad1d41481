/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <string.h>

#include "base/macros.h"
#include "clock.h"
#include "disk.h"
#include "own.h"
#include "seed.h"

#define BLOCK    4096
#define RUN_MAX  8 /* sectors that share a fate, at most */
#define ENDLESS  (UINT64_C(1) << 40)
#define NAMES_AT 8

static struct {
    struct sim_inode *all, *root;
    uint64_t last_id, limit;
    uint32_t latency_us;
    uint32_t write_back; /* per million writes: the cache writes some sectors by itself */
    bool plain;
} disk;

static struct sim_inode *inode_alloc(bool is_folder)
{
    struct sim_inode *i = sim_own_alloc(sizeof *i);

    i->id = ++disk.last_id;
    i->is_folder = is_folder;
    i->next = disk.all;
    disk.all = i;
    return i;
}

static void inode_free(struct sim_inode *i)
{
    sim_own_free(i->bytes);
    sim_own_free(i->safe);
    sim_own_free(i->dirty);
    sim_own_free(i->names.all);
    sim_own_free(i->safe_names.all);
    sim_own_free(i->changes);
    sim_own_free(i);
}

void sim_disk_begin(bool plain)
{
    memset(&disk, 0, sizeof disk);
    disk.plain = plain;
    disk.limit = UINT64_MAX;
}

/* Only a run with files draws these, at its first one. */
static struct sim_inode *root(void)
{
    if (disk.root)
        return disk.root;
    disk.latency_us = disk.plain ? 100 : sim_scale(1, 1 << 15);
    disk.write_back = disk.plain ? 0 : sim_rate(300000);
    disk.root = inode_alloc(true);
    return disk.root;
}

void sim_disk_end(void)
{
    struct sim_inode *i;

    while ((i = disk.all)) {
        disk.all = i->next;
        inode_free(i);
    }
    disk.root = NULL;
}

uint64_t sim_disk_latency(void)
{
    return disk.latency_us * SIM_US;
}

/* --- space ---------------------------------------------------------------------------------- */

void sim_disk_limit(uint64_t bytes)
{
    disk.limit = bytes;
}

uint64_t sim_disk_size(void)
{
    return MIN(disk.limit, ENDLESS);
}

static uint64_t blocks(uint64_t bytes)
{
    return DIV_ROUND_UP(bytes, (uint64_t)BLOCK) * BLOCK;
}

uint64_t sim_inode_allocated(const struct sim_inode *i)
{
    return blocks(MAX(i->size, i->reserved));
}

static bool has(const struct sim_names *names, const struct sim_inode *inode)
{
    for (size_t i = 0; i < names->n; i++)
        if (names->all[i].inode == inode)
            return true;
    return false;
}

/* A file that is removed makes room at once, even if a crash may bring it back. */
static bool counts(const struct sim_inode *inode)
{
    bool named = false;

    for (const struct sim_inode *folder = disk.all; folder && !named; folder = folder->next)
        named = has(&folder->names, inode);
    return named || inode->opens > 0;
}

uint64_t sim_disk_free(void)
{
    uint64_t used = 0;

    if (disk.limit == UINT64_MAX)
        return ENDLESS;
    for (const struct sim_inode *i = disk.all; i; i = i->next)
        if (counts(i))
            used += sim_inode_allocated(i);
    return sim_disk_size() - MIN(used, sim_disk_size());
}

bool sim_inode_reserve(struct sim_inode *i, uint64_t size)
{
    if (blocks(size) > sim_inode_allocated(i) + sim_disk_free())
        return false;
    i->reserved = MAX(i->reserved, size);
    return true;
}

/* --- bytes ---------------------------------------------------------------------------------- */

static void *grown(void *block, uint64_t before, uint64_t now)
{
    block = sim_own_resize(block, now);
    memset((char *)block + before, 0, now - before);
    return block;
}

static void make_room(struct sim_inode *i, uint64_t size)
{
    uint64_t capacity = blocks(MAX(size, 2 * i->capacity));

    if (size <= i->capacity)
        return;
    i->bytes = grown(i->bytes, i->capacity, capacity);
    i->safe = grown(i->safe, i->capacity, capacity);
    i->dirty = grown(i->dirty, i->capacity / SIM_SECTOR, capacity / SIM_SECTOR);
    i->capacity = capacity;
}

static void write_sector(struct sim_inode *i, uint64_t sector)
{
    memcpy(i->safe + sector * SIM_SECTOR, i->bytes + sector * SIM_SECTOR, SIM_SECTOR);
}

/* The size on the disk becomes that of the cache. */
static void sync_size(struct sim_inode *i)
{
    if (i->cut < i->safe_size)
        memset(i->safe + i->cut, 0, i->safe_size - i->cut);
    i->safe_size = i->cut = i->size;
}

/* Some of the sectors that the disk does not have reach it. Neighbours often share their fate. */
static void write_some(struct sim_inode *i, bool forget)
{
    uint64_t n = DIV_ROUND_UP(i->capacity, (uint64_t)SIM_SECTOR), left = 0;
    bool survive = false;

    for (uint64_t sector = 0; sector < n; sector++) {
        if (!i->dirty[sector])
            continue;
        if (left == 0) {
            survive = sim_below(2) == 0;
            left = sim_scale(1, RUN_MAX);
        }
        left--;
        if (survive)
            write_sector(i, sector);
        if (survive || forget)
            i->dirty[sector] = false;
    }
}

/* Later bytes must not be cut off by a truncation that reaches the disk behind them. */
static void cut_first(struct sim_inode *i)
{
    if (i->cut < i->safe_size)
        sync_size(i);
}

size_t sim_inode_write(struct sim_inode *i, const void *bytes, size_t n, uint64_t offset)
{
    uint64_t room = sim_inode_allocated(i) + sim_disk_free();

    if (offset >= room)
        return 0;
    n = (size_t)MIN((uint64_t)n, room - offset);
    if (sim_chance(disk.write_back)) {
        cut_first(i);
        write_some(i, false);
    }
    make_room(i, offset + n);
    memcpy(i->bytes + offset, bytes, n);
    for (uint64_t sector = offset / SIM_SECTOR; sector * SIM_SECTOR < offset + n; sector++)
        i->dirty[sector] = true;
    i->size = MAX(i->size, offset + n);
    (void)sim_clock_read(CLOCK_REALTIME, &i->modified);
    return n;
}

size_t sim_inode_read(const struct sim_inode *i, void *bytes, size_t n, uint64_t offset)
{
    if (offset >= i->size)
        return 0;
    n = (size_t)MIN((uint64_t)n, i->size - offset);
    memcpy(bytes, i->bytes + offset, n);
    return n;
}

void sim_inode_truncate(struct sim_inode *i, uint64_t size)
{
    uint64_t behind = DIV_ROUND_UP(size, (uint64_t)SIM_SECTOR);

    make_room(i, size);
    if (size < i->size) {
        memset(i->bytes + size, 0, i->size - size);
        for (uint64_t sector = behind; sector * SIM_SECTOR < i->size; sector++)
            i->dirty[sector] = false;
        if (size % SIM_SECTOR > 0)
            i->dirty[size / SIM_SECTOR] = true;
        i->cut = MIN(i->cut, size);
        i->reserved = MIN(i->reserved, size);
    }
    i->size = size;
}

/* --- names ---------------------------------------------------------------------------------- */

static struct sim_name *find(const struct sim_names *names, const char *text)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->all[i].text, text) == 0)
            return &names->all[i];
    return NULL;
}

static void set(struct sim_names *names, const char *text, struct sim_inode *inode)
{
    struct sim_name *name = find(names, text);

    if (!name && names->n == names->capacity) {
        names->capacity = names->capacity * 2 + NAMES_AT;
        names->all = sim_own_resize(names->all, names->capacity * sizeof *names->all);
    }
    if (!name) {
        name = &names->all[names->n++];
        assert(strlen(text) < sizeof name->text);
        memcpy(name->text, text, strlen(text) + 1);
    }
    name->inode = inode;
}

static void apply(struct sim_names *names, const struct sim_change *change)
{
    struct sim_name *gone = change->gone[0] ? find(names, change->gone) : NULL;

    if (gone && gone->inode == change->inode)
        *gone = names->all[--names->n];
    if (change->new[0])
        set(names, change->new, change->inode);
}

static void change(struct sim_inode *folder, const char *gone, const char *new,
                   struct sim_inode *inode)
{
    struct sim_change *c;

    if (folder->n_changes == folder->changes_capacity) {
        folder->changes_capacity = folder->changes_capacity * 2 + NAMES_AT;
        folder->changes =
            sim_own_resize(folder->changes, folder->changes_capacity * sizeof *folder->changes);
    }
    c = &folder->changes[folder->n_changes++];
    *c = (struct sim_change){ .inode = inode };
    memcpy(c->gone, gone, strlen(gone) + 1);
    memcpy(c->new, new, strlen(new) + 1);
    apply(&folder->names, c);
}

struct sim_inode *sim_inode_find(const struct sim_inode *folder, const char *name)
{
    const struct sim_name *found = find(&folder->names, name);

    return found ? found->inode : NULL;
}

struct sim_inode *sim_inode_by_path(const char *path, struct sim_inode **ret_folder,
                                    const char **ret_name)
{
    struct sim_inode *at = root(), *folder = NULL;
    char part[SIM_NAME_MAX];

    *ret_name = "";
    while (path += strspn(path, "/"), *path) {
        size_t n = strcspn(path, "/");

        folder = at && at->is_folder ? at : NULL;
        at = NULL;
        if (!folder || n >= sizeof part)
            break;
        memcpy(part, path, n);
        part[n] = '\0';
        *ret_name = path;
        path += n;
        at = sim_inode_find(folder, part);
    }
    *ret_folder = folder;
    return at;
}

struct sim_inode *sim_inode_new(struct sim_inode *folder, const char *name, bool is_folder)
{
    struct sim_inode *inode = inode_alloc(is_folder);

    inode->parent = folder;
    change(folder, "", name, inode);
    return inode;
}

void sim_inode_rename(struct sim_inode *folder, const char *name, const char *new_name)
{
    change(folder, name, new_name, sim_inode_find(folder, name));
    sim_disk_collect();
}

void sim_inode_unlink(struct sim_inode *folder, const char *name)
{
    change(folder, name, "", sim_inode_find(folder, name));
    sim_disk_collect();
}

/* --- syncs and crashes ---------------------------------------------------------------------- */

static void sync_names(struct sim_inode *folder)
{
    for (size_t i = 0; i < folder->n_changes; i++)
        apply(&folder->safe_names, &folder->changes[i]);
    folder->n_changes = 0;
    sim_disk_collect();
}

void sim_inode_sync(struct sim_inode *i)
{
    if (i->is_folder) {
        sync_names(i);
        return;
    }
    sync_size(i);
    for (uint64_t sector = 0; sector * SIM_SECTOR < i->size; sector++)
        if (i->dirty[sector]) {
            write_sector(i, sector);
            i->dirty[sector] = false;
        }
}

/* The names and the size stay to be written. */
void sim_inode_fail_sync(struct sim_inode *i)
{
    if (i->is_folder)
        return;
    cut_first(i);
    write_some(i, true);
}

static void crash_file(struct sim_inode *i)
{
    if (i->capacity == 0)
        return;
    if (sim_below(2) == 0)
        sync_size(i);
    write_some(i, true);
    memset(i->safe + i->safe_size, 0, i->capacity - i->safe_size);
    memcpy(i->bytes, i->safe, i->capacity);
    i->size = i->cut = i->safe_size;
    i->reserved = 0;
}

static void crash_folder(struct sim_inode *folder)
{
    size_t n = 0;

    for (size_t i = 0; i < folder->n_changes; i++)
        if (sim_below(2) == 0)
            apply(&folder->safe_names, &folder->changes[i]);
    folder->n_changes = 0;
    folder->names.n = 0;
    for (; n < folder->safe_names.n; n++)
        set(&folder->names, folder->safe_names.all[n].text, folder->safe_names.all[n].inode);
}

void sim_disk_crash(void)
{
    for (struct sim_inode *i = disk.all; i; i = i->next) {
        assert(i->opens == 0);
        if (i->is_folder)
            crash_folder(i);
        else
            crash_file(i);
    }
    sim_disk_collect();
}

/* Also a name that may come back with a crash. */
static bool is_named(const struct sim_inode *inode)
{
    for (const struct sim_inode *folder = disk.all; folder; folder = folder->next) {
        if (!folder->is_folder)
            continue;
        if (has(&folder->names, inode) || has(&folder->safe_names, inode))
            return true;
        for (size_t i = 0; i < folder->n_changes; i++)
            if (folder->changes[i].inode == inode)
                return true;
    }
    return false;
}

void sim_disk_collect(void)
{
    struct sim_inode **at = &disk.all, *i;

    while ((i = *at)) {
        if (i->opens > 0 || i == disk.root || is_named(i)) {
            at = &i->next;
            continue;
        }
        *at = i->next;
        inode_free(i);
    }
}
