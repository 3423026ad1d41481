/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is encrypted of a connection. */

#include <inttypes.h>
#include <string.h>

#include "../own.h"
#include "../trace.h"
#include "conn.h"

void conn_enciphered(struct conn *c, uint64_t end, uint64_t said)
{
    if (c->n_enciphered == c->enciphered_capacity) {
        c->enciphered_capacity = 2 * c->enciphered_capacity + 16;
        c->enciphered =
            sim_own_resize(c->enciphered, c->enciphered_capacity * sizeof *c->enciphered);
    }
    c->enciphered[c->n_enciphered++] = (struct enciphered){ end, said };
}

void conn_forget_cipher(struct conn *c)
{
    c->n_enciphered--;
}

uint64_t conn_deciphered(const struct conn *c, uint64_t end)
{
    size_t n = c->n_enciphered;

    while (n > 0 && c->enciphered[n - 1].end > end)
        n--;
    return n > 0 ? c->enciphered[n - 1].said : 0;
}

uint64_t conn_arrived(const struct conn *c)
{
    uint64_t unread = (uint64_t)c->server->family->unread(c->server);

    if (!c->tls)
        return c->received + unread;
    return conn_deciphered(c, c->cipher_received + unread -
                                  (unread < c->header_left ? unread : c->header_left));
}

size_t conn_promised(struct conn *c, const uint8_t *bytes, size_t n)
{
    size_t again = c->n_promised - c->kept_promises;

    if (n < again || (again > 0 && memcmp(c->promised + c->kept_promises, bytes, again) != 0)) {
        sim_violate("connection %u: %zu bytes had no room, and now others come", c->number, again);
        return n;
    }
    bytes += again;
    n -= again;
    if (c->n_promised + n > c->promised_capacity) {
        c->promised_capacity = 2 * (c->n_promised + n) + 256;
        c->promised = sim_own_resize(c->promised, c->promised_capacity);
    }
    memcpy(c->promised + c->n_promised, bytes, n);
    c->n_promised += n;
    return again;
}

void conn_heard(struct conn *c, const uint8_t *bytes, size_t n)
{
    if (c->heard + n > c->n_promised || memcmp(c->promised + c->heard, bytes, n) != 0)
        sim_violate("connection %u: its client reads %zu bytes behind %" PRIu64
                    " which the program has not sent",
                    c->number, n, c->heard);
    c->heard += n;
}
