/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

/*
 * A TLS client that keeps a server busy:
 *
 *   tls-flood PORT KIND
 *
 *   key-updates     new keys, again and again (TLS 1.3)
 *   key-requests    the same, and the server has to renew its keys each time
 *   key-deaf        the same, and this client receives nothing
 *   renegotiations  a ClientHello, again and again (TLS 1.2)
 *   small           messages of one byte, whose bytes are records of their own
 *
 * It writes `ready` when it has begun. It goes on until the server closes the connection, and then
 * writes the number of records that it made.
 */

#define BATCH 64

enum kind { KEY_UPDATES, KEY_REQUESTS, KEY_DEAF, RENEGOTIATIONS, SMALL, KINDS };
static const char *const names[KINDS] = { "key-updates", "key-requests", "key-deaf",
                                          "renegotiations", "small" };

struct flood {
    enum kind kind;
    int fd;
    SSL *ssl;
    BIO *out;                     /* what is to be sent */
    unsigned char key[16], iv[4]; /* of AES-128-GCM, for records that OpenSSL would not make */
    EVP_CIPHER_CTX *cipher;
    uint64_t sequence;
    unsigned long records;
};

_Noreturn static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void expect(int fine, const char *what)
{
    if (!fine) {
        (void)fprintf(stderr, "tls-flood: %s failed\n", what);
        exit(2);
    }
}

static void dial(struct flood *f, const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)atoi(port)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

    f->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (f->fd < 0 || connect(f->fd, (struct sockaddr *)&address, sizeof address) < 0)
        fail("connect");
}

static void shake(struct flood *f)
{
    int version = f->kind == RENEGOTIATIONS ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    expect(context && SSL_CTX_set_min_proto_version(context, version) == 1 &&
               SSL_CTX_set_max_proto_version(context, version) == 1 &&
               SSL_CTX_set_cipher_list(context, "ECDHE-ECDSA-AES128-GCM-SHA256") == 1,
           "SSL_CTX_new");
    f->ssl = SSL_new(context);
    SSL_CTX_free(context);
    expect(f->ssl && SSL_set_fd(f->ssl, f->fd) == 1 && SSL_connect(f->ssl) == 1, "SSL_connect");
    f->out = BIO_new(BIO_s_mem());
    expect(f->out != NULL, "BIO_new");
    SSL_set0_wbio(f->ssl, f->out);
}

/* The client's key and IV (RFC 5246, 6.3; RFC 5288, 3). */
static void derive(struct flood *f)
{
    unsigned char master[48], seed[13 + 64] = "key expansion", block[2 * 16 + 2 * 4];
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
    EVP_KDF_CTX *prf = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char[]){ "SHA256" }, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof master),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof seed),
        OSSL_PARAM_construct_end(),
    };

    (void)SSL_SESSION_get_master_key(SSL_get0_session(f->ssl), master, sizeof master);
    (void)SSL_get_server_random(f->ssl, seed + 13, 32);
    (void)SSL_get_client_random(f->ssl, seed + 45, 32);
    expect(prf && EVP_KDF_derive(prf, block, sizeof block, parameters) == 1, "TLS1-PRF");
    memcpy(f->key, block, sizeof f->key);
    memcpy(f->iv, block + 32, sizeof f->iv);
    f->cipher = EVP_CIPHER_CTX_new();
    f->sequence = 1; /* Finished was 0 */
    EVP_KDF_CTX_free(prf);
    EVP_KDF_free(kdf);
}

static void add_record(struct flood *f, unsigned char type, const unsigned char *text, size_t n)
{
    unsigned char nonce[12], about[13], record[5 + 8 + 128 + 16];
    size_t size = 8 + n + 16;
    int done;

    memcpy(nonce, f->iv, 4);
    for (int i = 0; i < 8; i++)
        nonce[4 + i] = about[i] = record[5 + i] = (unsigned char)(f->sequence >> (56 - 8 * i));
    f->sequence++;
    memcpy(about + 8, (unsigned char[]){ type, 3, 3, 0, (unsigned char)n }, 5);
    memcpy(record, (unsigned char[]){ type, 3, 3, 0, (unsigned char)size }, 5);
    expect(EVP_EncryptInit_ex2(f->cipher, EVP_aes_128_gcm(), f->key, nonce, NULL) == 1 &&
               EVP_EncryptUpdate(f->cipher, NULL, &done, about, sizeof about) == 1 &&
               EVP_EncryptUpdate(f->cipher, record + 13, &done, text, (int)n) == 1 &&
               EVP_EncryptFinal_ex(f->cipher, record + 13 + n, &done) == 1 &&
               EVP_CIPHER_CTX_ctrl(f->cipher, EVP_CTRL_AEAD_GET_TAG, 16, record + 13 + n) == 1 &&
               BIO_write(f->out, record, (int)(5 + size)) == (int)(5 + size),
           "AES-128-GCM");
}

static void add_hello(struct flood *f)
{
    /* Version, random, no session, one cipher, no compression. */
    unsigned char hello[4 + 2 + 32 + 1 + 4 + 2] = { 1, 0, 0, sizeof hello - 4, 3, 3 };

    memcpy(hello + 4 + 2 + 32, (unsigned char[]){ 0, 0, 2, 0xc0, 0x2b, 1, 0 }, 7);
    add_record(f, SSL3_RT_HANDSHAKE, hello, sizeof hello);
}

static void add(struct flood *f)
{
    switch (f->kind) {
    case RENEGOTIATIONS:
        add_hello(f);
        break;
    case SMALL:
        expect(SSL_write(f->ssl, f->records % 2 ? "\n" : "m", 1) == 1, "SSL_write");
        break;
    default:
        expect(SSL_key_update(f->ssl, f->kind == KEY_UPDATES ? SSL_KEY_UPDATE_NOT_REQUESTED
                                                             : SSL_KEY_UPDATE_REQUESTED) == 1 &&
                   SSL_do_handshake(f->ssl) == 1,
               "SSL_key_update");
    }
    f->records++;
}

/* False: the server has closed. */
static int send_some(struct flood *f)
{
    char *bytes;
    long n;
    ssize_t sent;

    if (BIO_pending(f->out) == 0)
        for (int i = 0; i < BATCH; i++)
            add(f);
    n = BIO_get_mem_data(f->out, &bytes);
    sent = send(f->fd, bytes, (size_t)n, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN;
    for (char sink[4096]; sent > 0;)
        sent -= BIO_read(f->out, sink, sent < (long)sizeof sink ? (int)sent : (int)sizeof sink);
    return 1;
}

/* False: the server has closed. What it sends is of no interest. */
static int receive_some(const struct flood *f)
{
    char bytes[1 << 16];
    ssize_t n = recv(f->fd, bytes, sizeof bytes, 0);

    return n > 0 || (n < 0 && errno == EAGAIN);
}

int main(int argc, char **argv)
{
    struct flood f = { 0 };
    struct pollfd ready = { .events = POLLOUT };

    while (argc == 3 && f.kind < KINDS && strcmp(argv[2], names[f.kind]) != 0)
        f.kind++;
    if (argc != 3 || f.kind == KINDS) {
        (void)fputs("Usage: tls-flood PORT KIND\n", stderr);
        return 2;
    }
    dial(&f, argv[1]);
    shake(&f);
    if (f.kind == RENEGOTIATIONS)
        derive(&f);
    if (f.kind != KEY_DEAF)
        ready.events |= POLLIN;
    ready.fd = f.fd;
    (void)fcntl(f.fd, F_SETFL, O_NONBLOCK);
    (void)puts("ready");
    (void)fflush(stdout);
    while (poll(&ready, 1, -1) > 0)
        if ((ready.revents & POLLIN && !receive_some(&f)) ||
            (ready.revents & (POLLOUT | POLLERR | POLLHUP) && !send_some(&f)))
            break;
    (void)printf("%lu records\n", f.records);
    (void)close(f.fd);
    EVP_CIPHER_CTX_free(f.cipher);
    SSL_free(f.ssl);
    return 0;
}
