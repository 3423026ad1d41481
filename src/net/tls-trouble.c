/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>

#include "net/tls-trouble.h"

static int place = -1; /* of a struct tls_trouble in an SSL's extra data */

static void free_trouble(void *parent, void *pointer, CRYPTO_EX_DATA *data, int index, long number,
                         void *more)
{
    struct tls_trouble *trouble = pointer;

    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)more;
    if (trouble)
        X509_free(trouble->certificate);
    OPENSSL_free(trouble);
}

static void find_place(void)
{
    place = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_trouble);
}

/* Most streams have no trouble, so it is made when it is needed. NULL: memory is short, and the
 * explanation will be less precise. */
static struct tls_trouble *note(SSL *ssl)
{
    struct tls_trouble *trouble = SSL_get_ex_data(ssl, place);

    if (trouble)
        return trouble;
    trouble = OPENSSL_zalloc(sizeof *trouble);
    if (!trouble || SSL_set_ex_data(ssl, place, trouble) == 1)
        return trouble;
    OPENSSL_free(trouble);
    return NULL;
}

static int note_certificate(int ok, X509_STORE_CTX *verification)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx());
    X509 *certificate = X509_STORE_CTX_get_current_cert(verification);
    struct tls_trouble *trouble;

    if (ok || !ssl || !certificate)
        return ok;
    trouble = note(ssl);
    if (!trouble || trouble->certificate || X509_up_ref(certificate) != 1)
        return ok;
    trouble->certificate = certificate;
    trouble->error = X509_STORE_CTX_get_error(verification);
    trouble->depth = X509_STORE_CTX_get_error_depth(verification);
    return ok;
}

/* TLS 1.3 ignores an alert's level: all are fatal, except for the two that end a stream. */
static bool is_fatal(const SSL *ssl, int alert)
{
    if ((alert & 0xff) == SSL_AD_CLOSE_NOTIFY || (alert & 0xff) == SSL_AD_USER_CANCELLED)
        return false;
    return alert >> 8 == SSL3_AL_FATAL || SSL_version(ssl) == TLS1_3_VERSION;
}

static void note_alert(const SSL *ssl, int where, int value)
{
    struct tls_trouble *trouble;

    if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || !is_fatal(ssl, value))
        return;
    trouble = note((SSL *)ssl);
    if (trouble)
        trouble->alert = value & 0xff;
}

/* Called only if the stream has no certificate of its own. 0: it sends none. */
static int note_request(SSL *ssl, X509 **certificate, EVP_PKEY **key)
{
    struct tls_trouble *trouble = note(ssl);

    (void)certificate;
    (void)key;
    if (trouble)
        trouble->asked = true;
    return 0;
}

int tls_trouble_watch(SSL_CTX *context, bool verifies)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, find_place);
    if (place < 0)
        return -ENOMEM;
    SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
                       verifies ? note_certificate : NULL);
    SSL_CTX_set_info_callback(context, note_alert);
    SSL_CTX_set_client_cert_cb(context, note_request);
    return 0;
}

const struct tls_trouble *tls_trouble_of(const SSL *ssl)
{
    return place < 0 ? NULL : SSL_get_ex_data(ssl, place);
}
