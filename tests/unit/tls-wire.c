/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/macros.h"
#include "runner.h"
#include "tls-wire.h"

#define DAY      (24 * 3600L)
#define FILE_MAX 16

static char folder[32], paths[FILE_MAX][64];
static size_t n_paths;

/* ThreadSanitizer asks for it. OpenSSL's libraries are not built with it, so it does not see that
 * they count references with atomic operations. */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libcrypto.so\ncalled_from_lib:libssl.so\n";
}

static void extend(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

struct identity identity_new(const struct recipe *r, const struct identity *issuer)
{
    static long serial;
    struct identity i = { X509_new(), r->is_rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
    X509_NAME *name = X509_get_subject_name(i.certificate);

    ck_assert_ptr_nonnull(i.key);
    ck_assert_int_eq(X509_set_version(i.certificate, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(i.certificate), ++serial), 1);
    if (r->name)
        ck_assert_int_eq(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                                    (const unsigned char *)r->name, -1, -1, 0),
                         1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(i.certificate), r->from ?: -DAY));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(i.certificate), r->until ?: DAY));
    if (r->names)
        extend(i.certificate, NID_subject_alt_name, r->names);
    if (r->usage)
        extend(i.certificate, NID_ext_key_usage, r->usage);
    if (r->is_ca)
        extend(i.certificate, NID_basic_constraints, "critical,CA:TRUE");
    ck_assert_int_eq(X509_set_pubkey(i.certificate, i.key), 1);
    ck_assert_int_eq(X509_set_issuer_name(
                         i.certificate, issuer ? X509_get_subject_name(issuer->certificate) : name),
                     1);
    ck_assert_int_gt(X509_sign(i.certificate, issuer ? issuer->key : i.key, EVP_sha256()), 0);
    return i;
}

void identity_free(struct identity *i)
{
    X509_free(i->certificate);
    EVP_PKEY_free(i->key);
    *i = (struct identity){ NULL, NULL };
}

void folder_make(void)
{
    n_paths = 0;
    (void)snprintf(folder, sizeof folder, "/tmp/answerd-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

void folder_remove(void)
{
    for (size_t i = 0; i < n_paths; i++)
        (void)unlink(paths[i]);
    ck_assert_int_eq(rmdir(folder), 0);
}

static FILE *create(const char *name, const char **ret_path)
{
    char *path = paths[n_paths++];
    FILE *f;

    ck_assert_uint_le(n_paths, FILE_MAX);
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    *ret_path = path;
    return f;
}

const char *file_of_certificate(const char *name, const struct identity *i)
{
    const char *path;
    FILE *f = create(name, &path);

    ck_assert_int_eq(PEM_write_X509(f, i->certificate), 1);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

const char *file_of_key(const char *name, const struct identity *i, const char *password)
{
    const char *path;
    FILE *f = create(name, &path);

    ck_assert_int_eq(PEM_write_PrivateKey(f, i->key, password ? EVP_aes_128_cbc() : NULL, NULL, 0,
                                          NULL, (void *)password),
                     1);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

const char *file_of(const char *name, const char *text)
{
    const char *path;
    FILE *f = create(name, &path);

    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    return path;
}

SSL_CTX *server_new(const struct identity *i)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());

    ck_assert_int_eq(SSL_CTX_use_certificate(context, i->certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(context, i->key), 1);
    ck_assert_int_eq(SSL_CTX_set_session_id_context(context, (const unsigned char *)"test", 4), 1);
    return context;
}

void wire_open(struct wire *w, SSL_CTX *server, struct tls_client *client)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    *w = (struct wire){ .source.fd = fds[0], .server_fd = fds[1] };
    w->client = tls_client_connect(client, &w->source, true);
    ck_assert_ptr_nonnull(w->client);
    if (!server)
        return;
    w->server = SSL_new(server);
    ck_assert_int_eq(SSL_set_fd(w->server, fds[1]), 1);
    SSL_set_accept_state(w->server);
}

void wire_close(struct wire *w)
{
    tls_free(w->client);
    SSL_free(w->server);
    (void)close_fd(w->source.fd);
    (void)close_fd(w->server_fd);
}

/* A side that has had nothing to do twice waits for the other. */
int wire_shake(struct wire *w)
{
    w->result = -EAGAIN;
    for (int i = 0; i < 8; i++) {
        if (w->result == -EAGAIN) {
            w->source.ready = TLS_READY_ALL;
            w->result = tls_handshake(w->client, &w->reason);
        }
        if (w->server)
            (void)SSL_do_handshake(w->server);
    }
    return w->result;
}
