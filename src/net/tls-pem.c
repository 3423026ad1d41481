/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/macros.h"
#include "net/openssl.h"
#include "net/tls-pem.h"

void tls_pem_free_certificates(STACK_OF(X509) * *certificates)
{
    sk_X509_pop_free(*certificates, X509_free);
}

void tls_pem_free_revocations(STACK_OF(X509_CRL) * *lists)
{
    sk_X509_CRL_pop_free(*lists, X509_CRL_free);
}

void tls_pem_free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_bio(BIO **bio)
{
    (void)BIO_free(*bio);
}

/* Opening a pipe or a terminal could wait for ever, and so could reading from it. */
static int open_file(const char *file, BIO **ret, char **ret_error)
{
    _cleanup_close_ int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat st;
    FILE *stream;

    if (fd < 0 || fstat(fd, &st) < 0)
        return openssl_refuse(ret_error, "%s: %s", file, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return openssl_refuse(ret_error, "%s: %s", file,
                              S_ISDIR(st.st_mode) ? strerror(EISDIR) : "not a regular file");
    stream = fdopen(fd, "r");
    if (!stream)
        return -ENOMEM;
    (void)STEAL_FD(fd);
    *ret = BIO_new_fp(stream, BIO_CLOSE);
    if (*ret)
        return 0;
    (void)fclose(stream);
    return -ENOMEM;
}

/* It is called for what is encrypted. OpenSSL's own would ask at the terminal. */
static int refuse_password(char *password, int size, int writing, void *encrypted)
{
    (void)password;
    (void)size;
    (void)writing;
    *(bool *)encrypted = true;
    return -1;
}

/* Why nothing more was read from the file, of which n were. 0: they are all. */
static int at_end(const char *file, BIO *bio, int n, const char *what, char **ret_error)
{
    unsigned long error = ERR_peek_last_error();
    FILE *stream = NULL;

    if (BIO_get_fp(bio, &stream) == 1 && ferror(stream))
        return openssl_refuse(ret_error, "%s: cannot be read: %s", file, strerror(EIO));
    if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
        return openssl_refuse(ret_error, "%s: a %s in it is damaged", file, what);
    ERR_clear_error();
    return n > 0 ? 0 : openssl_refuse(ret_error, "%s: no PEM %s is in it", file, what);
}

int tls_pem_certificates(const char *file, STACK_OF(X509) * *ret, char **ret_error)
{
    _cleanup_(tls_pem_free_certificates) STACK_OF(X509) *all = sk_X509_new_null();
    _cleanup_(free_bio) BIO *bio = NULL;
    bool encrypted = false;
    X509 *one;
    int r = all ? open_file(file, &bio, ret_error) : -ENOMEM;

    if (r < 0)
        return r;
    while ((one = PEM_read_bio_X509(bio, NULL, refuse_password, &encrypted)))
        if (!sk_X509_push(all, one)) {
            X509_free(one);
            return -ENOMEM;
        }
    r = at_end(file, bio, sk_X509_num(all), "certificate", ret_error);
    if (r == 0)
        *ret = STEAL_PTR(all);
    return r;
}

int tls_pem_revocations(const char *file, STACK_OF(X509_CRL) * *ret, char **ret_error)
{
    _cleanup_(tls_pem_free_revocations) STACK_OF(X509_CRL) *all = sk_X509_CRL_new_null();
    _cleanup_(free_bio) BIO *bio = NULL;
    bool encrypted = false;
    X509_CRL *one;
    int r = all ? open_file(file, &bio, ret_error) : -ENOMEM;

    if (r < 0)
        return r;
    while ((one = PEM_read_bio_X509_CRL(bio, NULL, refuse_password, &encrypted)))
        if (!sk_X509_CRL_push(all, one)) {
            X509_CRL_free(one);
            return -ENOMEM;
        }
    r = at_end(file, bio, sk_X509_CRL_num(all), "revocation list", ret_error);
    if (r == 0)
        *ret = STEAL_PTR(all);
    return r;
}

int tls_pem_key(const char *file, EVP_PKEY **ret, char **ret_error)
{
    _cleanup_(free_bio) BIO *bio = NULL;
    bool encrypted = false;
    EVP_PKEY *key;
    int r = open_file(file, &bio, ret_error);

    if (r < 0)
        return r;
    key = PEM_read_bio_PrivateKey(bio, NULL, refuse_password, &encrypted);
    ERR_clear_error();
    if (encrypted) {
        EVP_PKEY_free(key);
        return openssl_refuse(ret_error,
                              "%s: its key is encrypted; decrypt it with openssl-pkey(1)", file);
    }
    if (!key)
        return openssl_refuse(ret_error, "%s: no PEM key is in it, or it is damaged", file);
    *ret = key;
    return 0;
}
