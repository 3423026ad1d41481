/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "recorder-stand.h"
#include "runner.h"

struct recorder *recorder;
struct source owners[RECORDER_OWNERS];

void recorder_stand_begin(void)
{
    alone_begin();
    recorder = &stand.workers[0]->journal;
    memset(owners, 0, sizeof owners);
}

void recorder_stand_end(void)
{
    context->loop.pass = context->loop.head = NULL; /* these owners do not belong to the worker */
    context->loop.tail = &context->loop.head;
    alone_end();
}

int stage_one(void)
{
    static uint64_t seq;

    return recorder_stage(recorder, &(struct record){ .data = (const uint8_t *)"x",
                                                      .size = 1,
                                                      .id = "id",
                                                      .peer = "peer",
                                                      .peer_port = "1",
                                                      .peer_name = "peer:1",
                                                      .listener = "default",
                                                      .seq = ++seq });
}

void stage_for(struct slot *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ck_assert_int_eq(stage_one(), 0);
    recorder_await(recorder, s, n);
}

struct slot *stage(struct source *owner, unsigned n)
{
    struct slot *s = slot_new(owner, "x", 1, n);

    stage_for(s, n);
    return s;
}

void pass(uint64_t us)
{
    hooks.now_us += us;
    recorder_check(recorder);
}

bool dispatch(void)
{
    struct source *s;
    bool found = false;

    ck_assert_int_eq(loop_wait(&context->loop, 0), 0);
    while ((s = loop_next(&context->loop)))
        if (s->kind == SOURCE_RECORDER && s == &recorder->source) {
            recorder_dispatch(recorder);
            found = true;
        }
    return found;
}

void check_state(enum recorder_state state, uint64_t sleeps_us)
{
    ck_assert_int_eq(recorder->state, state);
    ck_assert_uint_eq(atomic_load(&context->outages), (state != RECORDER_TAKING) << RECORD_JOURNAL);
    if (sleeps_us == RECORDER_NEVER)
        ck_assert_uint_eq(recorder_sleeps_until(recorder), RECORDER_NEVER);
    else
        ck_assert_uint_eq(recorder_sleeps_until(recorder), hooks.now_us + sleeps_us);
}
