/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "output-stand.h"
#include "runner.h"

struct transport transport;
struct output output;
int peer;

void output_stand_begin(void)
{
    int fds[2];

    alone_begin();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&transport, fds[0], SOURCE_CONNECTION, &(struct peer){ .is_unix = true }, true);
    ck_assert_int_eq(transport_register(&transport, &context->loop, false), 0);
    peer = fds[1];
    output = (struct output){ NULL };
}

void output_stand_end(void)
{
    (void)output_abandon(&output, context);
    ck_assert(output_is_empty(&output));
    loop_unqueue(&context->loop, &transport.source);
    transport_close(&transport, false);
    peer = close_fd(peer);
    alone_end();
}

void say(const char *text)
{
    ck_assert_int_eq(output_send(&output, context, &transport, text, strlen(text)), 0);
}

struct slot *hold(const char *text, unsigned waits)
{
    struct slot *s;

    ck_assert_int_eq(output_hold(&output, context, &transport, text, strlen(text), waits, &s), 0);
    return s;
}

void complete(struct slot *s, unsigned n)
{
    slot_complete(s, &context->loop, n, 0);
}

void flush(const char *expected)
{
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), expected);
}

size_t fill(void)
{
    static char bytes[65536];
    int size = 8192;
    size_t n;

    memset(bytes, 'f', sizeof bytes);
    ck_assert_int_eq(setsockopt(transport.source.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    ck_assert_int_eq(output_send(&output, context, &transport, bytes, sizeof bytes), 0);
    n = sizeof bytes - output_size(&output);
    ck_assert_uint_gt(output_size(&output), 0);
    return n;
}
