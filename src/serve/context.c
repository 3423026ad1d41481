/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "serve/context.h"
#include "base/macros.h"
#include "base/wake.h"

/* The longest turns take about 10 ms. */
#define STALL_US UINT64_C(1000000)

int context_init(struct context *x, struct shared *shared)
{
    int r;

    x->shared = shared;
    link_queue_init(&x->handshakes.waiters);
    link_queue_init(&x->handshakes.under_way);
    x->handshakes.give_way.kind = TIMER_HANDSHAKE;
    x->budget.limit = &shared->memory_limit;
    x->command = (struct source){ .fd = -1, .kind = SOURCE_COMMAND };
    context_read_clock(x);
    timer_wheel_init(&x->wheel, context_ms(x));
    r = loop_init(&x->loop);
    if (r < 0)
        return r;
    x->command.fd = wake_new();
    return x->command.fd < 0 ? x->command.fd : loop_add(&x->loop, &x->command, EPOLLIN);
}

void context_deinit(struct context *x)
{
    x->command.fd = close_fd(x->command.fd);
    loop_deinit(&x->loop);
    buffer_free(&x->reply);
}

void context_read_clock(struct context *x)
{
    x->now = moment_now();
    x->now.mono_us -= x->stalled_us;
    x->now_ms = x->now.mono_us / 1000;
}

void context_leave_out_stall(struct context *x)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC_COARSE) - x->stalled_us;

    if (now_us > x->now.mono_us + STALL_US)
        x->stalled_us += now_us - x->now.mono_us;
}

uint64_t context_ms_now(const struct context *x)
{
    return (clock_us(CLOCK_MONOTONIC_COARSE) - x->stalled_us) / 1000;
}

void context_command(struct context *x, unsigned commands)
{
    atomic_fetch_or(&x->commands, commands);
    wake(x->command.fd);
}

unsigned context_take_commands(struct context *x)
{
    /* Clear the wake-up first, then read the commands. A command that comes in between wakes us
     * again. */
    wake_clear(x->command.fd);
    x->command.ready = 0;
    return atomic_exchange(&x->commands, 0);
}

void context_notify(const struct context *x)
{
    wake(x->shared->notify_fd);
}

void context_place_is_free(struct context *x)
{
    struct shared *s = x->shared;

    for (unsigned i = 0; i < s->n_contexts; i++)
        if (atomic_load_explicit(&s->contexts[i]->accepting_pauses, memory_order_relaxed) &&
            atomic_exchange(&s->contexts[i]->accepting_pauses, false))
            context_command(s->contexts[i], COMMAND_RESUME);
}
