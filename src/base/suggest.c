/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "base/suggest.h"

#define NAME_MAX_COMPARED 64

/* Levenshtein distance, one row of the table at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_MAX_COMPARED + 1], n_a = strlen(a), n_b = strlen(b);

    if (n_a > NAME_MAX_COMPARED || n_b > NAME_MAX_COMPARED)
        return SIZE_MAX;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            size_t changed = diagonal + (same ? 0 : 1);

            diagonal = row[j];
            row[j] = MIN(changed, MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[n_b];
}

const char *suggest(const char *text, const char *const names[], size_t n)
{
    size_t best = SIZE_MAX;
    const char *name = NULL;

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(text, names[i]);

        if (d < best) {
            best = d;
            name = names[i];
        }
    }
    /* At most a third of the name may be wrong. */
    return name && best <= MAX(strlen(name) / 3, (size_t)1) ? name : NULL;
}
