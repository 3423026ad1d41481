/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>
#include <stdbool.h>

#include "log/reader.h"

/*
 * Which records are shown. All that is given must match.
 */

struct select {
    struct reader_scope scope;                   /* by time, and by the connection of the ID */
    const char *id, *peer, *listener, *identity; /* NULL: any */
    const char *pattern;                         /* NULL: any */
    regex_t regex;                               /* compiled, where there is a pattern */
};

void select_init(struct select *s);
void select_deinit(struct select *s);

/* An ID as records have it: 16 hex digits, the connection's number, the message's. 0 or -EINVAL. */
int select_id(struct select *s, const char *id);

/* Whether it is an address as records have it, with or without its port. */
bool select_is_peer(const char *text);

/* POSIX extended, as for ask --expect. 0, or -EINVAL with the reason. */
int select_pattern(struct select *s, const char *pattern, char *reason, size_t size);

/* Whether anything is asked for, so that it can be that nothing matches. */
bool select_is_given(const struct select *s);

bool select_matches(const struct select *s, const struct log_item *item);
