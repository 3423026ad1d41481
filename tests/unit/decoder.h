/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes entries of the journal's native protocol as journald does. Written from its description
 * (systemd's JOURNAL_NATIVE_PROTOCOL), not from this project's encoder.
 */

#define DECODER_FIELDS_MAX 64

struct decoded_field {
    const char *name; /* not terminated */
    size_t name_size;
    const uint8_t *data;
    size_t size;
};

struct decoded {
    size_t n_fields;
    struct decoded_field fields[DECODER_FIELDS_MAX];
};

/* Decodes one entry, all of bytes[n], which must live as long as *ret is used. Returns false if it
 * is malformed. */
bool decode(const uint8_t *bytes, size_t n, struct decoded *ret);

/* The field of that name, or NULL if there is none, or more than one. */
const struct decoded_field *decoded_find(const struct decoded *d, const char *name);

/* Whether the field exists exactly once and has this value. */
bool decoded_is(const struct decoded *d, const char *name, const void *data, size_t size);
bool decoded_is_text(const struct decoded *d, const char *name, const char *text);
