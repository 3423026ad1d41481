/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * The other end of a connection, in 20 bytes. A connection keeps one for its lifetime.
 */
struct peer {
    uint8_t address[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d; UNIX: pid and uid */
    uint16_t port;
    bool is_unix;
};

#define PEER_TEXT_MAX 64

/* Takes the address from accept4(2). For a UNIX peer it asks SO_PEERCRED on fd; if that fails, the
 * pid is 0. */
void peer_init(struct peer *peer, int fd, const struct sockaddr *sa);

/* The address without port: "192.0.2.7", "2001:db8::7", or "pid=1234,uid=1000" for a UNIX peer.
 * Returns its length. */
size_t peer_format_address(const struct peer *peer, char text[static PEER_TEXT_MAX]);

/* The port in decimal; "" for a UNIX peer. Returns its length. */
size_t peer_format_port(const struct peer *peer, char text[static PEER_TEXT_MAX]);

/* For display: "192.0.2.7:40000", "[2001:db8::7]:40000", "pid=1234,uid=1000". Returns its
 * length. */
size_t peer_format(const struct peer *peer, char text[static PEER_TEXT_MAX]);

/* Like peer_format(), from the results of the other two. */
size_t peer_join(const struct peer *peer, const char *address, const char *port,
                 char text[static PEER_TEXT_MAX]);
