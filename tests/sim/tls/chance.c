/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A method of one's own is deprecated in favour of a provider, which takes ten times as much code. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/rand.h>

#include "chance.h"

static uint64_t state;

/* splitmix64 */
static uint64_t next(void)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int draw(unsigned char *bytes, int n)
{
    for (int i = 0; i < n; i++)
        bytes[i] = (unsigned char)(next() >> 56);
    return 1;
}

static int seed(const void *bytes, int n)
{
    (void)bytes;
    (void)n;
    return 1;
}

static int add(const void *bytes, int n, double entropy)
{
    (void)entropy;
    return seed(bytes, n);
}

static int status(void)
{
    return 1;
}

static const RAND_METHOD method = {
    .seed = seed,
    .bytes = draw,
    .add = add,
    .pseudorand = draw,
    .status = status,
};

void chance_take_over(void)
{
    (void)RAND_set_rand_method(&method);
}

void chance_seed(uint64_t number)
{
    state = number;
}
