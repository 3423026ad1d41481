/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/answer.h"
#include "ask/render.h"
#include "base/buffer.h"

/*
 * Replies as the user sees them.
 *
 * JSON tells whether a reply was a refusal. This is unknown until the connection ends or goes on,
 * so the last reply may be held back.
 */

/* Shows lines of output. 0 or a negative errno. */
typedef int (*output_show_fn)(void *userdata, const void *text, size_t n);

struct output {
    struct render render;
    struct buffer *text;    /* rendered, not yet shown */
    struct buffer *refusal; /* the held reply, rendered as a refusal */
    size_t n_held;          /* bytes at the end of text that are held back */
    output_show_fn show;    /* NULL: standard output. Set by the owner */
    void *userdata;         /* for show */
};

void output_init(struct output *o, const struct render *how);
void output_deinit(struct output *o);

/* Adds a reply. suspected: it may be a refusal; output_acquit() or output_refuse() must follow. 0
 * or -ENOMEM. */
int output_add(struct output *o, struct answer *answer, bool suspected);

/* The suspected reply was an ordinary one. */
void output_acquit(struct output *o);

/* The suspected reply was a refusal. 0 or -ENOMEM. */
int output_refuse(struct output *o);

/* Shows all but the reply that is held back. 0 or a negative errno. */
int output_show(struct output *o);
