/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "stream.h"
#include "tcp.h"
#include "unix.h"

void sim_stream_init(struct sim_stream *s, const struct sim_stream_family *family)
{
    sim_file_init(&s->file, &family->kind);
    s->family = family;
}

void sim_stream_pair(struct sim_stream *a, struct sim_stream *b)
{
    a->peer = b;
    b->peer = a;
}

bool sim_stream_is(const struct sim_file *file)
{
    return file->kind == &sim_tcp_family.kind || file->kind == &sim_unix_family.kind;
}

void sim_stream_set_peer_address(struct sim_stream *s, const void *address, socklen_t size)
{
    memcpy(&s->peer_address, address, size);
    s->peer_address_size = size;
}

void sim_stream_shut(struct sim_stream *s, bool read, bool write)
{
    s->shut_read |= read;
    s->shut_write |= write;
}

void sim_stream_set_error(struct sim_stream *s, int error)
{
    s->error = error;
}

int sim_stream_take_error(struct sim_stream *s)
{
    int error = s->error;

    s->error = 0;
    return error;
}

bool sim_stream_bury(struct sim_stream *s)
{
    s->dead = true;
    return !s->peer || s->peer->dead;
}
