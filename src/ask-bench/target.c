/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ask-bench/target.h"
#include "base/macros.h"

static bool answers(const struct sockaddr_any *address, uint64_t timeout_us)
{
    struct timeval timeout = {
        .tv_sec = (time_t)(timeout_us / 1000000),
        .tv_usec = (suseconds_t)(timeout_us % 1000000),
    };
    _cleanup_close_ int fd = -1;

    fd = socket(address->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    /* Limits connect(), too (socket(7)). */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    return connect(fd, &address->sa, address->size) == 0;
}

int target_resolve(const struct options *o, struct sockaddr_any *ret)
{
    _cleanup_free_ struct sockaddr_any *all = NULL;
    int family = o->sources.count > 0 ? o->sources.family : AF_UNSPEC;
    const char *error = "out of memory";
    int n, i;

    n = address_resolve(&o->address, family, false, &all, &error);
    if (n < 0) {
        (void)fprintf(stderr, "ask-bench: %s: %s\n", o->target, error);
        return n;
    }
    for (i = 0; i < n - 1; i++)
        if (answers(&all[i], o->timeout_us))
            break;
    *ret = all[i];
    return 0;
}

int target_prepare_tls(const struct options *o, struct tls_client **ret)
{
    struct tls_client_settings settings = o->tls_settings;
    _cleanup_free_ char *error = NULL;
    int r;

    if (!settings.name && o->address.family != AF_UNIX)
        settings.name = o->address.host[0] ? o->address.host : "localhost";
    r = tls_client_new(&settings, ret, &error);
    if (r < 0)
        (void)fprintf(stderr, "ask-bench: %s\n", error ?: strerror(-r));
    return r;
}
