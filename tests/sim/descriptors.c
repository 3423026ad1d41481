/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdint.h>

#include "descriptors.h"
#include "own.h"

#define WORD_BITS 64

static struct {
    struct sim_file **files;
    uint64_t *taken; /* one bit per descriptor */
    int capacity;    /* a multiple of WORD_BITS */
    int lowest;      /* no lower descriptor is free */
    size_t n;
    int limit;
    size_t limit_system;
} table;

void sim_descriptors_begin(bool plain)
{
    (void)plain;
    table.limit = 1 << 20;
    table.limit_system = SIZE_MAX;
    table.lowest = 0;
    table.n = 0;
}

void sim_descriptors_limit(int process, size_t whole_system)
{
    table.limit = process;
    table.limit_system = whole_system;
}

static void grow(int fd)
{
    int before = table.capacity, capacity = before > 0 ? before : 4 * WORD_BITS;

    while (capacity <= fd)
        capacity *= 2;
    if (capacity == before)
        return;
    table.files = sim_own_resize(table.files, (size_t)capacity * sizeof *table.files);
    table.taken = sim_own_resize(table.taken, (size_t)capacity / 8);
    for (int i = before; i < capacity; i++)
        table.files[i] = NULL;
    for (int i = before / WORD_BITS; i < capacity / WORD_BITS; i++)
        table.taken[i] = 0;
    table.capacity = capacity;
}

static int lowest_free(int from)
{
    int word = from / WORD_BITS;
    uint64_t below = (UINT64_C(1) << from % WORD_BITS) - 1;

    for (; word < table.capacity / WORD_BITS; word++, below = 0) {
        uint64_t taken = table.taken[word] | below;

        if (~taken)
            return word * WORD_BITS + __builtin_ctzll(~taken);
    }
    return word * WORD_BITS > from ? word * WORD_BITS : from;
}

int sim_descriptor_room(void)
{
    if (lowest_free(table.lowest) >= table.limit)
        return -EMFILE;
    return sim_files_open() >= table.limit_system ? -ENFILE : 0;
}

int sim_descriptor_new(struct sim_file *file, int from)
{
    int fd = lowest_free(from > table.lowest ? from : table.lowest);

    if (fd >= table.limit || sim_files_open() > table.limit_system) {
        int error = fd >= table.limit ? -EMFILE : -ENFILE;

        sim_file_unref(file);
        return error;
    }
    grow(fd);
    table.files[fd] = file;
    table.taken[fd / WORD_BITS] |= UINT64_C(1) << fd % WORD_BITS;
    if (fd == table.lowest)
        table.lowest++;
    table.n++;
    return fd;
}

struct sim_file *sim_descriptor(int fd)
{
    return fd >= 0 && fd < table.capacity ? table.files[fd] : NULL;
}

void sim_descriptor_replace(int fd, struct sim_file *file)
{
    struct sim_file *before = table.files[fd];

    sim_file_set_nonblocking(file, before->nonblocking);
    table.files[fd] = file;
    sim_file_unref(before);
}

int sim_descriptor_close(int fd)
{
    struct sim_file *file = sim_descriptor(fd);

    if (!file)
        return -EBADF;
    table.files[fd] = NULL;
    table.taken[fd / WORD_BITS] &= ~(UINT64_C(1) << fd % WORD_BITS);
    if (fd < table.lowest)
        table.lowest = fd;
    table.n--;
    sim_file_unref(file);
    return 0;
}

size_t sim_descriptors_open(void)
{
    return table.n;
}

int sim_descriptor_next(int from)
{
    for (int fd = from; fd < table.capacity; fd++)
        if (table.files[fd])
            return fd;
    return -1;
}

void sim_descriptors_close_all(void)
{
    for (int fd = 0; fd < table.capacity; fd++)
        if (table.files[fd])
            (void)sim_descriptor_close(fd);
}

void sim_descriptors_end(void)
{
    sim_descriptors_close_all();
    sim_own_free(table.files);
    sim_own_free(table.taken);
    table.files = NULL;
    table.taken = NULL;
    table.capacity = 0;
}
