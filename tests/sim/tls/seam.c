/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The linker sends the calls of `wrapped-tls` here. The actors' own calls pass. */

#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "../clock.h"
#include "../descriptors.h"
#include "../faults.h"
#include "../fiber.h"
#include "../own.h"
#include "../trace.h"
#include "../world.h"
#include "net/loop.h"
#include "seam.h"
#include "tls.h"

#define ERRORS_KEPT 16 /* as many as OpenSSL keeps */

const struct sim_tls_observer *sim_tls_observer;

SSL *__real_SSL_new(SSL_CTX *context);
SSL *__wrap_SSL_new(SSL_CTX *context);
void __real_SSL_free(SSL *ssl);
void __wrap_SSL_free(SSL *ssl);
SSL_CTX *__real_SSL_CTX_new(const SSL_METHOD *method);
SSL_CTX *__wrap_SSL_CTX_new(const SSL_METHOD *method);
void __real_SSL_CTX_free(SSL_CTX *context);
void __wrap_SSL_CTX_free(SSL_CTX *context);
BIO *__real_BIO_new(const BIO_METHOD *method);
BIO *__wrap_BIO_new(const BIO_METHOD *method);
int __real_BIO_free(BIO *bio);
int __wrap_BIO_free(BIO *bio);
int __real_SSL_do_handshake(SSL *ssl);
int __wrap_SSL_do_handshake(SSL *ssl);
int __real_SSL_read_ex(SSL *ssl, void *bytes, size_t n, size_t *ret_n);
int __wrap_SSL_read_ex(SSL *ssl, void *bytes, size_t n, size_t *ret_n);
int __real_SSL_write_ex(SSL *ssl, const void *bytes, size_t n, size_t *ret_n);
int __wrap_SSL_write_ex(SSL *ssl, const void *bytes, size_t n, size_t *ret_n);
int __real_SSL_shutdown(SSL *ssl);
int __wrap_SSL_shutdown(SSL *ssl);

/* --- what it has made ----------------------------------------------------------------------- */

struct list {
    void **all;
    size_t n, capacity;
};

static struct list streams, bios, contexts;

static void note(struct list *l, void *made)
{
    if (l->n == l->capacity) {
        l->capacity = 2 * l->capacity + 64;
        l->all = sim_own_resize(l->all, l->capacity * sizeof *l->all);
    }
    l->all[l->n++] = made;
}

static void strike(struct list *l, const void *made)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->all[i] == made) {
            l->all[i] = l->all[--l->n];
            return;
        }
}

static void forget(struct list *l)
{
    sim_own_free(l->all);
    *l = (struct list){ 0 };
}

size_t seam_left(void)
{
    return streams.n + bios.n + contexts.n;
}

bool seam_has_contexts(void)
{
    return contexts.n > 0;
}

void seam_free_streams(void)
{
    for (size_t i = 0; i < streams.n; i++)
        __real_SSL_free(streams.all[i]);
    for (size_t i = 0; i < bios.n; i++)
        (void)__real_BIO_free(bios.all[i]);
    streams.n = bios.n = 0;
    ERR_clear_error();
}

SSL_CTX *__wrap_SSL_CTX_new(const SSL_METHOD *method)
{
    SSL_CTX *context = __real_SSL_CTX_new(method);

    if (context && sim_world_is_aside)
        note(&contexts, context);
    return context;
}

void __wrap_SSL_CTX_free(SSL_CTX *context)
{
    strike(&contexts, context);
    __real_SSL_CTX_free(context);
}

static bool refused(void)
{
    if (!sim_fault(SIM_NO_MEMORY))
        return false;
    ERR_raise(ERR_LIB_SSL, ERR_R_MALLOC_FAILURE);
    return true;
}

SSL *__wrap_SSL_new(SSL_CTX *context)
{
    SSL *ssl;

    if (!sim_fiber_self())
        return __real_SSL_new(context);
    ssl = refused() ? NULL : __real_SSL_new(context);
    if (ssl)
        note(&streams, ssl);
    return ssl;
}

void __wrap_SSL_free(SSL *ssl)
{
    strike(&streams, ssl);
    __real_SSL_free(ssl);
}

BIO *__wrap_BIO_new(const BIO_METHOD *method)
{
    BIO *bio;

    if (!sim_fiber_self())
        return __real_BIO_new(method);
    bio = refused() ? NULL : __real_BIO_new(method);
    if (bio)
        note(&bios, bio);
    return bio;
}

int __wrap_BIO_free(BIO *bio)
{
    strike(&bios, bio);
    return __real_BIO_free(bio);
}

/* --- what it does --------------------------------------------------------------------------- */

/* The socket of a stream in use. NULL: it is not the program's. */
static struct sim_file *file_of(const SSL *ssl)
{
    const struct source *s = SSL_is_server(ssl) ? BIO_get_data(SSL_get_rbio(ssl)) : NULL;

    return s && s->fd >= 0 ? sim_descriptor(s->fd) : NULL;
}

static void look_at_failure(const SSL *ssl, int r, struct sim_file *file)
{
    int error = SSL_get_error(ssl, r);

    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        sim_tls_observer->failed(file);
}

int __wrap_SSL_do_handshake(SSL *ssl)
{
    if (sim_tls_observer && sim_fiber_self())
        sim_tls_observer->stepping();
    return __real_SSL_do_handshake(ssl);
}

int __wrap_SSL_read_ex(SSL *ssl, void *bytes, size_t n, size_t *ret_n)
{
    struct sim_file *file = sim_tls_observer ? file_of(ssl) : NULL;
    int r = __real_SSL_read_ex(ssl, bytes, n, ret_n);

    if (r == 1 && file)
        sim_tls_observer->received(file, bytes, *ret_n);
    else if (file)
        look_at_failure(ssl, r, file);
    return r;
}

/* What OpenSSL has is on its way, even if it says that there is no room. */
int __wrap_SSL_write_ex(SSL *ssl, const void *bytes, size_t n, size_t *ret_n)
{
    struct sim_file *file = sim_tls_observer ? file_of(ssl) : NULL;
    int r;

    if (file)
        sim_tls_observer->sending(file, bytes, n);
    r = __real_SSL_write_ex(ssl, bytes, n, ret_n);
    if (r == 1 && file)
        sim_tls_observer->sent(file, *ret_n);
    else if (file)
        look_at_failure(ssl, r, file);
    return r;
}

int __wrap_SSL_shutdown(SSL *ssl)
{
    struct sim_file *file = sim_tls_observer ? file_of(ssl) : NULL;
    int r = __real_SSL_shutdown(ssl);

    if (r < 0 && file)
        look_at_failure(ssl, r, file);
    return r;
}

/* --- its errors: a queue of each thread ----------------------------------------------------- */

struct errors {
    unsigned long codes[ERRORS_KEPT];
    unsigned n;
};

static void *take_errors(void)
{
    struct errors *errors;
    unsigned long code = ERR_get_error();

    if (code == 0)
        return NULL;
    errors = sim_own_alloc(sizeof *errors);
    for (; code != 0 && errors->n < ERRORS_KEPT; code = ERR_get_error())
        errors->codes[errors->n++] = code;
    return errors;
}

static void give_errors(void *state)
{
    const struct errors *errors = state;

    if (ERR_peek_error() != 0)
        sim_violate("an actor has left an error in OpenSSL's queue");
    for (unsigned i = 0; errors && i < errors->n; i++)
        ERR_raise(ERR_GET_LIB(errors->codes[i]), ERR_GET_REASON(errors->codes[i]));
}

static const struct sim_locals locals = { .take = take_errors, .give = give_errors };

void seam_begin(void)
{
    sim_locals = &locals;
}

void seam_end(void)
{
    sim_locals = NULL;
    seam_free_streams();
    forget(&contexts);
    forget(&streams);
    forget(&bios);
}

/* --- its time: the library's own calls come here too ---------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *t);

static struct timespec now(void)
{
    struct timespec t = { 0 };

    if (!sim_world_stands)
        (void)__real_clock_gettime(CLOCK_REALTIME, &t);
    else
        (void)sim_clock_read(CLOCK_REALTIME, &t);
    return t;
}

time_t time(time_t *ret)
{
    time_t t = now().tv_sec;

    if (ret)
        *ret = t;
    return t;
}

int gettimeofday(struct timeval *ret, void *zone)
{
    struct timespec t = now();

    (void)zone;
    *ret = (struct timeval){ .tv_sec = t.tv_sec, .tv_usec = t.tv_nsec / 1000 };
    return 0;
}
