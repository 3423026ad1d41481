/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"

/*
 * The keys of the configuration that have a plain value: their names, and how the value is read
 * into its struct.
 */
struct config_key {
    const char *name;
    const char
        *standard; /* the default, as one would write it; or in words, where it is computed */
    size_t offset; /* of the value in its struct */
    /* 0, or -EINVAL with *ret_expected a static text that says what is allowed. *at is untouched on
     * failure. */
    int (*read)(const char *value, void *at, const char **ret_expected);
};

/* Of [Server], in struct config. Both tables are sorted by name and end with a NULL name. */
extern const struct config_key config_server_keys[CONFIG_SERVER_KEYS + 1];
/* Of [Listener], in struct settings. */
extern const struct config_key config_listener_keys[CONFIG_LISTENER_KEYS + 1];

/* The key of that name, or NULL. */
const struct config_key *config_key_find(const struct config_key *keys, const char *name);
