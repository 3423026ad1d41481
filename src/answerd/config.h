/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answerd/config-parts.h"
#include "serve/settings.h"

/*
 * The whole configuration: the file, and what the command line puts over it. Built whole or not at
 * all, and immutable from then on.
 */

#define CONFIG_SERVER_KEYS   5
#define CONFIG_LISTENER_KEYS 9

/* What a listener does where the configuration says nothing of it: it depends on how the program was
 * started. */
struct config_defaults {
    enum record_mode record;
    bool refuse_http;
};

/* A value as it was written, and where. */
struct config_value {
    char *text;       /* NULL: nowhere, the default counts */
    const char *from; /* a file; or an option of the command line, and line is 0 */
    unsigned line;
};

struct config_listener {
    struct settings *settings;
    struct config_value *listen; /* addresses that address_parse() has accepted */
    size_t n_listen;
    struct config_value reply;
    struct config_value values[CONFIG_LISTENER_KEYS]; /* in the order of config_listener_keys[] */
};

struct config {
    unsigned workers;                     /* 0: one per CPU */
    uint64_t max_connections;             /* 0: what the descriptor limit allows */
    uint64_t max_connections_per_address; /* UINT64_MAX: any number */
    uint64_t memory_limit; /* bytes of all connections' buffers; 0: a quarter of the machine's */
    uint64_t drain_ms;
    struct config_value values[CONFIG_SERVER_KEYS]; /* in the order of config_server_keys[] */
    struct config_parts parts;                      /* the files that it was read from */
    struct config_listener *listeners; /* the first is `default`, which always exists */
    size_t n_listeners;
};

/* The listener of that name, or NULL. */
struct config_listener *config_find(const struct config *c, const char *name);

/* A new one, with the defaults; or NULL, out of memory. */
struct config_listener *config_add(struct config *c, const char *name,
                                   const struct config_defaults *defaults);

/* NULL is fine. */
void config_free(struct config *c);
