/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-key.h"
#include "answerd/config-show.h"
#include "answerd/wanted.h"
#include "base/macros.h"
#include "base/print.h"

#define COLUMN 40

static void show(FILE *f, const char *name, const struct config_value *v, const char *standard)
{
    const char *text = v->text ?: standard;
    int n = fprintf(f, "%s=%s", name, text);

    (void)fprintf(f, "%*s ", n > 0 && n < COLUMN ? COLUMN - n : 0, "");
    if (!v->text)
        (void)fputs("default\n", f);
    else if (v->line > 0)
        (void)fprintf(f, "%s:%u\n", v->from, v->line);
    else
        (void)fprintf(f, "%s\n", v->from);
}

static void show_keys(FILE *f, const struct config_key *keys, const struct config_value *values)
{
    for (size_t i = 0; keys[i].name; i++)
        show(f, keys[i].name, &values[i], keys[i].standard);
}

/* --listen sets the addresses of the default section, and every Listen= is ignored. */
static void show_listen(FILE *f, const struct config *c, const struct config_listener *l,
                        const char *const *listen, size_t n_listen)
{
    bool is_default = l == c->listeners, any = n_listen > 0;

    for (size_t i = 0; is_default && i < n_listen; i++)
        show(f, "Listen", &(struct config_value){ .text = (char *)listen[i], .from = "--listen" },
             NULL);
    for (size_t i = 0; n_listen == 0 && i < l->n_listen; i++)
        show(f, "Listen", &l->listen[i], NULL);
    for (size_t i = 0; i < c->n_listeners; i++)
        any |= c->listeners[i].n_listen > 0;
    if (is_default && !any)
        show(f, "Listen", &(struct config_value){ 0 }, WANTED_DEFAULT);
}

int config_show(const struct config *c, const char *const *listen, size_t n_listen)
{
    _cleanup_free_ char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return -errno;
    (void)fputs("[Server]\n", f);
    show_keys(f, config_server_keys, c->values);
    (void)fputs("\n[Log]\n", f);
    show_keys(f, config_log_keys, c->log_values);
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];

        (void)fprintf(f, "\n[Listener %s]\n", l->settings->name);
        show_listen(f, c, l, listen, n_listen);
        show(f, "Reply", &l->reply, "ok");
        show_keys(f, config_listener_keys, l->values);
    }
    if (fclose(f) != 0) {
        (void)fputs("answerd: out of memory\n", stderr);
        return -ENOMEM;
    }
    return print_text(text);
}
