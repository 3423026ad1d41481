/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"

/*
 * The keys with a plain value: their names, and how to parse a value into its struct.
 */
struct config_key {
    const char *name;
    const char *standard; /* the default as in a file, or described in words if it is computed */
    size_t offset;        /* the offset of the value in its struct */
    /* 0, or -EINVAL and *ret_expected, a static text about valid values. *at is unchanged on
     * failure. */
    int (*read)(const char *value, void *at, const char **ret_expected);
};

/* The keys of [Server], in struct config. All tables are sorted by name and end with a NULL
 * name. */
extern const struct config_key config_server_keys[CONFIG_SERVER_KEYS + 1];
/* The keys of [Listener], in struct settings. */
extern const struct config_key config_listener_keys[CONFIG_LISTENER_KEYS + 1];

/* The keys of [Log], in struct log_settings. */
extern const struct config_key config_log_keys[CONFIG_LOG_KEYS + 1];

/* The key with that name, or NULL. */
const struct config_key *config_key_find(const struct config_key *keys, const char *name);
