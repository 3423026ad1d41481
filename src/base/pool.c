/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/pool.h"

/* gcc has a macro for it, clang a feature. */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define CHUNK_SIZE ((size_t)64 * 1024)
#define WORDS      (CHUNK_SIZE / 64 / 64) /* enough bits for 64-byte items */

/* At the start of each chunk. A chunk is aligned to its size, so masking an item's address gives
 * its chunk. */
struct pool_chunk {
    struct pool_chunk *next, **pprev;
    size_t used;
    uint64_t taken[WORDS];
    uint64_t items[];
};

static void chunk_link(struct pool_chunk **head, struct pool_chunk *c)
{
    c->next = *head;
    if (c->next)
        c->next->pprev = &c->next;
    c->pprev = head;
    *head = c;
}

static void chunk_unlink(struct pool_chunk *c)
{
    *c->pprev = c->next;
    if (c->next)
        c->next->pprev = c->pprev;
}

/* mmap() aligns only to pages. So this maps twice the size and unmaps what lies outside the aligned
 * half. */
static struct pool_chunk *chunk_new(void)
{
    uint8_t *map, *aligned;

    map = mmap(NULL, 2 * CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    aligned = (uint8_t *)(((uintptr_t)map + CHUNK_SIZE - 1) & ~(CHUNK_SIZE - 1));
    if (aligned > map)
        (void)munmap(map, (size_t)(aligned - map));
    (void)munmap(aligned + CHUNK_SIZE, CHUNK_SIZE - (size_t)(aligned - map));
    return (struct pool_chunk *)aligned;
}

static void chunk_free(struct pool_chunk *c)
{
    ASAN_UNPOISON_MEMORY_REGION(c, CHUNK_SIZE);
    (void)munmap(c, CHUNK_SIZE);
}

void pool_init(struct pool *p, size_t item_size)
{
    assert(item_size >= 64 && item_size <= 4096);
    *p = (struct pool){ .item_size = (item_size + 7) & ~(size_t)7 };
    p->per_chunk = (CHUNK_SIZE - sizeof(struct pool_chunk)) / p->item_size;
}

void pool_deinit(struct pool *p)
{
    assert(!p->partial && !p->full);
    if (p->spare)
        chunk_free(p->spare);
    p->spare = NULL;
}

static void *item_at(const struct pool *p, struct pool_chunk *c, size_t index)
{
    return (uint8_t *)c->items + index * p->item_size;
}

static struct pool_chunk *partial_chunk(struct pool *p)
{
    struct pool_chunk *c = p->partial;

    if (c)
        return c;
    c = p->spare ?: chunk_new();
    if (!c)
        return NULL;
    p->spare = NULL;
    chunk_link(&p->partial, c);
    return c;
}

void *pool_alloc(struct pool *p)
{
    struct pool_chunk *c = partial_chunk(p);
    size_t word = 0, bit;
    void *item;

    if (!c)
        return NULL;
    while (!~c->taken[word])
        word++;
    bit = (size_t)__builtin_ctzll(~c->taken[word]);
    c->taken[word] |= UINT64_C(1) << bit;
    if (++c->used == p->per_chunk) {
        chunk_unlink(c);
        chunk_link(&p->full, c);
    }
    item = item_at(p, c, word * 64 + bit);
    ASAN_UNPOISON_MEMORY_REGION(item, p->item_size);
    return memset(item, 0, p->item_size);
}

void pool_free(struct pool *p, void *item)
{
    struct pool_chunk *c = (struct pool_chunk *)((uintptr_t)item & ~(CHUNK_SIZE - 1));
    size_t index = (size_t)((uint8_t *)item - (uint8_t *)c->items) / p->item_size;
    bool was_full = c->used == p->per_chunk;

    c->taken[index / 64] &= ~(UINT64_C(1) << index % 64);
    c->used--;
    ASAN_POISON_MEMORY_REGION(item, p->item_size);

    if (!was_full && c->used > 0)
        return;
    chunk_unlink(c);
    if (c->used > 0)
        chunk_link(&p->partial, c);
    else if (p->spare)
        chunk_free(c);
    else
        p->spare = c;
}

static void chunk_for_each(struct pool *p, struct pool_chunk *c, void (*fn)(void *, void *),
                           void *userdata)
{
    uint64_t taken[WORDS];

    /* A copy, since fn may free the item, and with the last item the chunk. */
    memcpy(taken, c->taken, sizeof taken);
    for (size_t word = 0; word < WORDS; word++)
        for (; taken[word]; taken[word] &= taken[word] - 1)
            fn(item_at(p, c, word * 64 + (size_t)__builtin_ctzll(taken[word])), userdata);
}

void pool_for_each(struct pool *p, void (*fn)(void *item, void *userdata), void *userdata)
{
    struct pool_chunk *c, *next, *full = p->full;

    /* If fn frees an item of a full chunk, the chunk moves to the partial list. That list has
     * already been walked. */
    for (c = p->partial; c; c = next) {
        next = c->next;
        chunk_for_each(p, c, fn, userdata);
    }
    for (c = full; c; c = next) {
        next = c->next;
        chunk_for_each(p, c, fn, userdata);
    }
}
