/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "ask-bench/stats.h"
#include "base/macros.h"

const char *error_name(enum error_kind kind)
{
    static const char *const names[] = {
        [ERROR_ABSENT] = "absent",
        [ERROR_UNREACHABLE] = "unreachable",
        [ERROR_RESET] = "reset",
        [ERROR_CLOSED] = "closed",
        [ERROR_TIMEOUT] = "timeout",
        [ERROR_PORTS] = "ports",
        [ERROR_SYSTEM] = "system",
        [ERROR_TLS] = "tls",
        [ERROR_CUT] = "cut",
        [ERROR_PROTOCOL] = "protocol",
        [ERROR_REFUSED] = "refused",
        [ERROR_MISMATCHED] = "mismatched",
        [ERROR_UNEXPECTED] = "unexpected",
        [ERROR_UNANSWERED] = "unanswered",
        [ERROR_WORKER] = "worker",
    };

    _Static_assert(ARRAY_SIZE(names) == ERROR_KINDS, "each kind has a name");
    return names[kind];
}

enum error_kind error_from_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
    case ENOENT:
        return ERROR_ABSENT;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return ERROR_UNREACHABLE;
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
        return ERROR_RESET;
    case ETIMEDOUT:
        return ERROR_TIMEOUT;
    case EBADMSG:
        return ERROR_TLS;
    case ENODATA:
        return ERROR_CUT;
    case EPROTO:
        return ERROR_PROTOCOL;
    case EADDRNOTAVAIL:
    case EADDRINUSE:
        return ERROR_PORTS;
    default:
        return ERROR_SYSTEM;
    }
}

/* A struct of uint64_t only is an array of them. */
#define WORDS (sizeof(struct counters) / sizeof(uint64_t))
_Static_assert(sizeof(struct counters) % sizeof(uint64_t) == 0, "only 64-bit counters");

void counters_add(struct counters *into, const struct counters *from)
{
    uint64_t *a = (uint64_t *)into;
    const uint64_t *b = (const uint64_t *)from;

    for (size_t i = 0; i < WORDS; i++)
        a[i] += STAT_GET(b[i]);
}

struct counters counters_difference(const struct counters *later, const struct counters *earlier)
{
    struct counters d = { 0 };
    uint64_t *words = (uint64_t *)&d;

    for (size_t i = 0; i < WORDS; i++)
        words[i] = ((const uint64_t *)later)[i] - ((const uint64_t *)earlier)[i];
    return d;
}

uint64_t counters_errors(const struct counters *c)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < ERROR_KINDS; i++)
        sum += c->errors[i];
    return sum;
}
