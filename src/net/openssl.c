/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>

#include "net/openssl.h"
#include "net/socket.h"

/* SSL_set_fd() would call write(2), which raises SIGPIPE, and would not keep the readiness bits. */

#define IS_UNIX 0x4000 /* a flag of our own in the BIO; OpenSSL uses lower ones (bio.h) */

/* Why the socket failed, if it was the socket: OpenSSL does not keep errno. */
static _Thread_local int socket_error;

int openssl_take_socket_error(void)
{
    int error = socket_error;

    socket_error = 0;
    return error;
}

static int read_source(BIO *bio, char *bytes, int n)
{
    struct source *s = BIO_get_data(bio);
    ssize_t r;

    BIO_clear_retry_flags(bio);
    if (!(s->ready & READY_INPUT)) {
        BIO_set_retry_read(bio);
        return -1;
    }
    do
        r = socket_recv(s->fd, bytes, (size_t)n);
    while (r < 0 && errno == EINTR);
    if (r > 0 && r < n && source_short_read_drains(s, BIO_test_flags(bio, IS_UNIX)))
        s->ready &= (uint8_t)~READY_IN;
    if (r == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    if (r >= 0)
        return (int)r;
    if (errno == EAGAIN) {
        s->ready &= READY_OUT;
        BIO_set_retry_read(bio);
    } else {
        socket_error = errno;
    }
    return -1;
}

static int write_source(BIO *bio, const char *bytes, int n)
{
    struct source *s = BIO_get_data(bio);
    ssize_t r = -1;

    BIO_clear_retry_flags(bio);
    errno = EAGAIN;
    if (s->ready & READY_OUT)
        do
            r = socket_send(s->fd, bytes, (size_t)n);
        while (r < 0 && errno == EINTR);
    if (r >= 0)
        return (int)r;
    if (errno == EAGAIN) {
        s->ready &= (uint8_t)~READY_OUT;
        BIO_set_retry_write(bio);
    } else {
        socket_error = errno;
    }
    return -1;
}

static long control_source(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH; /* nothing is held back */
}

/* --- what a peer may not do without end ------------------------------------------------------- */

/* Each costs about as much as ten messages of the peer, or more. Its own handshake has up to
 * eight. */
#define SHAKES_MAX 32

static _Thread_local bool too_many;

/* Behind this, OpenSSL reads nothing more from the peer, not even what is in its buffer. The number
 * is in the argument, where it needs no memory. */
static void on_message(int sent, int version, int type, const void *bytes, size_t n, SSL *ssl,
                       void *argument)
{
    uintptr_t shakes = (uintptr_t)argument + 1;

    (void)version;
    (void)bytes;
    (void)n;
    if (sent || type != SSL3_RT_HANDSHAKE)
        return;
    SSL_set_msg_callback_arg(ssl, (void *)shakes);
    if (shakes <= SHAKES_MAX)
        return;
    too_many = true;
    SSL_set_shutdown(ssl, SSL_get_shutdown(ssl) | SSL_RECEIVED_SHUTDOWN);
}

void openssl_stream_has_data(SSL *ssl)
{
    SSL_set_msg_callback_arg(ssl, NULL);
}

const char *openssl_excess(void)
{
    return too_many ? "too many handshake messages without data between them" : NULL;
}

/* --- one for all streams of a thread ---------------------------------------------------------- */

/* A BIO of its own, with its lock, would cost each stream almost 200 bytes. All streams of a thread
 * share one, which works on the source of whichever is in use. */

static BIO_METHOD *method; /* for the whole life of the process */
static pthread_key_t key;  /* of each thread's struct bios */
static bool has_key;

struct bios {
    BIO *tcp, *local; /* local: UNIX sockets */
};

static void free_bios(void *pointer)
{
    struct bios *bios = pointer;

    BIO_free(bios->tcp);
    BIO_free(bios->local);
    free(bios);
}

static void make_method(void)
{
    has_key = pthread_key_create(&key, free_bios) == 0;
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "source");
    if (!method)
        return;
    (void)BIO_meth_set_read(method, read_source);
    (void)BIO_meth_set_write(method, write_source);
    (void)BIO_meth_set_ctrl(method, control_source);
}

static struct bios *bios_new(void)
{
    struct bios *bios = calloc(1, sizeof *bios);

    if (!bios)
        return NULL;
    bios->tcp = BIO_new(method);
    bios->local = BIO_new(method);
    if (!bios->tcp || !bios->local || pthread_setspecific(key, bios) != 0) {
        free_bios(bios);
        return NULL;
    }
    BIO_set_init(bios->tcp, 1);
    BIO_set_init(bios->local, 1);
    BIO_set_flags(bios->local, IS_UNIX);
    return bios;
}

/* A reference to this thread's BIO, or NULL: out of memory. */
static BIO *source_bio(bool is_unix)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct bios *bios;
    BIO *bio;

    (void)pthread_once(&once, make_method);
    if (!method || !has_key)
        return NULL;
    bios = pthread_getspecific(key);
    if (!bios)
        bios = bios_new();
    if (!bios)
        return NULL;
    bio = is_unix ? bios->local : bios->tcp;
    return BIO_up_ref(bio) == 1 ? bio : NULL;
}

/* A stream needs no password, so its place for the userdata of that callback is free. Any other
 * place would have to be allocated. */
void openssl_stream_move(SSL *ssl, struct source *s)
{
    SSL_set_default_passwd_cb_userdata(ssl, s);
}

struct source *openssl_stream_source(const SSL *ssl)
{
    return SSL_get_default_passwd_cb_userdata((SSL *)ssl);
}

void openssl_stream_use(SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);

    BIO_set_data(bio, openssl_stream_source(ssl));
    BIO_clear_flags(bio, BIO_FLAGS_IN_EOF);
    too_many = false;
    /* OpenSSL forgives some failures, and then nobody has taken the error. */
    socket_error = 0;
}

SSL_CTX *openssl_context_new(const SSL_METHOD *side)
{
    SSL_CTX *context = SSL_CTX_new(side);

    if (!context)
        return NULL;
    /* One recv() for a record, instead of one for its header and one for the rest. Buffers are
     * released while nothing is in them: 34 KiB of an idle connection (SSL_CTX_set_mode(3)). */
    SSL_CTX_set_read_ahead(context, 1);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
    /* An end without close_notify is not an error of the stream: replies may still go out. See
     * tls_recv(). */
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_msg_callback(context, on_message);
    return context;
}

SSL *openssl_stream_new(SSL_CTX *context, struct source *s, bool is_unix)
{
    SSL *ssl = SSL_new(context);
    BIO *bio = ssl ? source_bio(is_unix) : NULL;

    if (!bio) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    openssl_stream_move(ssl, s);
    return ssl;
}

const char *openssl_reason(const char *otherwise)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    ERR_clear_error();
    return reason ?: otherwise;
}

int openssl_refuse(char **ret_error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(ret_error, format, arguments) < 0)
        *ret_error = NULL;
    va_end(arguments);
    ERR_clear_error();
    return *ret_error ? -EINVAL : -ENOMEM;
}
