/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macros.h"
#include "input-stand.h"
#include "runner.h"

struct transport transport;
struct output output;
struct input input;
struct exchange exchange;
int peer;
int mistake;

void input_stand_begin(void)
{
    int fds[2];

    alone_begin();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&transport, fds[0], SOURCE_CONNECTION, &(struct peer){ .is_unix = true }, true);
    peer = fds[1];
    output = (struct output){ NULL };
    input = (struct input){ .session.number = 7 };
    exchange = (struct exchange){
        .context = context,
        .settings = stand.settings,
        .transport = &transport,
        .output = &output,
        .recorder = &stand.workers[0]->journal,
    };
}

void input_stand_end(void)
{
    input_end(&input, &exchange);
    (void)output_abandon(&output, context);
    loop_unqueue(&context->loop, &transport.source);
    transport_close(&transport, false);
    peer = close_fd(peer);
    alone_end();
}

uint64_t discarded(void)
{
    return counter_get(&context->counters.discarded);
}

void pass(uint64_t ms)
{
    hooks.now_us += ms * 1000;
    context_read_clock(context);
}

enum session_status take(const char *text)
{
    if (*text)
        stand_say(peer, text);
    mistake = input_take(&input, &exchange);
    ck_assert_uint_eq(buffer_size(context->reply), 0);
    ck_assert_int_ge(mistake, 0);
    ck_assert_int_eq(mistake > 0, input.session.status == SESSION_FAILED ||
                                      input.session.status == SESSION_FOREIGN);
    return (enum session_status)input.session.status;
}

void collect(const char *text)
{
    stand_say(peer, text);
    ck_assert_int_eq(input_collect(&input, &exchange), 0);
}

void answer(const char *expected)
{
    recorder_commit(exchange.recorder);
    ck_assert_int_eq(output_flush(&output, context, &transport), 0);
    ck_assert_str_eq(stand_hear(peer), expected);
}

const char *lines(size_t n)
{
    static char text[4096];

    for (size_t i = 0; i < n; i++)
        strcpy(text + 2 * i, "x\n");
    return text;
}
