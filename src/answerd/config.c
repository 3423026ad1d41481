/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "answerd/config.h"

struct config_listener *config_add(struct config *c, const char *name,
                                   const struct config_defaults *defaults)
{
    struct config_listener *all = reallocarray(c->listeners, c->n_listeners + 1, sizeof *all);
    struct settings *settings;

    if (!all)
        return NULL;
    c->listeners = all;
    settings = settings_new(name, defaults->record);
    if (!settings)
        return NULL;
    settings->rules.refuse_http = defaults->refuse_http;
    all[c->n_listeners] = (struct config_listener){ .settings = settings };
    return &all[c->n_listeners++];
}

struct config_listener *config_find(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        if (strcmp(c->listeners[i].settings->name, name) == 0)
            return &c->listeners[i];
    return NULL;
}

struct config_tls *config_find_tls(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->n_tls; i++)
        if (strcmp(c->tls[i].name, name) == 0)
            return &c->tls[i];
    return NULL;
}

struct config_tls *config_add_tls(struct config *c, const char *name)
{
    struct config_tls *all = reallocarray(c->tls, c->n_tls + 1, sizeof *all);
    char *copy = strdup(name);

    if (all)
        c->tls = all;
    if (!all || !copy) {
        free(copy);
        return NULL;
    }
    all[c->n_tls] = (struct config_tls){
        .name = copy,
        .settings = { .handshake_ms = 10 * 1000, .max_handshakes = 4096 },
    };
    return &all[c->n_tls++];
}

bool config_wants_log(const struct config *c)
{
    for (size_t i = 0; i < c->n_listeners; i++)
        if (c->listeners[i].settings->record == RECORD_LOG)
            return true;
    return false;
}

static void free_values(struct config_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(values[i].text);
}

static void free_tls(struct config_tls *t)
{
    struct tls_settings *s = &t->settings;

    for (size_t i = 0; i < s->n_pairs; i++) {
        free(s->pairs[i].certificate);
        free(s->pairs[i].key);
    }
    free(s->pairs);
    free(s->client_ca);
    free(s->revoked);
    free(s->ciphers);
    free(s->cipher_suites);
    free(s->groups);
    free(s->alpn);
    tls_server_unref(t->server);
    free_values(t->certificates, s->n_pairs);
    free_values(t->keys, s->n_pairs);
    free_values(t->values, CONFIG_TLS_KEYS);
    free_values(&t->place, 1);
    free(t->certificates);
    free(t->keys);
    free(t->name);
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_listeners; i++) {
        for (size_t j = 0; j < c->listeners[i].n_listen; j++)
            free(c->listeners[i].listen[j].text);
        free(c->listeners[i].listen);
        free(c->listeners[i].reply.text);
        free_values(c->listeners[i].values, CONFIG_LISTENER_KEYS);
        settings_unref(c->listeners[i].settings);
    }
    for (size_t i = 0; i < c->n_tls; i++)
        free_tls(&c->tls[i]);
    free(c->tls);
    free_values(c->values, CONFIG_SERVER_KEYS);
    free_values(c->log_values, CONFIG_LOG_KEYS);
    free(c->log.directory);
    config_parts_free(&c->parts);
    free(c->listeners);
    free(c);
}
