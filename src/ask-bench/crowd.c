/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdlib.h>

#include "ask-bench/crowd.h"
#include "ask-bench/replies.h"

int crowd_init(struct crowd *crowd)
{
    const struct message *m = crowd->message;
    uint64_t window = crowd->options->pipeline;

    /* Pages that no reply is long enough to touch never use memory. */
    crowd->scratch = malloc(frame_size_max(crowd->options->framing, REPLY_MAX) + RECEIVE_SIZE + 1);
    crowd->clients = calloc(crowd->n_clients, sizeof *crowd->clients);
    crowd->due = calloc(crowd->n_clients * window, sizeof *crowd->due);
    if (crowd->tls)
        crowd->streams = calloc(crowd->n_clients, sizeof(struct tls *));
    if (!crowd->scratch || !crowd->clients || !crowd->due || (crowd->tls && !crowd->streams))
        return -ENOMEM;
    for (uint32_t i = 0; i < crowd->n_clients; i++) {
        struct client *c = &crowd->clients[i];

        c->source.fd = -1;
        c->planned = i;
        c->expected = (uint16_t)(i % m->cycle);
        c->out_at = c->expected * (uint32_t)m->frame_size;
    }
    crowd->untried = crowd->n_clients;
    crowd->timeout_ns = crowd->options->timeout_us * 1000;
    timer_wheel_init(&crowd->wheel, crowd_now(crowd) / 1000000);
    suspects_init(&crowd->suspects, &crowd->loop, &crowd->wheel, crowd->stats, KIND_SUSPECT,
                  KIND_SUSPECT);
    return loop_init(&crowd->loop);
}

void crowd_suspect(struct crowd *crowd, struct client *c, enum suspect kind)
{
    crowd->n_suspects += (kind != SUSPECT_NONE) - (c->suspicion.kind != SUSPECT_NONE);
    c->suspicion.kind = (uint8_t)kind;
}

void crowd_acquit(struct crowd *crowd, struct client *c)
{
    crowd->n_suspects -= c->suspicion.kind != SUSPECT_NONE;
    suspicion_acquit(&c->suspicion, crowd->stats);
}
