/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clients.h"
#include <inttypes.h>

#include "../own.h"
#include "../seed.h"
#include "../trace.h"
#include "base/macros.h"
#include "client.h"

#define MAX_CLIENTS 24

static struct client *clients;
static unsigned n_clients;

void clients_begin(void)
{
    client_fair = false;
    client_talk = sim_below(4) > 0 ? 64 : sim_scale(64, 2048);
    n_clients = sim_scale(1, MAX_CLIENTS);
    clients = sim_own_alloc(n_clients * sizeof *clients);
    for (unsigned i = 0; i < n_clients; i++) {
        clients[i].task.run = client_run;
        clients[i].dials_left = sim_scale(1, 8);
        client_wait_until(&clients[i],
                          sim_now() + (sim_below(2) ? sim_scale(1, 1 << 21) * SIM_US : 0));
    }
}

void clients_turn_fair(void)
{
    client_fair = true;
    for (unsigned i = 0; i < n_clients; i++) {
        clients[i].dials_left = MIN(clients[i].dials_left, 1U);
        sim_task_queue(&clients[i].task);
    }
}

bool clients_are_done(void)
{
    for (unsigned i = 0; i < n_clients; i++)
        if (clients[i].stream || clients[i].dial || clients[i].dials_left > 0)
            return false;
    return true;
}

void clients_let_go(void)
{
    for (unsigned i = 0; i < n_clients; i++)
        client_let_go(&clients[i]);
}

static void tell(const struct client *c, unsigned number)
{
    const struct conn *k = c->conn;

    if (c->dial || c->dials_left > 0)
        sim_say("client %u: %s, %u more", number, c->dial ? "dials" : "waits", c->dials_left);
    if (c->stream)
        sim_say("client %u, connection %u: ending %d%s%s%s%s, %u messages left, said %zu, sent "
                "%" PRIu64 " of %" PRIu64 "; %s, received %" PRIu64 ", recorded %" PRIu64
                ", replied %" PRIu64 ", bytes %" PRIu64 " of %" PRIu64,
                number, k->number, c->ending, c->shut ? ", shut" : "",
                c->stopped ? ", stopped" : "", k->errored ? ", errored" : "",
                c->cipher && cipher_is_stuck(c->cipher) ? ", stuck" : "", c->messages_left,
                k->n_messages, k->sent, k->n_bytes, k->setup ? k->setup->name : "not accepted",
                k->received, k->recorded, k->replied, c->received, k->bytes_out);
}

void clients_tell(void)
{
    for (unsigned i = 0; i < n_clients; i++)
        tell(&clients[i], i);
}

void clients_end(void)
{
    for (unsigned i = 0; i < n_clients; i++)
        client_end(&clients[i]);
    sim_own_free(clients);
}
