/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/timer.h"
#include "serve/settings.h"

#define READ_MIN 4096 /* smaller reads would cost more than the memory is worth */

static const struct {
    const char *name, *place;
} record_modes[RECORD_MODES] = {
    [RECORD_JOURNAL] = { "journal", "the journal" },
    [RECORD_LOG] = { "log", "the log" },
    [RECORD_STDERR] = { "stderr", "standard error" },
    [RECORD_NONE] = { "none", "nowhere" },
};

int record_mode_parse(const char *name, enum record_mode *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(record_modes); i++)
        if (strcmp(name, record_modes[i].name) == 0) {
            *ret = (enum record_mode)i;
            return 0;
        }
    return -EINVAL;
}

const char *record_mode_place(enum record_mode mode)
{
    return record_modes[mode].place;
}

/* In chunk framing a read is a message, and one extra byte shows that it is too long. In other
 * framings, a peer that takes no replies may have as much input kept as replies. */
static size_t read_size(const struct settings *s)
{
    if (s->rules.framing == FRAMING_CHUNK)
        return MIN((size_t)READ_SIZE, s->rules.max_message + 1);
    return MIN((size_t)READ_SIZE, MAX(s->output_limit, (size_t)READ_MIN));
}

int settings_prepare(struct settings *s)
{
    s->read_size = read_size(s);
    return session_rules_prepare(&s->rules);
}

struct settings *settings_new(const char *name, enum record_mode record)
{
    struct settings *s = calloc(1, sizeof *s);
    const char *error;
    size_t offset;

    if (!s)
        return NULL;
    atomic_init(&s->references, 1);
    s->record = record;
    s->idle_ms = TIMER_NEVER;
    s->message_ms = s->write_ms = 30 * 1000;
    s->output_limit = 256 * 1024;
    s->rules = (struct session_rules){ .framing = FRAMING_LINE, .max_message = 64 * 1024 };
    s->name = strdup(name);
    if (!s->name || template_compile("ok", &s->reply, &error, &offset) < 0) {
        settings_unref(s);
        return NULL;
    }
    s->rules.reply = s->reply;
    return s;
}

bool settings_allow(const struct settings *s, const struct peer *peer)
{
    return !prefix_list_has(s->deny, peer) && (!s->allow || prefix_list_has(s->allow, peer));
}

struct settings *settings_ref(struct settings *s)
{
    atomic_fetch_add_explicit(&s->references, 1, memory_order_relaxed);
    return s;
}

void settings_unref(struct settings *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->references, 1, memory_order_acq_rel) > 1)
        return;
    session_rules_release(&s->rules);
    template_free(s->reply);
    tls_server_unref(s->tls);
    free(s->allow);
    free(s->deny);
    free(s->proxy_from);
    free(s->name);
    free(s);
}
