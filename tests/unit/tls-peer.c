/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "runner.h"
#include "tls-peer.h"

static void name(X509 *certificate)
{
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");

    ck_assert_ptr_nonnull(names);
    ck_assert_int_eq(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                                                (const unsigned char *)"localhost", -1, -1, 0),
                     1);
    ck_assert_int_eq(X509_set_issuer_name(certificate, subject), 1);
    ck_assert_int_eq(X509_add_ext(certificate, names, -1), 1);
    X509_EXTENSION_free(names);
}

static FILE *open_file(const char *path)
{
    FILE *f = fopen(path, "we");

    ck_assert_ptr_nonnull(f);
    return f;
}

void tls_files_make(struct tls_files *f)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    FILE *file;

    ck_assert(key && certificate);
    strcpy(f->folder, "/tmp/answerd-tls-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->folder));
    (void)snprintf(f->certificate, sizeof f->certificate, "%s/crt", f->folder);
    (void)snprintf(f->key, sizeof f->key, "%s/key", f->folder);
    ck_assert_int_eq(X509_set_version(certificate, X509_VERSION_3), 1);
    ck_assert_int_eq(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
    ck_assert_ptr_nonnull(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400));
    name(certificate);
    ck_assert_int_eq(X509_set_pubkey(certificate, key), 1);
    ck_assert_int_gt(X509_sign(certificate, key, EVP_sha256()), 0);
    file = open_file(f->certificate);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    file = open_file(f->key);
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void tls_files_remove(const struct tls_files *f)
{
    (void)unlink(f->certificate);
    (void)unlink(f->key);
    (void)rmdir(f->folder);
}

void tls_peer_begin(struct tls_peer *p, int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    ck_assert_ptr_nonnull(context);
    ck_assert_int_eq(SSL_CTX_set_min_proto_version(context, version), 1);
    ck_assert_int_eq(SSL_CTX_set_max_proto_version(context, version), 1);
    p->ssl = SSL_new(context);
    SSL_CTX_free(context);
    p->in = BIO_new(BIO_s_mem());
    p->out = BIO_new(BIO_s_mem());
    ck_assert(p->ssl && p->in && p->out);
    (void)BIO_set_mem_eof_return(p->in, -1);
    SSL_set_bio(p->ssl, p->in, p->out);
    SSL_set_connect_state(p->ssl);
}

void tls_peer_end(struct tls_peer *p)
{
    SSL_free(p->ssl);
    ERR_clear_error();
    *p = (struct tls_peer){ 0 };
}

size_t tls_peer_takes(struct tls_peer *p, const unsigned char **ret)
{
    static unsigned char bytes[1 << 20];
    int n = BIO_read(p->out, bytes, sizeof bytes);

    *ret = bytes;
    return n > 0 ? (size_t)n : 0;
}

bool tls_peer_hears(struct tls_peer *p, int fd)
{
    unsigned char bytes[32 * 1024];
    ssize_t n;

    while ((n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        if (BIO_write(p->in, bytes, (int)n) != (int)n)
            return false;
    return n < 0 && errno == EAGAIN;
}

bool tls_peer_shakes(struct tls_peer *p)
{
    int r = SSL_do_handshake(p->ssl);

    ERR_clear_error();
    return r == 1;
}

void tls_peer_says(struct tls_peer *p, const char *text)
{
    ck_assert_int_eq(SSL_write(p->ssl, text, (int)strlen(text)), (int)strlen(text));
}

const char *tls_peer_received(struct tls_peer *p)
{
    static char text[1 << 20];
    size_t size = 0, n;
    int r;

    while ((r = SSL_read_ex(p->ssl, text + size, sizeof text - 2 - size, &n)) == 1)
        size += n;
    r = SSL_get_error(p->ssl, r);
    if (r == SSL_ERROR_ZERO_RETURN)
        text[size++] = '$';
    else if (r != SSL_ERROR_WANT_READ)
        text[size++] = '!';
    ERR_clear_error();
    text[size] = '\0';
    return text;
}
