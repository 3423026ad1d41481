/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

/* The files of a configuration: FILE, then FILE.d/NAME.conf in the order of their names. */
struct config_parts {
    char **files;
    size_t n;
};

/* 0 or a negative errno; call config_parts_free() in both cases. The errno is -ENOMEM, or the
 * reason why FILE.d cannot be read, which then is the only part. FILE is a part even if it does not
 * exist, unless FILE.d does. */
int config_parts_find(const char *file, struct config_parts *p);
void config_parts_free(struct config_parts *p);
