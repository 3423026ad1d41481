/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <netdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/*
 * Addresses as people write them: HOST:PORT, :PORT or *:PORT, [V6]:PORT, /path, unix:/path,
 * @abstract.
 */

#define ADDRESS_HOST_MAX 254
#define ADDRESS_TEXT_MAX 300 /* fits any address that address_format() writes */

struct address {
    int family;                  /* AF_UNIX, or AF_UNSPEC: host and port must be resolved */
    char host[ADDRESS_HOST_MAX]; /* "" if none was given, or * */
    char port[32];               /* a number or a service name */
    struct sockaddr_un un;
    socklen_t un_size;
};

/* One address of a socket. */
struct sockaddr_any {
    socklen_t size;
    union {
        struct sockaddr sa;
        struct sockaddr_storage storage;
    };
    bool ipv6_alone; /* for listening on [::]: do not accept IPv4 too */
};

/* Returns 0, or -EINVAL with a static text in *ret_error that says what is wrong. */
int address_parse(const char *text, struct address *ret, const char **ret_error);

/*
 * Resolves with getaddrinfo(3), which may block on DNS. Do not call it from a worker thread.
 *
 * family: AF_UNSPEC, or AF_INET or AF_INET6 for only these. passive: for listening. Then no host
 * means every address of the machine, through one dual-stack socket if there is IPv6. For
 * connecting, no host means this machine.
 *
 * Returns the number of addresses, in the order to try them, in a malloc()ed *ret; -ENOMEM; or
 * another negative errno with a static text in *ret_error. It is an error if there is no address.
 */
int address_resolve(const struct address *address, int family, bool passive,
                    struct sockaddr_any **ret, const char **ret_error);

/* Formats the address as address_parse() would take it. An IPv4-mapped address is shown as IPv4, a
 * link-local one with its interface, an unnamed UNIX socket as "unix". Returns text. */
char *address_format(const struct sockaddr *sa, socklen_t size, char text[static ADDRESS_TEXT_MAX]);

/* Whether both mean the same socket. */
bool address_equal(const struct sockaddr_any *a, const struct sockaddr_any *b);

/* The port number, or 0 if there is none. */
uint16_t sockaddr_port(const struct sockaddr *sa);
