/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* malloc(3) and mmap(2). */

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "calls.h"
#include "memory.h"
#include "trace.h"

static bool refused(void)
{
    if (!sim_fault(SIM_NO_MEMORY))
        return false;
    sim_trace_call("malloc", -1, 0, -ENOMEM);
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)
{
    void *block;

    if (!sim_world_stands)
        return __real_malloc(size);
    if (refused())
        return NULL;
    block = __real_malloc(size);
    if (block)
        sim_memory_note(block, size);
    return block;
}

void *__wrap_calloc(size_t n, size_t size)
{
    void *block;

    if (!sim_world_stands)
        return __real_calloc(n, size);
    if (refused())
        return NULL;
    block = __real_calloc(n, size);
    if (block)
        sim_memory_note(block, n * size);
    return block;
}

/* Blocks allocated before the world began are not tracked. */
void *__wrap_realloc(void *block, size_t size)
{
    bool noted;
    void *after;

    if (!sim_world_stands)
        return __real_realloc(block, size);
    if (!block)
        return __wrap_malloc(size);
    if (refused())
        return NULL;
    noted = sim_memory_strike(block, NULL);
    after = __real_realloc(block, size);
    if (noted && after)
        sim_memory_note(after, size);
    return after;
}

void *__wrap_reallocarray(void *block, size_t n, size_t size)
{
    if (!sim_world_stands)
        return __real_reallocarray(block, n, size);
    if (size > 0 && n > SIZE_MAX / size) {
        errno = ENOMEM;
        return NULL;
    }
    return __wrap_realloc(block, n * size);
}

void __wrap_free(void *block)
{
    size_t size;

    /* Code that still uses the block must not find its old contents. */
    if (sim_world_stands && block && sim_memory_strike(block, &size))
        memset(block, 0xdd, size);
    __real_free(block);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *map;

    if (!sim_world_stands)
        return __real_mmap(at, size, protection, flags, fd, offset);
    if (refused())
        return MAP_FAILED;
    map = __real_mmap(at, size, protection, flags, fd, offset);
    if (map != MAP_FAILED)
        sim_memory_map(map, size);
    return map;
}

int __wrap_munmap(void *at, size_t size)
{
    if (sim_world_stands && size > 0)
        sim_memory_unmap(at, size);
    return __real_munmap(at, size);
}

int __wrap_malloc_trim(size_t pad)
{
    return sim_world_stands ? 0 : __real_malloc_trim(pad);
}
