/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "own.h"

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *block, size_t size);
void __real_free(void *block);

static void *need(void *block)
{
    if (block)
        return block;
    (void)fputs("simulation: out of memory\n", stderr);
    abort();
}

void *sim_own_alloc(size_t size)
{
    return need(__real_calloc(1, size));
}

void *sim_own_resize(void *block, size_t size)
{
    return need(__real_realloc(block, size));
}

void sim_own_free(void *block)
{
    __real_free(block);
}
