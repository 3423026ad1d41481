/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ask/attempt.h"
#include "base/macros.h"
#include "base/wake.h"

struct attempt {
    atomic_uint holders; /* the caller and the thread; the last one frees it */
    atomic_bool done;    /* the thread is done with the fields below `client` */
    int done_fd;         /* an eventfd */
    struct address address;
    int family;
    uint64_t timeout_us;
    struct tls_client *client;

    int result;
    struct stream stream;
    char *error;
};

void attempt_free(struct attempt *a)
{
    if (!a || atomic_fetch_sub(&a->holders, 1) > 1)
        return;
    stream_close(&a->stream);
    (void)close_fd(a->done_fd);
    free(a->error);
    free(a);
}

static void *attempt_main(void *userdata)
{
    struct attempt *a = userdata;

    a->result =
        stream_open(&a->stream, &a->address, a->family, a->timeout_us, a->client, &a->error);
    atomic_store(&a->done, true);
    wake(a->done_fd);
    attempt_free(a);
    return NULL;
}

/* The main thread takes all signals. */
static int start_thread(struct attempt *a)
{
    sigset_t all, before;
    pthread_t thread;
    int error;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, attempt_main, a);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return -error;
    (void)pthread_detach(thread);
    return 0;
}

int attempt_begin(const struct address *address, int family, uint64_t timeout_us,
                  struct tls_client *client, struct attempt **ret)
{
    struct attempt *a = malloc(sizeof *a);
    int r;

    if (!a)
        return -ENOMEM;
    *a = (struct attempt){
        .holders = 2,
        .done_fd = wake_new(),
        .address = *address,
        .family = family,
        .timeout_us = timeout_us,
        .client = client,
        .stream.fd = -1,
    };
    r = a->done_fd < 0 ? a->done_fd : start_thread(a);
    if (r < 0) {
        a->holders = 1;
        attempt_free(a);
        return r;
    }
    *ret = a;
    return 0;
}

int attempt_fd(const struct attempt *a)
{
    return a->done_fd;
}

int attempt_take(struct attempt *a, struct stream *c, char **ret_error)
{
    if (!atomic_load(&a->done))
        return -EAGAIN;
    if (a->result < 0) {
        *ret_error = STEAL_PTR(a->error);
        return a->result;
    }
    stream_take(c, &a->stream);
    return 0;
}
