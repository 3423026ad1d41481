/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"

/*
 * A fuzz target defines this function. It takes any bytes, and aborts if a check fails. libFuzzer
 * generates the bytes; replay.c takes them from the corpus.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Unlike assert(), works with -DNDEBUG. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (_unlikely_(!(condition)))                                                              \
            fuzz_failed(__FILE__, __LINE__, #condition);                                           \
    } while (0)

_Noreturn static inline void fuzz_failed(const char *file, int line, const char *condition)
{
    dprintf(STDERR_FILENO, "%s:%d: %s does not hold\n", file, line, condition);
    abort();
}

/* The bytes as a string, to free. Its memory has just that size: a sanitizer sees a read past its
 * end. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    CHECK(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}
