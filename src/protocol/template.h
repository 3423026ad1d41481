/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/record.h"

/*
 * Reply templates: text with {message} {id} {peer} {identity} {listener} {seq} {time}, {{ and }} for braces,
 * and \n \r \t \\ \xHH for bytes. A template is compiled once, is immutable, and is rendered for
 * each message.
 */
struct template;

/*
 * Compiles `text`. Returns 0 and a template, to be freed with template_free(); -EINVAL, with a
 * static text in *ret_error that says what is wrong, and its position in *ret_offset; or -ENOMEM.
 */
int template_compile(const char *text, struct template **ret, const char **ret_error,
                     size_t *ret_offset);
void template_free(struct template *t);

/* The bytes of a template without fields, or NULL. Such a reply needs no rendering. */
const uint8_t *template_constant(const struct template *t, size_t *ret_size);

/* Whether {peer} occurs. If not, the caller need not format the peer's name. */
bool template_uses_peer(const struct template *t);

/* Appends the reply to a message. real_us: {time}, in µs since 1970. Returns 0, or -ENOMEM, after
 * which *out may hold part of the reply. */
int template_render(const struct template *t, const struct record *message, uint64_t real_us,
                    struct buffer **out);
