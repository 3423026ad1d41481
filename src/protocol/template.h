/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/record.h"

/*
 * Reply templates: text with {message} {id} {peer} {listener} {seq} {time}, with {{ and }} for
 * braces and \n \r \t \\ \xHH for bytes. Compiled once, immutable from then on, rendered for each
 * message.
 */
struct template;

/*
 * Compiles `text`. Returns 0 and the template, to be freed with template_free(); or -EINVAL, with
 * *ret_error a static text that says what is wrong and *ret_offset where in the text; or -ENOMEM.
 */
int template_compile(const char *text, struct template **ret, const char **ret_error,
                     size_t *ret_offset);
void template_free(struct template *t);

/* The bytes of a template without any {field}, or NULL: such a reply needs no rendering. */
const uint8_t *template_constant(const struct template *t, size_t *ret_size);

/* Whether {peer} occurs: who renders may spare himself the work of naming the peer otherwise. */
bool template_uses_peer(const struct template *t);

/* Appends the reply to a message. real_us: {time}, in µs since 1970. 0 or -ENOMEM, after which *out
 * may hold a part of the reply. */
int template_render(const struct template *t, const struct record *message, uint64_t real_us,
                    struct buffer **out);
