/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The files of which a configuration consists: FILE, and then FILE.d/NAME.conf in the order of
 * names. */
struct config_parts {
    char **files;
    size_t n;
};

/* 0 or a negative errno, both to be followed by config_parts_free(): -ENOMEM, or the reason for which
 * FILE.d cannot be read, which then is the only part. FILE is a part where it does not exist either,
 * unless there is FILE.d. */
int config_parts_find(const char *file, struct config_parts *p);
void config_parts_free(struct config_parts *p);
