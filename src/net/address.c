/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"
#include "net/address.h"

/* path: with a leading '@' for the abstract namespace, whose names begin with NUL and have no
 * terminator (unix(7)). */
static int parse_unix(const char *path, struct address *ret, const char **ret_error)
{
    size_t n = strlen(path);

    if (n < 2) {
        *ret_error = "a socket's path is missing";
        return -EINVAL;
    }
    if (n >= sizeof ret->un.sun_path) {
        *ret_error = "a socket's path has at most 107 bytes";
        return -EINVAL;
    }
    *ret = (struct address){ .family = AF_UNIX, .un.sun_family = AF_UNIX };
    memcpy(ret->un.sun_path, path, n);
    ret->un_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1);
    if (path[0] == '@') {
        ret->un.sun_path[0] = '\0';
        ret->un_size--;
    }
    return 0;
}

/* getaddrinfo(3) would read a port with strtoul(3), and accept a sign and leading space. This does
 * not. */
static int parse_inet(const char *host, size_t n, const char *port, struct address *ret,
                      const char **ret_error)
{
    bool numeric = strspn(port, "0123456789") == strlen(port);
    uint64_t number = 0;

    *ret_error = NULL;
    if (n >= sizeof ret->host)
        *ret_error = "the host's name is too long";
    else if (!*port)
        *ret_error = "the port is missing";
    else if (!isalnum((unsigned char)*port))
        *ret_error = "a port is a number or the name of a service";
    else if (strlen(port) >= sizeof ret->port)
        *ret_error = "the port is too long";
    else if (numeric && (parse_u64(port, &number) < 0 || number > 65535))
        *ret_error = "ports go from 0 to 65535";
    if (*ret_error)
        return -EINVAL;

    *ret = (struct address){ .family = AF_UNSPEC };
    if (n != 1 || *host != '*')
        memcpy(ret->host, host, n);
    strcpy(ret->port, port);
    return 0;
}

/* SCHEME://, where the scheme is as in RFC 3986 3.1. */
static bool is_url(const char *text)
{
    size_t n = 0;

    while (isalnum((unsigned char)text[n]) || (text[n] && strchr("+-.", text[n])))
        n++;
    return n > 0 && isalpha((unsigned char)text[0]) && strncmp(text + n, "://", 3) == 0;
}

int address_parse(const char *text, struct address *ret, const char **ret_error)
{
    const char *colon = strrchr(text, ':');

    if (text[0] == '/' || text[0] == '@')
        return parse_unix(text, ret, ret_error);
    if (strncmp(text, "unix:", 5) == 0) {
        if (text[5] == '/' || text[5] == '@')
            return parse_unix(text + 5, ret, ret_error);
        *ret_error = "a socket's path begins with / or @";
        return -EINVAL;
    }
    if (is_url(text)) {
        *ret_error = "this is a URL; give HOST:PORT";
        return -EINVAL;
    }
    if (text[0] == '[') {
        const char *end = strchr(text, ']');

        if (!end || end[1] != ':' || !memchr(text, ':', (size_t)(end - text))) {
            *ret_error = "an IPv6 address is written [ADDRESS]:PORT";
            return -EINVAL;
        }
        return parse_inet(text + 1, (size_t)(end - text - 1), end + 2, ret, ret_error);
    }
    if (!*text) {
        *ret_error = "the address is missing";
        return -EINVAL;
    }
    if (!colon && strchr(text, '/')) {
        *ret_error = "a socket's path begins with / or @";
        return -EINVAL;
    }
    if (!colon && strspn(text, "0123456789") == strlen(text)) {
        *ret_error = "a port has a colon before it; write :PORT or HOST:PORT";
        return -EINVAL;
    }
    if (!colon) {
        *ret_error = "the port is missing; write HOST:PORT, :PORT, [V6]:PORT, /path or @abstract";
        return -EINVAL;
    }
    if (memchr(text, ':', (size_t)(colon - text))) {
        *ret_error = "an IPv6 address is written [ADDRESS]:PORT";
        return -EINVAL;
    }
    return parse_inet(text, (size_t)(colon - text), colon + 1, ret, ret_error);
}

static int resolve_error(int r, const char **ret_error)
{
    int error = r == EAI_SYSTEM && errno > 0 ? errno : EHOSTUNREACH;

    if (r == EAI_MEMORY)
        return -ENOMEM;
    *ret_error = r == EAI_SYSTEM ? strerror(error) : gai_strerror(r);
    return -error;
}

static bool have_ipv6(void)
{
    _cleanup_close_ int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);

    return fd >= 0;
}

static int resolve_inet(const struct address *address, int family, bool passive,
                        struct addrinfo **ret, const char **ret_error)
{
    const char *host = address->host[0] ? address->host : NULL;
    struct addrinfo hints = {
        .ai_family = family,
        .ai_socktype = SOCK_STREAM,
        .ai_flags = passive ? AI_PASSIVE : 0,
    };
    int r;

    if (passive && !host && family == AF_UNSPEC)
        hints.ai_family = have_ipv6() ? AF_INET6 : AF_INET;
    r = getaddrinfo(host, address->port, &hints, ret);
    return r == 0 ? 0 : resolve_error(r, ret_error);
}

int address_resolve(const struct address *address, int family, bool passive,
                    struct sockaddr_any **ret, const char **ret_error)
{
    struct addrinfo *list = NULL;
    struct sockaddr_any *all;
    int n = 0, r;

    if (address->family != AF_UNIX) {
        r = resolve_inet(address, family, passive, &list, ret_error);
        if (r < 0)
            return r;
    }
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next)
        n++;
    all = calloc((size_t)MAX(n, 1), sizeof *all);
    if (!all) {
        if (list)
            freeaddrinfo(list);
        return -ENOMEM;
    }
    if (address->family == AF_UNIX) {
        all[0].size = address->un_size;
        memcpy(&all[0].storage, &address->un, address->un_size);
    }
    n = address->family == AF_UNIX ? 1 : 0;
    for (struct addrinfo *ai = list; ai; ai = ai->ai_next, n++) {
        all[n].size = ai->ai_addrlen;
        memcpy(&all[n].storage, ai->ai_addr, ai->ai_addrlen);
    }
    if (list)
        freeaddrinfo(list);
    *ret = all;
    return n;
}

static char *format_unix(const struct sockaddr_un *un, socklen_t size,
                         char text[static ADDRESS_TEXT_MAX])
{
    size_t n = size > offsetof(struct sockaddr_un, sun_path)
                   ? size - offsetof(struct sockaddr_un, sun_path)
                   : 0;

    if (n == 0)
        return strcpy(text, "unix");
    if (un->sun_path[0] == '\0') {
        (void)snprintf(text, ADDRESS_TEXT_MAX, "@%.*s", (int)n - 1, un->sun_path + 1);
        return text;
    }
    (void)snprintf(text, ADDRESS_TEXT_MAX, "%.*s", (int)n, un->sun_path);
    return text;
}

/* A link-local address belongs to an interface, and is useless without it. */
static char *format_in6(const struct sockaddr_in6 *in6, char text[static ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN], interface[IF_NAMESIZE];

    (void)inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
    if (in6->sin6_scope_id == 0)
        (void)snprintf(text, ADDRESS_TEXT_MAX, "[%s]:%u", host, ntohs(in6->sin6_port));
    else if (if_indextoname(in6->sin6_scope_id, interface))
        (void)snprintf(text, ADDRESS_TEXT_MAX, "[%s%%%s]:%u", host, interface,
                       ntohs(in6->sin6_port));
    else /* the interface is gone: getaddrinfo(3) takes the number too */
        (void)snprintf(text, ADDRESS_TEXT_MAX, "[%s%%%u]:%u", host, in6->sin6_scope_id,
                       ntohs(in6->sin6_port));
    return text;
}

char *address_format(const struct sockaddr *sa, socklen_t size, char text[static ADDRESS_TEXT_MAX])
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    char host[INET6_ADDRSTRLEN];

    switch (sa->sa_family) {
    case AF_UNIX:
        return format_unix((const struct sockaddr_un *)sa, size, text);
    case AF_INET:
        (void)inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        break;
    case AF_INET6:
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
            (void)inet_ntop(AF_INET, in6->sin6_addr.s6_addr + 12, host, sizeof host);
            break;
        }
        return format_in6(in6, text);
    default:
        (void)snprintf(text, ADDRESS_TEXT_MAX, "address family %u", sa->sa_family);
        return text;
    }
    (void)snprintf(text, ADDRESS_TEXT_MAX, "%s:%u", host, sockaddr_port(sa));
    return text;
}

bool address_equal(const struct sockaddr_any *a, const struct sockaddr_any *b)
{
    return a->size == b->size && memcmp(&a->storage, &b->storage, a->size) == 0 &&
           a->ipv6_alone == b->ipv6_alone;
}

uint16_t sockaddr_port(const struct sockaddr *sa)
{
    switch (sa->sa_family) {
    case AF_INET:
        return ntohs(((const struct sockaddr_in *)sa)->sin_port);
    case AF_INET6:
        return ntohs(((const struct sockaddr_in6 *)sa)->sin6_port);
    default:
        return 0;
    }
}
