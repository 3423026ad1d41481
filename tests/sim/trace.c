/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "clock.h"
#include "trace.h"

static struct {
    bool verbose;
    uint64_t digest, calls;
    char violation[512];
} trace;

void sim_trace_begin(bool verbose)
{
    trace.verbose = verbose;
    trace.digest = UINT64_C(0x243f6a8885a308d3);
    trace.calls = 0;
    trace.violation[0] = '\0';
}

uint64_t sim_trace_digest(void)
{
    return trace.digest;
}

uint64_t sim_trace_calls(void)
{
    return trace.calls;
}

static void digest(uint64_t x)
{
    trace.digest = (trace.digest ^ x) * UINT64_C(0x9fb21c651e98df25);
    trace.digest ^= trace.digest >> 32;
}

void sim_trace_bytes(const void *bytes, uint64_t size)
{
    const uint8_t *p = bytes;
    uint64_t word;

    for (; size >= sizeof word; size -= sizeof word, p += sizeof word) {
        memcpy(&word, p, sizeof word);
        digest(word);
    }
    word = size << 56;
    memcpy(&word, p, size);
    digest(word);
}

void sim_trace_call(const char *name, int fd, uint64_t argument, int64_t result)
{
    trace.calls++;
    digest(sim_now());
    digest(((uint64_t)(uint32_t)fd << 32) ^ argument);
    digest((uint64_t)result);
    if (trace.verbose)
        sim_say("%s(%d, %" PRIu64 ") = %" PRId64 "%s%s", name, fd, argument, result,
                result < 0 ? " " : "", result < 0 ? strerrorname_np((int)-result) ?: "?" : "");
}

void sim_say(const char *format, ...)
{
    va_list arguments;
    uint64_t us = (sim_now() - sim_started()) / SIM_US;

    if (!trace.verbose)
        return;
    (void)printf("%6" PRIu64 ".%06" PRIu64 " ", us / 1000000, us % 1000000);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

void sim_violate(const char *format, ...)
{
    va_list arguments;

    if (trace.violation[0])
        return;
    va_start(arguments, format);
    (void)vsnprintf(trace.violation, sizeof trace.violation, format, arguments);
    va_end(arguments);
    sim_say("VIOLATED: %s", trace.violation);
}

const char *sim_violation(void)
{
    return trace.violation[0] ? trace.violation : NULL;
}

void sim_trace_event(uint32_t events)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        { EPOLLIN, " IN" },   { EPOLLPRI, " PRI" }, { EPOLLOUT, " OUT" },
        { EPOLLERR, " ERR" }, { EPOLLHUP, " HUP" }, { EPOLLRDHUP, " RDHUP" },
    };
    char text[64] = "";

    digest(events);
    for (size_t i = 0; trace.verbose && i < sizeof names / sizeof names[0]; i++)
        if (events & names[i].bit)
            strcat(text, names[i].name);
    sim_say("  event:%s", text);
}
