/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reads entries of the journal's native protocol as journald does, written from its description
 * (systemd's JOURNAL_NATIVE_PROTOCOL) and not from what encodes them here.
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

/* One entry, all of bytes[n], which must live as long as *ret is used. False where it is not well
 * formed. */
bool decode(const uint8_t *bytes, size_t n, struct decoded *ret);

/* The field of that name, or NULL where there is none, or more than one. */
const struct decoded_field *decoded_find(const struct decoded *d, const char *name);

/* Whether that field is there once and has this value. */
bool decoded_is(const struct decoded *d, const char *name, const void *data, size_t size);
bool decoded_is_text(const struct decoded *d, const char *name, const char *text);
