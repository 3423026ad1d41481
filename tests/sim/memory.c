/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "memory.h"
#include "own.h"
#include "sanitize.h"

int __real_munmap(void *at, size_t size);

/* A hash table with linear probing. Its order differs between runs, so nothing may depend on it. */
struct block {
    void *address;
    size_t size;
    uint64_t number;
};

struct map {
    uint8_t *start, *end;
};

static struct {
    struct map *maps; /* latest last: that one is trimmed */
    size_t n_maps, maps_capacity;
    struct block *table;
    size_t capacity, n; /* a power of two */
    size_t bytes, mapped;
    uint64_t number;
} books;

void sim_memory_begin(bool plain)
{
    (void)plain;
    books.bytes = books.mapped = books.n = books.n_maps = 0;
    books.number = 0;
    if (books.capacity == 0) {
        books.capacity = 1024;
        books.table = sim_own_alloc(books.capacity * sizeof *books.table);
    }
    for (size_t i = 0; i < books.capacity; i++)
        books.table[i].address = NULL;
}

void sim_memory_end(void)
{
    sim_own_free(books.table);
    sim_own_free(books.maps);
    books.table = NULL;
    books.maps = NULL;
    books.capacity = books.n = books.maps_capacity = books.n_maps = 0;
}

static size_t home(const void *address)
{
    return (size_t)(((uintptr_t)address >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 32) &
           (books.capacity - 1);
}

static size_t find(const void *address)
{
    size_t i = home(address);

    while (books.table[i].address && books.table[i].address != address)
        i = (i + 1) & (books.capacity - 1);
    return i;
}

static void grow(void)
{
    struct block *before = books.table;
    size_t n = books.capacity;

    books.capacity *= 2;
    books.table = sim_own_alloc(books.capacity * sizeof *books.table);
    for (size_t i = 0; i < n; i++)
        if (before[i].address)
            books.table[find(before[i].address)] = before[i];
    sim_own_free(before);
}

void sim_memory_note(void *address, size_t size)
{
    if (2 * ++books.n > books.capacity)
        grow();
    books.table[find(address)] = (struct block){ address, size, ++books.number };
    books.bytes += size;
}

/* Closes the gap, so that later entries are still found. */
static void take_out(size_t gap)
{
    size_t mask = books.capacity - 1;

    for (size_t i = (gap + 1) & mask; books.table[i].address; i = (i + 1) & mask)
        if (((i - home(books.table[i].address)) & mask) >= ((i - gap) & mask)) {
            books.table[gap] = books.table[i];
            gap = i;
        }
    books.table[gap].address = NULL;
}

bool sim_memory_strike(void *address, size_t *ret_size)
{
    size_t i = find(address);

    if (!books.table[i].address)
        return false;
    if (ret_size)
        *ret_size = books.table[i].size;
    books.bytes -= books.table[i].size;
    books.n--;
    take_out(i);
    return true;
}

static void add_map(uint8_t *start, uint8_t *end)
{
    if (start == end)
        return;
    if (books.n_maps == books.maps_capacity) {
        books.maps_capacity = 2 * books.maps_capacity + 16;
        books.maps = sim_own_resize(books.maps, books.maps_capacity * sizeof *books.maps);
    }
    books.maps[books.n_maps++] = (struct map){ start, end };
}

void sim_memory_map(void *at, size_t size)
{
    books.mapped += size;
    add_map(at, (uint8_t *)at + size);
}

/* Unmaps whole pages of one map, as the pool does. */
void sim_memory_unmap(void *at, size_t size)
{
    uint8_t *start = at, *end = start + size;

    for (size_t i = books.n_maps; i-- > 0;) {
        struct map map = books.maps[i];

        if (start < map.start || end > map.end)
            continue;
        books.mapped -= size;
        books.maps[i] = books.maps[--books.n_maps];
        add_map(map.start, start);
        add_map(end, map.end);
        return;
    }
}

size_t sim_memory_blocks(void)
{
    return books.n;
}

size_t sim_memory_bytes(void)
{
    return books.bytes;
}

size_t sim_memory_mapped(void)
{
    return books.mapped;
}

bool sim_memory_oldest(uint64_t *ret_number, size_t *ret_size)
{
    const struct block *oldest = NULL;

    for (size_t i = 0; i < books.capacity; i++)
        if (books.table[i].address && (!oldest || books.table[i].number < oldest->number))
            oldest = &books.table[i];
    if (!oldest)
        return false;
    *ret_number = oldest->number;
    *ret_size = oldest->size;
    return true;
}

void sim_memory_abandon(void)
{
    for (size_t i = 0; i < books.capacity; i++)
        if (books.table[i].address) {
            sim_own_free(books.table[i].address);
            books.table[i].address = NULL;
        }
    for (size_t i = 0; i < books.n_maps; i++) {
        size_t size = (size_t)(books.maps[i].end - books.maps[i].start);

        sim_unpoison(books.maps[i].start, size);
        (void)__real_munmap(books.maps[i].start, size);
    }
    books.n = books.bytes = books.n_maps = books.mapped = 0;
}
