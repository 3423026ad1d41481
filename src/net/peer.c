/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/format.h"
#include "net/address.h"
#include "net/peer.h"

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static void init_unix(struct peer *peer, int fd)
{
    struct ucred cred = { .uid = (uid_t)-1 };
    socklen_t size = sizeof cred;

    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
    peer->is_unix = true;
    memcpy(peer->address, &cred.pid, sizeof cred.pid);
    memcpy(peer->address + 8, &cred.uid, sizeof cred.uid);
}

void peer_init(struct peer *peer, int fd, const struct sockaddr *sa)
{
    memset(peer, 0, sizeof *peer);
    peer->port = sockaddr_port(sa);
    switch (sa->sa_family) {
    case AF_INET:
        memcpy(peer->address, v4_prefix, sizeof v4_prefix);
        memcpy(peer->address + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
        break;
    case AF_INET6:
        memcpy(peer->address, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
        break;
    case AF_UNIX:
        init_unix(peer, fd);
        break;
    }
}

/* inet_ntop(3) uses sprintf(3) for this, and every recorded message would pay for it. */
static size_t format_ipv4(const uint8_t address[static 4], char text[static PEER_TEXT_MAX])
{
    size_t n = 0;

    for (unsigned i = 0; i < 4; i++) {
        n += format_u64(address[i], text + n);
        text[n++] = '.';
    }
    text[--n] = '\0';
    return n;
}

static bool is_ipv4(const struct peer *peer)
{
    return !peer->is_unix && memcmp(peer->address, v4_prefix, sizeof v4_prefix) == 0;
}

size_t peer_format_address(const struct peer *peer, char text[static PEER_TEXT_MAX])
{
    if (peer->is_unix) {
        pid_t pid;
        uid_t uid;

        memcpy(&pid, peer->address, sizeof pid);
        memcpy(&uid, peer->address + 8, sizeof uid);
        return (size_t)snprintf(text, PEER_TEXT_MAX, "pid=%d,uid=%u", pid, uid);
    }
    if (is_ipv4(peer))
        return format_ipv4(peer->address + 12, text);
    (void)inet_ntop(AF_INET6, peer->address, text, PEER_TEXT_MAX);
    return strlen(text);
}

size_t peer_format_port(const struct peer *peer, char text[static PEER_TEXT_MAX])
{
    size_t n = peer->is_unix ? 0 : format_u64(peer->port, text);

    text[n] = '\0';
    return n;
}

size_t peer_join(const struct peer *peer, const char *address, const char *port,
                 char text[static PEER_TEXT_MAX])
{
    bool brackets = !peer->is_unix && !is_ipv4(peer);
    size_t size = strlen(address), n = 0;

    /* The longest IPv6 address has 45 characters, which leaves room for the rest. */
    if (brackets)
        text[n++] = '[';
    memcpy(text + n, address, size);
    n += size;
    if (brackets)
        text[n++] = ']';
    if (!peer->is_unix) {
        size = strlen(port);
        text[n++] = ':';
        memcpy(text + n, port, size);
        n += size;
    }
    text[n] = '\0';
    return n;
}

size_t peer_format(const struct peer *peer, char text[static PEER_TEXT_MAX])
{
    char address[PEER_TEXT_MAX], port[PEER_TEXT_MAX];

    (void)peer_format_address(peer, address);
    (void)peer_format_port(peer, port);
    return peer_join(peer, address, port, text);
}
