/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/prefix.h"
#include "net/tls-server.h"
#include "protocol/session.h"

/*
 * The settings of one listener's connections: a [Listener NAME] section. Immutable once in use, so
 * that workers share them without locks. References are counted: a connection keeps the settings it
 * was accepted with, even after a reload.
 */

enum record_mode { RECORD_JOURNAL, RECORD_LOG, RECORD_STDERR, RECORD_NONE, RECORD_MODES };

#define READ_SIZE (128 * 1024) /* the most that one recv() can return */

struct settings {
    atomic_uint references;
    char *name;
    struct template *reply;
    struct session_rules rules;
    enum record_mode record;
    struct prefix_list *allow, *deny; /* NULL: not set; see settings_allow() */
    unsigned proxy;                   /* PROXY_*: a header of these versions is required; 0: none */
    struct prefix_list *proxy_from;   /* the proxies that may send it */
    struct tls_server *tls;           /* a reference; NULL: plain */
    uint64_t handshake_ms;            /* for a TLS handshake; TIMER_NEVER: no timeout */
    uint64_t max_handshakes;          /* at the same time, on all workers */
    uint64_t idle_ms, message_ms, write_ms; /* TIMER_NEVER: no timeout */
    size_t output_limit;                    /* bytes */
    size_t read_size;                       /* the size of one recv(); see settings_prepare() */
};

/* Creates settings with the defaults and one reference. name is copied. NULL: out of memory. */
struct settings *settings_new(const char *name, enum record_mode record);

/* Call after setting everything else: computes the derived values, and prepares a constant reply. 0
 * or -ENOMEM. */
int settings_prepare(struct settings *s);

/* Whether a peer may connect. Deny= is for those that may not; Allow=, if it is set, for the only
 * ones that may. */
bool settings_allow(const struct settings *s, const struct peer *peer);

/* Takes another reference, and returns s. From any thread. */
struct settings *settings_ref(struct settings *s);
/* Drops a reference; the last one frees the settings. From any thread. NULL is fine. */
void settings_unref(struct settings *s);

/* Parses a value of Record=. 0 or -EINVAL. */
int record_mode_parse(const char *name, enum record_mode *ret);

/* Where the records go, for texts: "the journal". */
const char *record_mode_place(enum record_mode mode);
