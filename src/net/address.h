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
#define ADDRESS_TEXT_MAX 300 /* holds any address as address_format() writes it */

struct address {
    int family;                  /* AF_UNIX, or AF_UNSPEC: host and port are to be resolved */
    char host[ADDRESS_HOST_MAX]; /* "" where none was given, or * */
    char port[32];               /* a number or a service's name */
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
    bool ipv6_alone; /* for listening on [::]: do not take IPv4 too */
};

/* 0, or -EINVAL with *ret_error a static text that says what is wrong. */
int address_parse(const char *text, struct address *ret, const char **ret_error);

/*
 * Resolves, by getaddrinfo(3), which may block on DNS: not for a worker thread.
 *
 * family: AF_UNSPEC, or AF_INET or AF_INET6 to have only these. passive: for listening, where no
 * host means every address of the machine, by one dual-stack socket where there is IPv6; for
 * connecting it means this machine.
 *
 * Returns the number of addresses, in the order to try them, in a malloc()ed *ret; -ENOMEM; or
 * another negative errno with *ret_error a static text. No address at all is an error.
 */
int address_resolve(const struct address *address, int family, bool passive,
                    struct sockaddr_any **ret, const char **ret_error);

/* The address as address_parse() would take it, IPv4-mapped ones as IPv4, link-local ones with
 * their interface; an unnamed UNIX socket is "unix". Returns text. */
char *address_format(const struct sockaddr *sa, socklen_t size, char text[static ADDRESS_TEXT_MAX]);

/* Whether both mean the same sockets. */
bool address_equal(const struct sockaddr_any *a, const struct sockaddr_any *b);

/* The number of the port, 0 where there is none. */
uint16_t sockaddr_port(const struct sockaddr *sa);
