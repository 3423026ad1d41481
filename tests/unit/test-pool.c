/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/macros.h"
#include "base/pool.h"
#include "random.h"
#include "runner.h"

#define CHUNK ((uintptr_t)64 * 1024)

/* Something else may be mapped in place of freed chunks before we look: AddressSanitizer maps
 * memory all the time. */
#if defined __SANITIZE_ADDRESS__
#define MAPPED_BY_OTHERS 4
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define MAPPED_BY_OTHERS 4
#endif
#endif
#ifndef MAPPED_BY_OTHERS
#define MAPPED_BY_OTHERS 0
#endif

/* Items are filled with their own number, which shows any overlap. */
struct item {
    uint64_t number;
    size_t seen;
    uint8_t filling[];
};

static struct item *item_new(struct pool *pool, uint64_t number)
{
    struct item *item = pool_alloc(pool);
    const uint8_t *bytes = (const uint8_t *)item;

    if (!item)
        ck_abort_msg("no memory");
    if ((uintptr_t)item % 8 != 0)
        ck_abort_msg("not aligned");
    for (size_t i = 0; i < pool->item_size; i++)
        if (bytes[i] != 0)
            ck_abort_msg("not zeroed");
    item->number = number;
    memset(item->filling, (int)(number % 255 + 1), pool->item_size - sizeof *item);
    return item;
}

static void item_check(const struct pool *pool, const struct item *item, uint64_t number)
{
    if (item->number != number)
        ck_abort_msg("an item was written over");
    for (size_t i = 0; i < pool->item_size - sizeof *item; i++)
        if (item->filling[i] != number % 255 + 1)
            ck_abort_msg("an item was written over");
}

static void note(void *pointer, void *userdata)
{
    struct item *item = pointer;

    item->seen++;
    ++*(size_t *)userdata;
}

static void random_use(size_t item_size, uint64_t seed)
{
    enum { N = 3000 };
    static struct item *items[N];
    uint64_t random = seed;
    struct pool pool;
    size_t in_use = 0, rounds = 0;

    memset(items, 0, sizeof items);
    pool_init(&pool, item_size);
    for (int i = 0; i < 30000; i++) {
        /* In waves, so that chunks fill and empty. */
        bool rising = i / 5000 % 2 == 0;
        size_t k = random_below(&random, N);

        if (items[k] && (!rising || random_below(&random, 4) == 0)) {
            item_check(&pool, items[k], k);
            pool_free(&pool, items[k]);
            items[k] = NULL;
            in_use--;
        } else if (!items[k] && (rising || random_below(&random, 4) == 0)) {
            items[k] = item_new(&pool, k);
            items[k]->seen = rounds;
            in_use++;
        }
        if (i % 1000 == 0) {
            size_t seen = 0;

            pool_for_each(&pool, note, &seen);
            ck_assert_uint_eq(seen, in_use);
            rounds++;
            for (size_t j = 0; j < N; j++)
                if (items[j] && items[j]->seen != rounds)
                    ck_abort_msg("an item was not visited once");
        }
    }
    for (size_t k = 0; k < N; k++)
        if (items[k])
            pool_free(&pool, items[k]);
    pool_deinit(&pool);
}

START_TEST(items_are_apart_and_visited_once)
{
    const size_t sizes[] = { 64, 65, 72, 100, 128, 1000, 4090, 4096 };

    random_use(sizes[_i], (uint64_t)_i);
}
END_TEST

static int compare(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;

    return x < y ? -1 : x > y;
}

/* How many of these items' chunks are still mapped. */
static size_t count_mapped(void *const items[], size_t n)
{
    /* Not malloc()ed: that could map memory where the pool just unmapped some. */
    static uintptr_t chunks[20000];
    size_t mapped = 0;

    ck_assert_uint_le(n, ARRAY_SIZE(chunks));
    for (size_t i = 0; i < n; i++)
        chunks[i] = (uintptr_t)items[i] / CHUNK * CHUNK;
    qsort(chunks, n, sizeof *chunks, compare);
    for (size_t i = 0; i < n; i++) {
        unsigned char resident[16];

        /* ENOMEM for unmapped memory: mincore(2). */
        if ((i == 0 || chunks[i] != chunks[i - 1]) &&
            mincore((void *)chunks[i], CHUNK, resident) == 0)
            mapped++;
    }
    return mapped;
}

START_TEST(memory_goes_back)
{
    enum { N = 20000 };
    static void *items[N];
    struct pool pool;
    size_t at_most;

    pool_init(&pool, 128);
    at_most = N / pool.per_chunk + 1;
    for (size_t i = 0; i < N; i++)
        ck_assert((items[i] = pool_alloc(&pool)) != NULL);
    ck_assert_uint_eq(count_mapped(items, N), at_most);

    /* All but the last: its chunk and the spare one are kept. */
    for (size_t i = 0; i + 1 < N; i++)
        pool_free(&pool, items[i]);
    ck_assert_uint_le(count_mapped(items, N), 2 + MAPPED_BY_OTHERS);

    pool_free(&pool, items[N - 1]);
    ck_assert_uint_le(count_mapped(items, N), 1 + MAPPED_BY_OTHERS);
    pool_deinit(&pool);
    ck_assert_uint_le(count_mapped(items, N), MAPPED_BY_OTHERS);
}
END_TEST

/* A new item goes where others are, so that memory use follows their number. */
START_TEST(holes_are_filled_first)
{
    enum { N = 5000 };
    static void *items[N];
    uint64_t random = 4;
    struct pool pool;
    size_t chunks;

    pool_init(&pool, 256);
    for (size_t i = 0; i < N; i++)
        ck_assert((items[i] = pool_alloc(&pool)) != NULL);
    chunks = count_mapped(items, N);
    for (int i = 0; i < 20000; i++) {
        size_t k = random_below(&random, N);

        pool_free(&pool, items[k]);
        items[k] = pool_alloc(&pool);
        ck_assert(items[k] != NULL);
    }
    ck_assert_uint_eq(count_mapped(items, N), chunks);
    for (size_t i = 0; i < N; i++)
        pool_free(&pool, items[i]);
    pool_deinit(&pool);
}
END_TEST

struct sieve {
    struct pool *pool;
    uint64_t divisor;
    size_t visited;
};

static void sift(void *pointer, void *userdata)
{
    struct sieve *sieve = userdata;
    struct item *item = pointer;

    sieve->visited++;
    item_check(sieve->pool, item, item->number);
    if (item->number % sieve->divisor == 0)
        pool_free(sieve->pool, item);
}

START_TEST(for_each_may_free_what_it_is_given)
{
    enum { N = 4000 };

    for (uint64_t divisor = 1; divisor < 5; divisor++) {
        struct pool pool;
        struct sieve sieve = { .pool = &pool, .divisor = divisor };
        size_t left = 0;

        pool_init(&pool, 200);
        for (uint64_t i = 0; i < N; i++)
            (void)item_new(&pool, i);
        pool_for_each(&pool, sift, &sieve);
        ck_assert_uint_eq(sieve.visited, N);

        sieve.visited = 0;
        sieve.divisor = 1;
        left = N - DIV_ROUND_UP((size_t)N, (size_t)divisor);
        pool_for_each(&pool, sift, &sieve);
        ck_assert_uint_eq(sieve.visited, left);
        pool_deinit(&pool);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *cases = tcase_create("pool");

    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, items_are_apart_and_visited_once, 0, 8);
    tcase_add_test(cases, memory_goes_back);
    tcase_add_test(cases, holes_are_filled_first);
    tcase_add_test(cases, for_each_may_free_what_it_is_given);
    suite_add_tcase(suite, cases);
    return suite;
}
