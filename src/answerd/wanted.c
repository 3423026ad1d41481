/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/wanted.h"

static const char *const default_section = "default", *const default_address = "127.0.0.1:8080";

static int add(struct wanted *w, const char *section, const char *text)
{
    struct wanted_address *addresses = reallocarray(w->addresses, w->n + 1, sizeof *addresses), *a;
    struct address address;
    const char *error = "out of memory";

    if (!addresses)
        return -ENOMEM;
    w->addresses = addresses;
    a = &addresses[w->n++];
    *a = (struct wanted_address){ .section = section, .text = text };
    a->n = address_parse(text, &address, &error);
    if (a->n == 0)
        a->n = address_resolve(&address, AF_UNSPEC, true, &a->all, &error);
    if (a->n < 0)
        (void)snprintf(a->error, sizeof a->error, "%s", error);
    return 0;
}

static bool passed(const struct wanted_beside *beside, const char *section)
{
    for (char *const *name = beside->passed; *name; name++)
        if (strcmp(*name, section) == 0)
            return true;
    return false;
}

static int add_configured(struct wanted *w, const struct config *config,
                          const struct wanted_beside *beside)
{
    int r = 0;

    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *l = &config->listeners[i];

        for (size_t j = 0; j < l->n_listen && r == 0 && !passed(beside, l->settings->name); j++)
            r = add(w, l->settings->name, l->listen[j]);
    }
    return r;
}

int wanted_look_up(const struct config *config, const struct wanted_beside *beside,
                   struct wanted *ret)
{
    struct wanted w = { 0 };
    bool any_passed = *beside->passed;
    int r = 0;

    if (beside->n_listen == 0 || any_passed)
        r = add_configured(&w, config, beside);
    for (size_t i = 0; i < beside->n_listen && r == 0 && !any_passed; i++)
        r = add(&w, default_section, beside->listen[i]);
    if (r == 0 && w.n == 0 && !any_passed)
        r = add(&w, default_section, default_address);
    if (r < 0) {
        wanted_free(&w);
        return r;
    }
    *ret = w;
    return 0;
}

void wanted_free(struct wanted *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->addresses[i].all);
    free(w->addresses);
    *w = (struct wanted){ 0 };
}

void wanted_free_passed(char **names)
{
    for (char **name = names; names && *name; name++)
        free(*name);
    free(names);
}
