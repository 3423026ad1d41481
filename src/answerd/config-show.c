/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-key.h"
#include "answerd/config-show.h"
#include "answerd/config-tls.h"
#include "answerd/wanted.h"
#include "base/macros.h"
#include "base/print.h"

/* A longer entry is not taken into account for the column of the sources. */
#define WIDTH_MAX 60

/* The first pass measures the entries, the second one prints them. */
struct table {
    FILE *stream; /* NULL: measure */
    size_t width; /* of the entries, in characters */
};

/* The characters of UTF-8, each of which usually takes one column of a terminal. */
static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += (*text & 0xc0) != 0x80;
    return n;
}

/* A line that is no entry. */
_printf_(2, 3) static void head(const struct table *t, const char *format, ...)
{
    va_list arguments;

    if (!t->stream)
        return;
    va_start(arguments, format);
    (void)vfprintf(t->stream, format, arguments);
    va_end(arguments);
}

/* standard, source: for a value that is not set. */
static void show(struct table *t, const char *name, const struct config_value *v,
                 const char *standard, const char *source)
{
    const char *text = v->text ?: standard ?: "";
    size_t width = strlen(name) + 1 + characters(text);

    if (!t->stream) {
        if (width <= WIDTH_MAX)
            t->width = MAX(t->width, width);
        return;
    }
    (void)fprintf(t->stream, "%s=%s%*s ", name, text,
                  width < t->width ? (int)(t->width - width) : 0, "");
    if (!v->text)
        (void)fprintf(t->stream, "%s\n", source);
    else if (v->line > 0)
        (void)fprintf(t->stream, "%s:%u\n", v->from, v->line);
    else
        (void)fprintf(t->stream, "%s\n", v->from);
}

/* The defaults of some keys depend on how the program is started: struct config_defaults. */
static const char *source_of_default(const char *key)
{
    static const char *const varying[] = { "Mirror", "Record", "Refuse" };

    for (size_t i = 0; i < ARRAY_SIZE(varying); i++)
        if (strcmp(key, varying[i]) == 0)
            return "default of a service";
    return "default";
}

static void show_keys(struct table *t, const struct config_key *keys,
                      const struct config_value *values)
{
    for (size_t i = 0; keys[i].name; i++)
        show(t, keys[i].name, &values[i], keys[i].standard, source_of_default(keys[i].name));
}

static void show_log(struct table *t, const struct config *c)
{
    const char *directory = log_directory(&c->log), *state = getenv("STATE_DIRECTORY");
    size_t at = (size_t)(config_key_find(config_log_keys, "Directory") - config_log_keys);
    struct config_value values[CONFIG_LOG_KEYS];

    memcpy(values, c->log_values, sizeof values);
    if (!values[at].text && state && strcmp(directory, state) == 0)
        values[at] = (struct config_value){ .text = (char *)directory, .from = "$STATE_DIRECTORY" };
    show_keys(t, config_log_keys, values);
}

/* --listen sets the addresses of the default section, and every Listen= is ignored. */
static void show_listen(struct table *t, const struct config *c, const struct config_listener *l,
                        const char *const *listen, size_t n_listen)
{
    bool is_default = l == c->listeners, any = n_listen > 0;

    for (size_t i = 0; is_default && i < n_listen; i++)
        show(t, "Listen", &(struct config_value){ .text = (char *)listen[i], .from = "--listen" },
             NULL, NULL);
    for (size_t i = 0; n_listen == 0 && i < l->n_listen; i++)
        show(t, "Listen", &l->listen[i], NULL, NULL);
    for (size_t i = 0; i < c->n_listeners; i++)
        any |= c->listeners[i].n_listen > 0;
    if (is_default && !any)
        show(t, "Listen", &(struct config_value){ 0 }, WANTED_DEFAULT, "default");
}

static void show_tls(struct table *t, const struct config_tls *tls)
{
    head(t, "\n[TLS %s]\n", tls->name);
    for (size_t i = 0; i < tls->settings.n_pairs; i++) {
        show(t, CONFIG_KEY_CERTIFICATE, &tls->certificates[i], NULL, NULL);
        if (tls->keys[i].text)
            show(t, CONFIG_KEY_KEY, &tls->keys[i], NULL, NULL);
    }
    show_keys(t, config_tls_keys, tls->values);
}

static void show_all(struct table *t, const struct config *c, const char *const *listen,
                     size_t n_listen)
{
    head(t, "[Server]\n");
    show_keys(t, config_server_keys, c->values);
    head(t, "\n[Log]\n");
    show_log(t, c);
    for (size_t i = 0; i < c->n_tls; i++)
        show_tls(t, &c->tls[i]);
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];

        head(t, "\n[Listener %s]\n", l->settings->name);
        show_listen(t, c, l, listen, n_listen);
        show(t, "Reply", &l->reply, "ok", "default");
        show_keys(t, config_listener_keys, l->values);
    }
}

int config_show(const struct config *c, const char *const *listen, size_t n_listen)
{
    _cleanup_free_ char *text = NULL;
    struct table table = { 0 };
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return -errno;
    show_all(&table, c, listen, n_listen);
    table.stream = f;
    show_all(&table, c, listen, n_listen);
    if (fclose(f) != 0) {
        (void)fputs("answerd: out of memory\n", stderr);
        return -ENOMEM;
    }
    return print_text(text);
}
