/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instead of the other files here in a build without OpenSSL. */

#include <stdlib.h>

#include "cipher.h"
#include "tls.h"

const struct sim_tls_observer *sim_tls_observer;

bool sim_tls_is_there(void)
{
    return false;
}

void sim_tls_open(void)
{
}

void sim_tls_close(void)
{
}

void sim_tls_begin(void)
{
}

void sim_tls_end(void)
{
}

struct tls_server *sim_tls_server(void)
{
    abort();
}

size_t sim_tls_left(void)
{
    return 0;
}

void sim_tls_process_begins(void)
{
}

void sim_tls_process_ends(void)
{
}

void sim_tls_process_is_killed(void)
{
}

struct cipher *cipher_new(struct conn *c)
{
    (void)c;
    abort();
}

void cipher_free(struct cipher *c)
{
    (void)c;
}

size_t cipher_pending(const struct cipher *c, const uint8_t **ret)
{
    (void)c;
    (void)ret;
    abort();
}

void cipher_sent(struct cipher *c, size_t n)
{
    (void)c;
    (void)n;
    abort();
}

ssize_t cipher_hear(struct cipher *c, const uint8_t *bytes, size_t n)
{
    (void)c;
    (void)bytes;
    (void)n;
    abort();
}

void cipher_heard_all(const struct cipher *c)
{
    (void)c;
    abort();
}

bool cipher_may_say(const struct cipher *c)
{
    (void)c;
    abort();
}

size_t cipher_say(struct cipher *c, size_t n)
{
    (void)c;
    (void)n;
    abort();
}

bool cipher_end(struct cipher *c)
{
    (void)c;
    abort();
}

bool cipher_is_stuck(const struct cipher *c)
{
    (void)c;
    abort();
}
