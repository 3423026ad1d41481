/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-key.h"
#include "answerd/config-tls.h"
#include "base/macros.h"
#include "base/suggest.h"

#define SUGGESTIONS_MAX 64 /* names that are looked at for the one that was meant */

/* Room for one more pair. */
static int grow(struct config_tls *t)
{
    size_t n = t->settings.n_pairs + 1;
    struct config_value *certificates, *keys;
    struct tls_pair *pairs;

    certificates = reallocarray(t->certificates, n, sizeof *certificates);
    if (!certificates)
        return -ENOMEM;
    t->certificates = certificates;
    keys = reallocarray(t->keys, n, sizeof *keys);
    if (!keys)
        return -ENOMEM;
    t->keys = keys;
    pairs = reallocarray(t->settings.pairs, n, sizeof *pairs);
    if (!pairs)
        return -ENOMEM;
    t->settings.pairs = pairs;
    return 0;
}

static int add_certificate(struct config_tls *t, char *path, struct config_value *noted)
{
    size_t n = t->settings.n_pairs;

    if (grow(t) < 0)
        return -ENOMEM;
    t->settings.pairs[n] = (struct tls_pair){ .certificate = path };
    t->certificates[n] = *noted;
    t->keys[n] = (struct config_value){ 0 };
    t->settings.n_pairs++;
    return 0;
}

static int add_key(struct config_tls *t, char *path, struct config_value *noted,
                   const char **ret_expected)
{
    size_t n = t->settings.n_pairs;

    if (n == 0 || t->settings.pairs[n - 1].key) {
        *ret_expected = n == 0 ? "below its Certificate=" : "the only Key= of its Certificate=";
        return -EINVAL;
    }
    t->settings.pairs[n - 1].key = path;
    t->keys[n - 1] = *noted;
    return 0;
}

int config_tls_add(struct config_tls *t, const char *key, struct config_value *noted,
                   const char **ret_expected)
{
    _cleanup_free_ char *path = NULL;
    int r = config_find_file(noted->text, &path, ret_expected);

    if (r == 0 && strcmp(key, CONFIG_KEY_CERTIFICATE) == 0)
        r = add_certificate(t, path, noted);
    else if (r == 0)
        r = add_key(t, path, noted, ret_expected);
    if (r < 0)
        return r;
    path = NULL;
    noted->text = NULL;
    return 0;
}

static const struct config_value *value_of(const struct config_tls *t, const char *key)
{
    const struct config_key *found = config_key_find(config_tls_keys, key);

    assert(found);
    return &t->values[found - config_tls_keys];
}

/* The value that an error is about; the section, if it is a default. */
static const struct config_value *culprit(const struct config_tls *t, const struct tls_error *error)
{
    static const char *const keys[] = {
        [TLS_SETTING_CLIENT_CA] = "ClientCA", [TLS_SETTING_REVOKED] = "Revoked",
        [TLS_SETTING_CIPHERS] = "Ciphers",    [TLS_SETTING_CIPHER_SUITES] = "CipherSuites",
        [TLS_SETTING_GROUPS] = "Groups",      [TLS_SETTING_ALPN] = "ALPN",
    };
    const struct config_value *value = &t->place;

    if (error->setting == TLS_SETTING_KEY && t->keys[error->pair].text)
        value = &t->keys[error->pair];
    else if (error->setting == TLS_SETTING_KEY || error->setting == TLS_SETTING_CERTIFICATE)
        value = &t->certificates[error->pair];
    else if (error->setting != TLS_SETTING_ANY)
        value = value_of(t, keys[error->setting]);
    return value->text ? value : &t->place;
}

/* Whoever sets one of these expects that clients are verified. */
static int check_clients(const struct config_tls *t, const struct config_blame *b)
{
    const struct tls_settings *s = &t->settings;
    const char *key = s->client_certificate != TLS_CLIENT_NONE ? "ClientCertificate"
                      : s->identity != TLS_IDENTITY_CN         ? "Identity"
                      : s->revoked                             ? "Revoked"
                                                               : NULL;

    if (!key || s->client_ca)
        return 0;
    return config_blame(b, value_of(t, key),
                        "%s=%s: also set ClientCA= to the authority that signs the certificates of "
                        "clients",
                        key, value_of(t, key)->text);
}

static int load(struct config_tls *t, const struct config_blame *b)
{
    struct tls_error error;
    int r;

    if (t->settings.n_pairs == 0)
        return config_blame(b, &t->place, "[TLS %s] has no Certificate=", t->name);
    r = check_clients(t, b);
    if (r < 0)
        return r;
    if (t->settings.client_ca && !value_of(t, "ClientCertificate")->text)
        t->settings.client_certificate = TLS_CLIENT_REQUIRE;
    r = tls_server_new(&t->settings, &t->server, &error);
    if (r == 0)
        return 0;
    r = error.text ? config_blame(b, culprit(t, &error), "%s", error.text) : -ENOMEM;
    free(error.text);
    return r;
}

/* The section that the listener names, or NULL. */
static const char *wanted(const struct config_listener *l)
{
    const struct config_key *key = config_key_find(config_listener_keys, "TLS");
    const char *name = l->values[key - config_listener_keys].text;

    return name && strcmp(name, "none") != 0 ? name : NULL;
}

static void give(const struct config *c, const struct config_tls *t)
{
    for (size_t i = 0; i < c->n_listeners; i++) {
        const char *name = wanted(&c->listeners[i]);
        struct settings *s = c->listeners[i].settings;

        if (!name || strcmp(name, t->name) != 0)
            continue;
        s->tls = tls_server_ref(t->server);
        s->handshake_ms = t->settings.handshake_ms;
        s->max_handshakes = t->settings.max_handshakes;
    }
}

/* Every listener's section exists. */
static int check_names(const struct config *c, const struct config_blame *b)
{
    const struct config_key *key = config_key_find(config_listener_keys, "TLS");
    const char *names[SUGGESTIONS_MAX], *near;
    size_t n = 0;
    int r = 0;

    for (; n < MIN(c->n_tls, (size_t)SUGGESTIONS_MAX); n++)
        names[n] = c->tls[n].name;
    for (size_t i = 0; i < c->n_listeners && r != -ENOMEM; i++) {
        const char *name = wanted(&c->listeners[i]);

        if (!name || config_find_tls(c, name))
            continue;
        near = suggest(name, names, n);
        r = config_blame(b, &c->listeners[i].values[key - config_listener_keys],
                         "TLS=%s: there is no section [TLS %s]%s%s%s", name, name,
                         near ? "; did you mean " : "", near ?: "", near ? "?" : "");
    }
    return r;
}

int config_tls_apply(struct config *c, const struct config_blame *b)
{
    int r = check_names(c, b);

    for (size_t i = 0; i < c->n_tls && r != -ENOMEM; i++) {
        int error = load(&c->tls[i], b);

        if (error == 0)
            give(c, &c->tls[i]);
        else
            r = error;
    }
    return r;
}
