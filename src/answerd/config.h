/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "answerd/report.h"
#include "answerd/settings.h"

/*
 * The whole configuration: the file, and what the command line puts over it. Built whole or not at
 * all, and immutable from then on.
 */

struct config_listener {
    struct settings *settings;
    char **listen; /* addresses, as text that address_parse() has accepted */
    size_t n_listen;
};

struct config {
    unsigned workers;                     /* 0: one per CPU */
    uint64_t max_connections;             /* 0: what the descriptor limit allows */
    uint64_t max_connections_per_address; /* UINT64_MAX: any number */
    uint64_t memory_limit; /* bytes of all connections' buffers; 0: a quarter of the machine's */
    uint64_t drain_ms;
    struct config_listener *listeners; /* the first is `default`, which always exists */
    size_t n_listeners;
};

/* What the command line says, NULL where it says nothing. It wins over every section of the
 * file. */
struct config_overrides {
    const char *framing, *reply, *workers, *record;
};

/*
 * Reads the file (NULL: none) and applies the overrides. Where they and the file say nothing of
 * recording, default_record counts.
 *
 * 0; -EINVAL after at least one report, "FILE:LINE: what" where it stands in the file; -ENOMEM, or
 * what opening or reading the file said, also reported.
 */
int config_load(const char *file, const struct config_overrides *overrides,
                enum record_mode default_record, struct config **ret, report_fn report,
                void *userdata);
void config_free(struct config *c);

/* The listener of that name, or NULL. */
const struct config_listener *config_find(const struct config *c, const char *name);
