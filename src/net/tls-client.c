/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "net/openssl.h"
#include "net/tls-client.h"
#include "net/tls-trouble.h"

#define HOST_MAX 253 /* bytes of a host name (RFC 1035, 2.3.4, as text) */

struct tls_client {
    SSL_CTX *context;
    char *ca;   /* the file, or NULL */
    char *host; /* the name to send, or NULL */
    pthread_mutex_t lock;
    SSL_SESSION *session; /* the newest, under the lock, or NULL */
};

_printf_(2, 3) static int refuse(char **ret_error, const char *format, ...)
{
    va_list args;

    ERR_clear_error();
    va_start(args, format);
    if (vasprintf(ret_error, format, args) < 0)
        *ret_error = NULL;
    va_end(args);
    return *ret_error ? -EINVAL : -ENOMEM;
}

/* OpenSSL does not say why a file cannot be read. 0 or a negative errno. */
static int check_readable(const char *file)
{
    FILE *f = fopen(file, "re");
    int error = 0;

    if (!f)
        return -errno;
    errno = 0;
    if (fgetc(f) == EOF && ferror(f))
        error = errno;
    (void)fclose(f);
    return -error;
}

/* It is called for an encrypted key. OpenSSL's own would ask at the terminal. */
static int refuse_password(char *password, int size, int writing, void *userdata)
{
    (void)password;
    (void)size;
    (void)writing;
    *(bool *)userdata = true;
    return -1;
}

static bool failed_with(int library, int reason)
{
    unsigned long error = ERR_peek_error();

    return ERR_GET_LIB(error) == library && ERR_GET_REASON(error) == reason;
}

static int load_ca(struct tls_client *client, const char *file, char **ret_error)
{
    SSL_CTX *context = client->context;
    int r;

    if (!file) {
        /* A system without any certificates is no error. Nobody will be trusted. */
        r = SSL_CTX_set_default_verify_paths(context);
        ERR_clear_error();
        return r == 1 ? 0 : -ENOMEM;
    }
    r = check_readable(file);
    if (r < 0)
        return refuse(ret_error, "%s: %s", file, strerror(-r));
    if (SSL_CTX_load_verify_file(context, file) != 1)
        return failed_with(ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND)
                   ? refuse(ret_error, "%s: no PEM certificate is in it", file)
                   : refuse(ret_error, "%s: a certificate in it is damaged", file);
    /* The file may name an intermediate CA, or the server's certificate itself. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    client->ca = strdup(file);
    return client->ca ? 0 : -ENOMEM;
}

static int load_certificate(SSL_CTX *context, const char *file, char **ret_error)
{
    int r = check_readable(file);

    if (r < 0)
        return refuse(ret_error, "%s: %s", file, strerror(-r));
    if (SSL_CTX_use_certificate_chain_file(context, file) == 1)
        return 0;
    if (failed_with(ERR_LIB_PEM, PEM_R_NO_START_LINE))
        return refuse(ret_error, "%s: no PEM certificate is in it", file);
    return refuse(ret_error, "%s: its certificate cannot be used: %s", file,
                  ERR_reason_error_string(ERR_peek_error()) ?: "it is damaged");
}

static int load_key(SSL_CTX *context, const char *file, const char *certificate, char **ret_error)
{
    bool encrypted = false;
    int r = check_readable(file);

    if (r < 0)
        return refuse(ret_error, "%s: %s", file, strerror(-r));
    SSL_CTX_set_default_passwd_cb(context, refuse_password);
    SSL_CTX_set_default_passwd_cb_userdata(context, &encrypted);
    r = SSL_CTX_use_PrivateKey_file(context, file, SSL_FILETYPE_PEM);
    SSL_CTX_set_default_passwd_cb_userdata(context, NULL);
    if (encrypted)
        return refuse(ret_error, "%s: its key is encrypted; decrypt it with openssl-pkey(1)", file);
    if (r != 1 && !failed_with(ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH))
        return refuse(ret_error, "%s: no PEM key is in it, or it is damaged", file);
    if (r != 1 || SSL_CTX_check_private_key(context) != 1)
        return refuse(ret_error, "%s: its key does not belong to the certificate in %s", file,
                      certificate);
    return 0;
}

static bool is_ip(const char *text)
{
    return inet_pton(AF_INET, text, &(struct in_addr){ 0 }) == 1 ||
           inet_pton(AF_INET6, text, &(struct in6_addr){ 0 }) == 1;
}

/* The certificate has neither the interface of a link-local address nor a host name's final dot.
 * The latter is not sent either (RFC 6066, 3). */
static void normalize(char *name)
{
    size_t n = strlen(name);

    if (strchr(name, ':'))
        name[strcspn(name, "%")] = '\0';
    else if (n > 1 && name[n - 1] == '.')
        name[n - 1] = '\0';
}

static int set_name(struct tls_client *client, const char *text, bool verifies, char **ret_error)
{
    X509_VERIFY_PARAM *expected = SSL_CTX_get0_param(client->context);
    _cleanup_free_ char *name = strdup(text);
    int r = 1;

    if (!name)
        return -ENOMEM;
    normalize(name);
    if (is_ip(name))
        return !verifies || X509_VERIFY_PARAM_set1_ip_asc(expected, name) == 1 ? 0 : -ENOMEM;
    if (!name[0] || strlen(name) > HOST_MAX)
        return refuse(ret_error, "'%s' is no host name", text);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    if (verifies)
        r = X509_VERIFY_PARAM_set1_host(expected, name, 0);
    client->host = STEAL_PTR(name);
    return r == 1 ? 0 : -ENOMEM;
}

/* Keeps the session if 1 is returned. OpenSSL never changes one that it has given away
 * (tls_process_new_session_ticket()). */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct tls_client *client = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    SSL_SESSION *old;

    if (!SSL_SESSION_is_resumable(session))
        return 0;
    (void)pthread_mutex_lock(&client->lock);
    old = client->session;
    client->session = session;
    (void)pthread_mutex_unlock(&client->lock);
    SSL_SESSION_free(old);
    return 1;
}

static int configure(struct tls_client *client, const struct tls_client_settings *settings,
                     char **ret_error)
{
    SSL_CTX *context = client->context;
    int r = tls_trouble_watch(context, !settings->insecure);

    if (r == 0 && SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1)
        r = -ENOMEM;
    if (r == 0 && (settings->ca || !settings->insecure))
        r = load_ca(client, settings->ca, ret_error);
    if (r == 0 && settings->certificate)
        r = load_certificate(context, settings->certificate, ret_error);
    if (r == 0 && settings->certificate)
        r = load_key(context, settings->key ?: settings->certificate, settings->certificate,
                     ret_error);
    if (r == 0 && settings->name)
        r = set_name(client, settings->name, !settings->insecure, ret_error);
    if (r < 0)
        return r;
    if (settings->resumes) {
        (void)SSL_CTX_set_app_data(context, client);
        (void)SSL_CTX_set_session_cache_mode(context,
                                             SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(context, keep_session);
    }
    return 0;
}

int tls_client_new(const struct tls_client_settings *settings, struct tls_client **ret,
                   char **ret_error)
{
    struct tls_client *client = calloc(1, sizeof *client);
    int r = -ENOMEM;

    *ret_error = NULL;
    if (!client)
        return -ENOMEM;
    (void)pthread_mutex_init(&client->lock, NULL);
    /* At exit, OpenSSL would free what another thread may still use for its handshake. */
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) == 1)
        client->context = openssl_context_new(TLS_client_method());
    if (client->context)
        r = configure(client, settings, ret_error);
    ERR_clear_error();
    if (r < 0) {
        tls_client_free(client);
        return r;
    }
    *ret = client;
    return 0;
}

void tls_client_free(struct tls_client *client)
{
    if (!client)
        return;
    SSL_SESSION_free(client->session);
    SSL_CTX_free(client->context);
    (void)pthread_mutex_destroy(&client->lock);
    free(client->ca);
    free(client->host);
    free(client);
}

const char *tls_client_ca(const struct tls_client *client)
{
    return client->ca;
}

static bool offer_session(struct tls_client *client, SSL *ssl)
{
    int r = 1;

    (void)pthread_mutex_lock(&client->lock);
    if (client->session)
        r = SSL_set_session(ssl, client->session);
    (void)pthread_mutex_unlock(&client->lock);
    return r == 1;
}

struct tls *tls_client_connect(struct tls_client *client, struct source *s, bool is_unix)
{
    SSL *ssl = openssl_stream_new(client->context, s, is_unix);

    if (!ssl)
        return NULL;
    if ((client->host && SSL_set_tlsext_host_name(ssl, client->host) != 1) ||
        !offer_session(client, ssl)) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_connect_state(ssl);
    return (struct tls *)ssl;
}

bool tls_client_resumed(const struct tls *t)
{
    return SSL_session_reused(tls_ssl(t));
}
