/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FORMAT_U64_MAX 20 /* digits of 2^64 - 1 */

/* Writes the value in decimal, without a NUL, and returns the number of digits. Every record has
 * several numbers, and snprintf(3) took a third of the time it takes to make an entry. */
static inline size_t format_u64(uint64_t value, char text[static FORMAT_U64_MAX])
{
    char reversed[FORMAT_U64_MAX];
    size_t n = 0;

    do
        reversed[n++] = (char)('0' + value % 10);
    while (value /= 10);
    for (size_t i = 0; i < n; i++)
        text[i] = reversed[n - 1 - i];
    return n;
}
