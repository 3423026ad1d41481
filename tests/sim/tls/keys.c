/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The certificate, and all that is made once. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "../seed.h"
#include "../world.h"
#include "chance.h"
#include "keys.h"
#include "net/tls-server.h"
#include "seam.h"
#include "tls.h"

static struct {
    char certificate[32], key[32]; /* files in memory */
} files;
static struct tls_server *server;
static SSL_CTX *client;

bool sim_tls_is_there(void)
{
    return true;
}

struct tls_server *sim_tls_server(void)
{
    return server;
}

SSL_CTX *keys_client(void)
{
    return client;
}

static void need(bool good, const char *what)
{
    if (good)
        return;
    (void)fprintf(stderr, "simulation: %s\n", what);
    ERR_print_errors_fp(stderr);
    abort();
}

/* Its dates are fixed, as is everything in it. */
static X509 *make_certificate(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name;

    need(certificate, "no memory for a certificate");
    name = X509_get_subject_name(certificate);
    need(X509_set_version(certificate, X509_VERSION_3) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1) == 1 &&
             ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20000101000000Z") == 1 &&
             ASN1_TIME_set_string(X509_getm_notAfter(certificate), "20991231235959Z") == 1 &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                        (const unsigned char *)"localhost", -1, -1, 0) == 1 &&
             X509_set_issuer_name(certificate, name) == 1 &&
             X509_set_pubkey(certificate, key) == 1 &&
             X509_sign(certificate, key, EVP_sha256()) > 0,
         "cannot make a certificate");
    return certificate;
}

static void write_files(const X509 *certificate, const EVP_PKEY *key)
{
    int fds[2] = { memfd_create("certificate", MFD_CLOEXEC), memfd_create("key", MFD_CLOEXEC) };
    BIO *bios[2] = { BIO_new_fd(fds[0], BIO_NOCLOSE), BIO_new_fd(fds[1], BIO_NOCLOSE) };

    need(fds[0] >= 0 && fds[1] >= 0 && bios[0] && bios[1], "no memory for files");
    need(PEM_write_bio_X509(bios[0], certificate) == 1 &&
             PEM_write_bio_PrivateKey(bios[1], key, NULL, NULL, 0, NULL, NULL) == 1,
         "cannot write the certificate and its key");
    (void)snprintf(files.certificate, sizeof files.certificate, "/proc/self/fd/%d", fds[0]);
    (void)snprintf(files.key, sizeof files.key, "/proc/self/fd/%d", fds[1]);
    for (int i = 0; i < 2; i++)
        BIO_free(bios[i]);
}

/* OpenSSL makes some things when they are first needed. Then no run is the first. */
static void warm_up(X509 *certificate, EVP_PKEY *key, int version)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ends[2] = { NULL };
    BIO *to_client = BIO_new(BIO_s_mem()), *to_server = BIO_new(BIO_s_mem());
    size_t n;

    need(context && to_client && to_server && SSL_CTX_use_certificate(context, certificate) == 1 &&
             SSL_CTX_use_PrivateKey(context, key) == 1,
         "no server");
    ends[0] = SSL_new(context);
    ends[1] = SSL_new(client);
    need(ends[0] && ends[1] && SSL_set_max_proto_version(ends[1], version) == 1 &&
             BIO_up_ref(to_client) == 1 && BIO_up_ref(to_server) == 1,
         "no streams");
    SSL_set_bio(ends[0], to_server, to_client);
    SSL_set_bio(ends[1], to_client, to_server);
    SSL_set_accept_state(ends[0]);
    SSL_set_connect_state(ends[1]);
    for (int i = 0; i < 8; i++)
        (void)SSL_do_handshake(ends[(i + 1) % 2]);
    need(SSL_is_init_finished(ends[0]) && SSL_is_init_finished(ends[1]) &&
             SSL_write_ex(ends[1], "x", 1, &n) == 1 &&
             SSL_read_ex(ends[0], &(char){ 0 }, 1, &n) == 1,
         "client and server do not understand each other");
    SSL_free(ends[0]);
    SSL_free(ends[1]);
    SSL_CTX_free(context);
    ERR_clear_error();
}

void sim_tls_open(void)
{
    EVP_PKEY *key;
    X509 *certificate;

    /* The machine's configuration must not matter. */
    need(OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1, "no OpenSSL");
    chance_take_over();
    chance_seed(1);
    key = EVP_EC_gen("P-256");
    need(key, "no key");
    certificate = make_certificate(key);
    write_files(certificate, key);
    client = SSL_CTX_new(TLS_client_method());
    need(client, "no client");
    warm_up(certificate, key, TLS1_2_VERSION);
    warm_up(certificate, key, TLS1_3_VERSION);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

void sim_tls_close(void)
{
    SSL_CTX_free(client);
    client = NULL;
}

void sim_tls_begin(void)
{
    chance_seed(sim_below(UINT32_MAX));
    seam_begin();
}

void sim_tls_end(void)
{
    seam_end();
}

size_t sim_tls_left(void)
{
    return seam_left();
}

void sim_tls_process_begins(void)
{
    struct tls_pair pair = { files.certificate, files.key };
    struct tls_settings settings = { .pairs = &pair, .n_pairs = 1, .min_version = TLS_1_2 };
    struct tls_error error = { .text = NULL };

    sim_world_stand_aside(true);
    need(tls_server_new(&settings, &server, &error) == 0, error.text ?: "no TLS server");
    sim_world_stand_aside(false);
}

void sim_tls_process_ends(void)
{
    tls_server_unref(server);
    server = NULL;
}

/* What it held references with is gone. */
void sim_tls_process_is_killed(void)
{
    seam_free_streams();
    while (seam_has_contexts())
        tls_server_unref(server);
    server = NULL;
}
