/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/address.h"

/*
 * The stream to the server: a non-blocking socket and the bytes that it has not taken yet.
 */
struct stream {
    int fd;
    struct buffer *out;
    char peer[ADDRESS_TEXT_MAX]; /* the address that was connected to */
    int send_error;              /* a negative errno: nothing more can be sent */
    bool ended;                  /* nothing more will come */
};

/*
 * Connects to the first address that answers, trying all that the name has in their order, each for
 * timeout_us at the most (SPAN_INFINITY: as long as the kernel does). Looking up the name may take
 * longer.
 *
 * 0, or a negative errno with *ret_error a string to be freed, which names what was tried; it is
 * NULL where there is no memory for it.
 */
int stream_open(struct stream *c, const struct address *address, int family, uint64_t timeout_us,
                char **ret_error);
void stream_close(struct stream *c);

/* Sends what there is, until the socket takes no more. Returns whether it took any. An error is
 * kept in send_error and is not final: replies that have arrived can still be read. */
bool stream_flush(struct stream *c);

/* One read. The number of bytes; 0 at the end of the stream; -EAGAIN; or a negative errno which
 * ended the connection. */
ssize_t stream_receive(struct stream *c, void *bytes, size_t room);
