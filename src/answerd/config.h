/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answerd/config-parts.h"
#include "log/format.h"
#include "record/log-service.h"
#include "serve/settings.h"

/*
 * The whole configuration: the files, with the command line on top. It is built as a whole or not
 * at all, and never changes afterwards.
 */

#define CONFIG_SERVER_KEYS   5
#define CONFIG_LISTENER_KEYS 14
#define CONFIG_LOG_KEYS      8
#define CONFIG_TLS_KEYS      11

/* The most bytes of a listener's name, which every record carries. systemd allows as many for
 * FileDescriptorName= (systemd.socket(5)). */
#define CONFIG_NAME_MAX LOG_NAME_MAX

/* The defaults of a listener. They depend on how the program was started. */
struct config_defaults {
    enum record_mode record;
    bool refuse_http;
};

/* A value as written, and its place. */
struct config_value {
    char *text;       /* NULL: not set, the default applies */
    const char *from; /* a file; or an option, and line is 0 */
    unsigned line;
};

struct config_listener {
    struct settings *settings;
    struct config_value *listen; /* addresses that address_parse() has accepted */
    size_t n_listen;
    struct config_value reply;
    struct config_value values[CONFIG_LISTENER_KEYS]; /* in the order of config_listener_keys[] */
};

/* A [TLS NAME] section. Listeners name it with TLS=. */
struct config_tls {
    char *name;
    struct config_value place; /* of the section; its text is the name */
    struct tls_settings settings;
    struct config_value *certificates, *keys;    /* for each of the settings' pairs; see
                                                 config_tls_add() */
    struct config_value values[CONFIG_TLS_KEYS]; /* in the order of config_tls_keys[] */
    struct tls_server *server;                   /* a reference, once all files are read */
};

struct config {
    unsigned workers;                     /* 0: one per CPU */
    uint64_t max_connections;             /* 0: as the descriptor limit allows */
    uint64_t max_connections_per_address; /* UINT64_MAX: no limit */
    uint64_t memory_limit; /* for the buffers of all connections, bytes; 0: a quarter of the
                              machine's memory */
    uint64_t drain_ms;
    struct config_value values[CONFIG_SERVER_KEYS]; /* in the order of config_server_keys[] */
    struct log_settings log;
    struct config_value log_values[CONFIG_LOG_KEYS]; /* in the order of config_log_keys[] */
    struct config_parts parts;                       /* its files */
    struct config_listener *listeners;               /* the first is `default` and always exists */
    size_t n_listeners;
    struct config_tls *tls;
    size_t n_tls;
};

/* The listener with that name, or NULL. */
struct config_listener *config_find(const struct config *c, const char *name);

/* A new configuration with the defaults, or NULL without memory. */
struct config_listener *config_add(struct config *c, const char *name,
                                   const struct config_defaults *defaults);

/* Likewise for [TLS NAME] sections. A new one is at the end of the array. */
struct config_tls *config_find_tls(const struct config *c, const char *name);
struct config_tls *config_add_tls(struct config *c, const char *name);

/* Whether a listener records in the log. */
bool config_wants_log(const struct config *c);

/* NULL is fine. */
void config_free(struct config *c);
