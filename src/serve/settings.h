/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/session.h"

/*
 * What one listener's connections obey: a [Listener NAME] section. Immutable once they are in use,
 * so that workers share them without locks. References are counted: a connection keeps the settings
 * that it was accepted with, also when a reload puts others in their place.
 */

enum record_mode { RECORD_JOURNAL, RECORD_STDERR, RECORD_NONE, RECORD_MODES };

#define READ_SIZE (128 * 1024) /* what one recv() may return */

struct settings {
    atomic_uint references;
    char *name;
    struct template *reply;
    struct session_rules rules;
    enum record_mode record;
    uint64_t idle_ms, message_ms, write_ms; /* TIMER_NEVER: no such timeout */
    size_t output_limit;                    /* bytes */
    size_t read_size;                       /* what one recv() asks for; see settings_prepare() */
};

/* With the defaults, and one reference. name is copied. NULL, out of memory. */
struct settings *settings_new(const char *name, enum record_mode record);

/* To be called when all else is set: makes what follows from the rest, and the constant
 * reply. 0 or -ENOMEM. */
int settings_prepare(struct settings *s);

/* Takes one more reference, and returns s. From any thread. */
struct settings *settings_ref(struct settings *s);
/* Gives one back; the last one frees the settings. From any thread. NULL is fine. */
void settings_unref(struct settings *s);

/* By the name that Record= has for it. 0 or -EINVAL. */
int record_mode_parse(const char *name, enum record_mode *ret);
