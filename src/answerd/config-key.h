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
    /* 0; -EINVAL and *ret_expected, a static text about valid values; or -ENOMEM. *at is unchanged
     * on failure. */
    int (*read)(const char *value, void *at, const char **ret_expected);
};

/* The keys of [Server], in struct config. All tables are sorted by name and end with a NULL
 * name. */
extern const struct config_key config_server_keys[CONFIG_SERVER_KEYS + 1];
/* The keys of [Listener], in struct settings. */
extern const struct config_key config_listener_keys[CONFIG_LISTENER_KEYS + 1];

/* The keys of [Log], in struct log_settings. */
extern const struct config_key config_log_keys[CONFIG_LOG_KEYS + 1];

/* The keys of [TLS] that are set once, in struct tls_settings. */
extern const struct config_key config_tls_keys[CONFIG_TLS_KEYS + 1];

/* The path that a value of Certificate= and the like means, to free. A value without a slash is the
 * name of a credential. 0; -EINVAL and *ret_expected, as above; or -ENOMEM. */
int config_find_file(const char *value, char **ret, const char **ret_expected);

/* The key with that name, or NULL. */
const struct config_key *config_key_find(const struct config_key *keys, const char *name);
