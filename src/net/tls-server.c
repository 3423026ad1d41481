/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "net/openssl.h"
#include "net/tls-certificates.h"
#include "net/tls-server.h"
#include "net/tls-tickets.h"
#include "net/tls-verify.h"

struct tls_server {
    atomic_uint references;
    struct tls_certificates certificates;
    struct tls_verify verify;
    struct tls_tickets *tickets;
    unsigned char *protocols; /* of ALPN, as they are sent; NULL: any */
    unsigned n_protocols;     /* bytes */
    enum tls_identity identity;
};

/* It counts while the machine sleeps, too. */
static uint64_t seconds_since_boot(void)
{
    return clock_us(CLOCK_BOOTTIME) / 1000000;
}

static int on_protocols(SSL *ssl, const unsigned char **ret, unsigned char *ret_size,
                        const unsigned char *offered, unsigned n, void *userdata)
{
    const struct tls_server *server = userdata;
    unsigned char *chosen;

    (void)ssl;
    if (SSL_select_next_proto(&chosen, ret_size, server->protocols, server->n_protocols, offered,
                              n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Each name behind a byte with its size. */
static int set_protocols(struct tls_server *server, const struct tls_settings *settings,
                         struct tls_error *ret_error)
{
    size_t total = 0, used = 0;

    ret_error->setting = TLS_SETTING_ALPN;
    for (char **name = settings->alpn; name && *name; name++) {
        size_t n = strlen(*name);

        if (n == 0 || n > UINT8_MAX)
            return openssl_refuse(&ret_error->text, "a protocol of ALPN has 1 to 255 bytes");
        total += n + 1;
    }
    if (total > UINT16_MAX)
        return openssl_refuse(&ret_error->text, "the protocols of ALPN have at most 65535 bytes");
    if (total == 0)
        return 0;
    server->protocols = malloc(total);
    if (!server->protocols)
        return -ENOMEM;
    for (char **name = settings->alpn; *name; name++) {
        size_t n = strlen(*name);

        server->protocols[used++] = (unsigned char)n;
        memcpy(server->protocols + used, *name, n);
        used += n;
    }
    server->n_protocols = (unsigned)used;
    return 0;
}

static int set_algorithms(SSL_CTX *context, const struct tls_settings *settings,
                          struct tls_error *ret_error)
{
    const char *ciphers = settings->ciphers ?: TLS_CIPHERS;
    int version = settings->min_version == TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

    if (SSL_CTX_set_min_proto_version(context, version) != 1 ||
        SSL_CTX_set_max_proto_version(context, 0) != 1)
        return openssl_refuse(&ret_error->text, "OpenSSL has no TLS %s",
                              settings->min_version == TLS_1_3 ? "1.3" : "1.2");
    ret_error->setting = TLS_SETTING_CIPHERS;
    if (SSL_CTX_set_cipher_list(context, ciphers) != 1)
        return openssl_refuse(&ret_error->text,
                              "OpenSSL knows none of these ciphers of TLS 1.2: %s", ciphers);
    ret_error->setting = TLS_SETTING_CIPHER_SUITES;
    if (settings->cipher_suites && SSL_CTX_set_ciphersuites(context, settings->cipher_suites) != 1)
        return openssl_refuse(&ret_error->text,
                              "OpenSSL does not know all of these ciphers of TLS 1.3: %s",
                              settings->cipher_suites);
    ret_error->setting = TLS_SETTING_GROUPS;
    if (settings->groups && SSL_CTX_set1_groups_list(context, settings->groups) != 1)
        return openssl_refuse(&ret_error->text, "OpenSSL does not know all of these groups: %s",
                              settings->groups);
    ret_error->setting = TLS_SETTING_ANY;
    return 0;
}

static int configure(struct tls_server *server, SSL_CTX *context,
                     const struct tls_settings *settings, struct tls_error *ret_error)
{
    static const unsigned char id[] = "answerd";
    int r = set_algorithms(context, settings, ret_error);

    if (r < 0)
        return r;
    (void)SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    /* The chain is what the file has. OpenSSL would look for more at each handshake. */
    (void)SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
    (void)SSL_CTX_set_max_early_data(context, 0);
    if (SSL_CTX_set_session_id_context(context, id, sizeof id - 1) != 1)
        return -ENOMEM;
    tls_tickets_use(server->tickets, context);
    if (server->protocols)
        SSL_CTX_set_alpn_select_cb(context, on_protocols, server);
    return tls_verify_use(&server->verify, context);
}

static int load(struct tls_server *server, const struct tls_settings *settings,
                struct tls_error *ret_error)
{
    int r = tls_certificates_load(settings, &server->certificates, ret_error);

    if (r == 0)
        r = tls_verify_load(settings, &server->verify, ret_error);
    if (r == 0)
        r = set_protocols(server, settings, ret_error);
    if (r < 0)
        return r;
    ret_error->setting = TLS_SETTING_ANY;
    server->tickets = tls_tickets_new(seconds_since_boot);
    if (!server->tickets)
        return -ENOMEM;
    for (size_t i = 0; i < server->certificates.n && r == 0; i++)
        r = configure(server, server->certificates.groups[i].context, settings, ret_error);
    return r;
}

int tls_server_new(const struct tls_settings *settings, struct tls_server **ret,
                   struct tls_error *ret_error)
{
    struct tls_server *server = calloc(1, sizeof *server);
    int r = -ENOMEM;

    *ret_error = (struct tls_error){ 0 };
    if (!server)
        return -ENOMEM;
    server->references = 1;
    server->identity = settings->identity;
    /* At exit, OpenSSL would free what the thread of a reload may still use. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) == 1)
        r = load(server, settings, ret_error);
    ERR_clear_error();
    if (r < 0) {
        tls_server_unref(server);
        return r;
    }
    *ret = server;
    return 0;
}

struct tls_server *tls_server_ref(struct tls_server *server)
{
    atomic_fetch_add_explicit(&server->references, 1, memory_order_relaxed);
    return server;
}

void tls_server_unref(struct tls_server *server)
{
    if (!server || atomic_fetch_sub_explicit(&server->references, 1, memory_order_acq_rel) > 1)
        return;
    tls_certificates_free(&server->certificates);
    tls_verify_free(&server->verify);
    tls_tickets_free(server->tickets);
    free(server->protocols);
    free(server);
}

time_t tls_server_expires(const struct tls_server *server, const char **ret_file)
{
    *ret_file = server->certificates.file;
    return server->certificates.expires;
}

struct tls *tls_server_accept(struct tls_server *server, struct source *s, bool is_unix, bool mute)
{
    SSL *ssl = openssl_stream_new(server->certificates.groups[0].context, s, is_unix);

    if (!ssl)
        return NULL;
    SSL_set_accept_state(ssl);
    if (mute)
        (void)SSL_set_num_tickets(ssl, 0);
    return (struct tls *)ssl;
}

bool tls_server_verifies(const struct tls_server *server)
{
    return server->verify.store && server->verify.demand != TLS_CLIENT_NONE;
}

size_t tls_server_client_name(const struct tls_server *server, const struct tls *t,
                              char name[static TLS_NAME_MAX + 1])
{
    return tls_verify_name(tls_ssl(t), server->identity, name);
}
