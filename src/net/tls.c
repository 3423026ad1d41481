/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "net/openssl.h"
#include "net/tls.h"

/* Of this thread's last failure. */
static _Thread_local const char *last_reason;

/* Of an operation that returned r <= 0. -EAGAIN, or a negative errno after which the stream is
 * unusable. The queue of errors was empty before it, and is empty again. */
static int failure(SSL *ssl, int r, const char **ret_error)
{
    int error = SSL_get_error(ssl, r);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
        return -EAGAIN;
    /* From now on nothing may be sent, not even close_notify (SSL_shutdown(3)). */
    SSL_set_quiet_shutdown(ssl, 1);
    *ret_error = openssl_reason(openssl_excess() ?: "the stream ended within it");
    last_reason = *ret_error;
    return error == SSL_ERROR_SYSCALL ? -(openssl_take_socket_error() ?: EPROTO) : -EPROTO;
}

/* What is wrong with the client's certificate, in words that say whose it is. OpenSSL's own reason
 * only says that something is. */
static const char *objection(const SSL *ssl)
{
    long result = SSL_is_server(ssl) ? SSL_get_verify_result(ssl) : X509_V_OK;

    switch (result) {
    case X509_V_OK:
        return NULL;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "the client's certificate has expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "the client's certificate is not valid yet";
    case X509_V_ERR_CERT_REVOKED:
        return "the client's certificate is revoked";
    case X509_V_ERR_UNABLE_TO_GET_CRL:
        return "Revoked= has no list of the authority of the client's certificate";
    case X509_V_ERR_CRL_HAS_EXPIRED:
        return "the revocation list of the client's authority is out of date";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "the client's certificate is of no authority in ClientCA=";
    default:
        return X509_verify_cert_error_string(result);
    }
}

int tls_handshake(struct tls *t, const char **ret_error)
{
    int r;

    openssl_stream_use(tls_ssl(t));
    r = SSL_do_handshake(tls_ssl(t));
    if (r == 1)
        return 0;
    r = failure(tls_ssl(t), r, ret_error);
    if (r == -EPROTO)
        *ret_error = objection(tls_ssl(t)) ?: *ret_error;
    return r;
}

/* Of a read that returned r <= 0: whether OpenSSL has stopped while the socket may have more. It does
 * so behind new keys, if they were the last that it has read. SSL_want_read() would also be true
 * after a failure, such as a reset. */
static bool stopped_early(const SSL *ssl, int r)
{
    const struct source *s = openssl_stream_source(ssl);

    return SSL_get_error(ssl, r) == SSL_ERROR_WANT_READ && s->ready & READY_INPUT;
}

ssize_t tls_recv(struct tls *t, void *bytes, size_t n)
{
    SSL *ssl = tls_ssl(t);
    const char *error;
    size_t some;
    int r;

    openssl_stream_use(ssl);
    do
        r = SSL_read_ex(ssl, bytes, n, &some);
    while (r != 1 && stopped_early(ssl, r));
    if (r == 1) {
        openssl_stream_has_data(ssl);
        return (ssize_t)some;
    }
    if (openssl_excess() || SSL_get_error(ssl, r) != SSL_ERROR_ZERO_RETURN)
        return failure(ssl, r, &error);
    /* Behind close_notify nothing is read. So if the socket has ended, there was none. */
    return BIO_test_flags(SSL_get_rbio(ssl), BIO_FLAGS_IN_EOF) ? -ENODATA : 0;
}

const char *tls_reason(void)
{
    return last_reason;
}

bool tls_has_bytes(const struct tls *t)
{
    return SSL_has_pending(tls_ssl(t));
}

ssize_t tls_send(struct tls *t, const void *bytes, size_t n)
{
    const char *error;
    size_t some;
    int r;

    openssl_stream_use(tls_ssl(t));
    r = SSL_write_ex(tls_ssl(t), bytes, n, &some);
    return r == 1 ? (ssize_t)some : failure(tls_ssl(t), r, &error);
}

int tls_end(struct tls *t)
{
    const char *error;
    int r;

    if (SSL_in_init(tls_ssl(t)))
        return 0;
    openssl_stream_use(tls_ssl(t));
    r = SSL_shutdown(tls_ssl(t));
    return r < 0 && failure(tls_ssl(t), r, &error) == -EAGAIN ? -EAGAIN : 0;
}

void tls_move(struct tls *t, struct source *s)
{
    openssl_stream_move(tls_ssl(t), s);
}

void tls_free(struct tls *t)
{
    SSL_free(tls_ssl(t));
}
