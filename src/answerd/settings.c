/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/settings.h"
#include "base/macros.h"

static const char *const record_names[] = {
    [RECORD_JOURNAL] = "journal",
    [RECORD_STDERR] = "stderr",
    [RECORD_NONE] = "none",
};

int record_mode_parse(const char *name, enum record_mode *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(record_names); i++)
        if (strcmp(name, record_names[i]) == 0) {
            *ret = (enum record_mode)i;
            return 0;
        }
    return -EINVAL;
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
    free(s->name);
    free(s);
}
