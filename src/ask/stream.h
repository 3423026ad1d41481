/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/address.h"

/*
 * The stream to the server: a non-blocking socket and its unsent bytes.
 */
struct stream {
    int fd;
    struct buffer *out;
    char peer[ADDRESS_TEXT_MAX]; /* the address of the server */
    int send_error;              /* a negative errno: no more can be sent; 0 */
    bool ended;                  /* no more will be received */
};

/*
 * Connects to the first address that accepts. Tries all addresses of a name in order, each for at
 * most timeout_us (SPAN_INFINITY: the kernel's limit). Looking up the name may take longer.
 *
 * 0; or a negative errno and *ret_error, a string to free, which names the addresses tried. It is
 * NULL if memory is short.
 */
int stream_open(struct stream *c, const struct address *address, int family, uint64_t timeout_us,
                char **ret_error);
void stream_close(struct stream *c);

/* Sends until the socket is full or nothing is left. Returns whether it sent anything. Keeps an
 * error in send_error. It is not final: replies that have arrived can still be read. */
bool stream_flush(struct stream *c);

/* Reads once. The number of bytes; 0 at the end of the stream; -EAGAIN; or a negative errno that
 * ended the connection. */
ssize_t stream_receive(struct stream *c, void *bytes, size_t room);
