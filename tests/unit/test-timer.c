/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdint.h>
#include <stdlib.h>

#include "base/macros.h"
#include "base/timer.h"
#include "random.h"
#include "runner.h"

#define N_TIMERS 200

/* Later times expire at this one, which nobody will live to see. */
#define FARTHEST ((UINT64_C(1) << TIMER_EXPIRES_BITS) - 1)

/* The wheel next to a plain array of the timers' expiries. */
struct model {
    struct timer_wheel wheel;
    struct timer timers[N_TIMERS];
    uint64_t expires[N_TIMERS]; /* TIMER_NEVER: not armed */
    uint64_t now;
    uint64_t random;
};

static uint64_t first_expiry(const struct model *m)
{
    uint64_t first = TIMER_NEVER;

    for (size_t i = 0; i < N_TIMERS; i++)
        first = MIN(first, m->expires[i]);
    return first;
}

static void check(const struct model *m)
{
    uint64_t next = timer_wheel_next(&m->wheel);

    for (size_t i = 0; i < N_TIMERS; i++)
        if (timer_armed(&m->timers[i]) != (m->expires[i] != TIMER_NEVER))
            ck_abort_msg("timer %zu is armed, or not, unlike the model", i);
    if (next > MAX(first_expiry(m), m->now))
        ck_abort_msg("the next advance would come too late");
}

/* From a millisecond to millions of years away; sometimes in the past, sometimes now. */
static uint64_t some_time(struct model *m)
{
    uint64_t distance = random_magnitude(&m->random, 63);

    switch (random_below(&m->random, 16)) {
    case 0:
        return m->now;
    case 1:
        return m->now - MIN(m->now, distance);
    case 2:
        return TIMER_NEVER;
    case 3:
        return TIMER_NEVER - 1;
    default:
        return distance > TIMER_NEVER - m->now ? m->now : m->now + distance;
    }
}

static void set_some(struct model *m)
{
    size_t i = random_below(&m->random, N_TIMERS);
    uint64_t expires = some_time(m);

    m->expires[i] = expires == TIMER_NEVER ? TIMER_NEVER : MIN(expires, FARTHEST);
    timer_set(&m->wheel, &m->timers[i], expires);
}

static void cancel_some(struct model *m)
{
    size_t i = random_below(&m->random, N_TIMERS);

    m->expires[i] = TIMER_NEVER;
    timer_cancel(&m->timers[i]);
}

/* Advances to `now`. Expired timers arm and cancel others. */
static void advance(struct model *m, uint64_t now)
{
    struct timer *t;

    m->now = MAX(m->now, now);
    while ((t = timer_wheel_advance(&m->wheel, now))) {
        size_t i = (size_t)(t - m->timers);

        if (i >= N_TIMERS || m->expires[i] == TIMER_NEVER)
            ck_abort_msg("a timer expired that was not armed");
        if (m->expires[i] > m->now)
            ck_abort_msg("a timer expired early");
        if (timer_armed(t))
            ck_abort_msg("an expired timer is still armed");
        m->expires[i] = TIMER_NEVER;
        if (random_below(&m->random, 4) == 0)
            set_some(m);
        if (random_below(&m->random, 4) == 0)
            cancel_some(m);
    }
    if (first_expiry(m) <= m->now)
        ck_abort_msg("a timer has not expired in time");
}

static uint64_t some_advance(struct model *m)
{
    uint64_t step;

    switch (random_below(&m->random, 8)) {
    case 0:
        return timer_wheel_next(&m->wheel) != TIMER_NEVER ? timer_wheel_next(&m->wheel) : m->now;
    case 1:
        return first_expiry(m) != TIMER_NEVER ? MAX(first_expiry(m), UINT64_C(1)) - 1 : m->now;
    case 2:
        return m->now - MIN(m->now, random_magnitude(&m->random, 40)); /* the clock goes back */
    case 3:
        step = random_magnitude(&m->random, 58);
        break;
    default:
        step = random_magnitude(&m->random, 20);
        break;
    }
    return step > TIMER_NEVER - 1 - m->now ? m->now : m->now + step;
}

static struct model *model_new(uint64_t now, uint64_t seed)
{
    struct model *m = calloc(1, sizeof *m);

    ck_assert_ptr_nonnull(m);
    m->now = now;
    m->random = seed;
    timer_wheel_init(&m->wheel, now);
    for (size_t i = 0; i < N_TIMERS; i++)
        m->expires[i] = TIMER_NEVER;
    return m;
}

START_TEST(agrees_with_a_plain_array)
{
    /* Including times at which many levels of the wheel turn at once. */
    const uint64_t presents[] = { 0,
                                  1,
                                  63,
                                  64,
                                  4095,
                                  UINT64_C(1) << 36,
                                  (UINT64_C(1) << 42) - 1,
                                  (UINT64_C(1) << 54) - 1,
                                  FARTHEST - 1000000,
                                  FARTHEST,
                                  INT64_MAX,
                                  UINT64_MAX - 1000000,
                                  1700000000000 };

    for (uint64_t seed = 0; seed < 200; seed++) {
        _cleanup_free_ struct model *m = model_new(presents[seed % ARRAY_SIZE(presents)], seed);

        for (int i = 0; i < 1000; i++) {
            uint64_t what = random_below(&m->random, 10);

            if (what < 6)
                set_some(m);
            else if (what < 7)
                cancel_some(m);
            else
                advance(m, some_advance(m));
            check(m);
        }
    }
}
END_TEST

START_TEST(nothing_armed_is_never)
{
    struct timer_wheel wheel;

    timer_wheel_init(&wheel, 12345);
    ck_assert_uint_eq(timer_wheel_next(&wheel), TIMER_NEVER);
    ck_assert_ptr_null(timer_wheel_advance(&wheel, 99999));
}
END_TEST

START_TEST(never_only_cancels)
{
    struct timer_wheel wheel;
    struct timer t = { 0 };

    timer_wheel_init(&wheel, 5);
    timer_set(&wheel, &t, 10);
    ck_assert(timer_armed(&t));
    timer_set(&wheel, &t, TIMER_NEVER);
    ck_assert(!timer_armed(&t));
    timer_cancel(&t);
    ck_assert_ptr_null(timer_wheel_advance(&wheel, UINT64_MAX));
}
END_TEST

START_TEST(past_expires_at_once)
{
    struct timer_wheel wheel;
    struct timer past = { 0 }, present = { 0 };

    timer_wheel_init(&wheel, 1000);
    timer_set(&wheel, &past, 1);
    timer_set(&wheel, &present, 1000);
    ck_assert_uint_eq(timer_wheel_next(&wheel), 1000);
    ck_assert_ptr_nonnull(timer_wheel_advance(&wheel, 1000));
    ck_assert_ptr_nonnull(timer_wheel_advance(&wheel, 1000));
    ck_assert_ptr_null(timer_wheel_advance(&wheel, 1000));
}
END_TEST

/* Early wake-ups are allowed, but only once per level. */
START_TEST(few_wakeups_for_one_timer)
{
    uint64_t random = 3;

    for (int i = 0; i < 10000; i++) {
        uint64_t now = random_magnitude(&random, 54),
                 expires = now + 1 + random_magnitude(&random, 54);
        struct timer_wheel wheel;
        struct timer t = { 0 }, *expired = NULL;
        int wakeups = 0;

        timer_wheel_init(&wheel, now);
        timer_set(&wheel, &t, expires);
        while (!expired && wakeups <= TIMER_LEVELS) {
            now = timer_wheel_next(&wheel);
            expired = timer_wheel_advance(&wheel, now);
            wakeups++;
        }
        if (expired != &t || now != expires || wakeups > TIMER_LEVELS)
            ck_abort_msg("%d wake-ups, expired at another time than asked", wakeups);
    }
}
END_TEST

START_TEST(a_timer_keeps_its_kind)
{
    struct timer_wheel wheel;
    struct timer t = { .kind = 7 };

    timer_wheel_init(&wheel, 0);
    timer_set(&wheel, &t, TIMER_NEVER - 1);
    ck_assert_uint_eq(t.kind, 7);
    ck_assert_uint_eq(t.expires, FARTHEST);
    timer_set(&wheel, &t, 1);
    ck_assert_ptr_eq(timer_wheel_advance(&wheel, 1), &t);
    ck_assert_uint_eq(t.kind, 7);
}
END_TEST

START_TEST(expire_in_order_across_advances)
{
    enum { N = 1000 };
    static struct timer timers[N];
    struct timer_wheel wheel;
    uint64_t random = 9;
    int expired = 0;

    timer_wheel_init(&wheel, 0);
    for (size_t i = 0; i < N; i++)
        timer_set(&wheel, &timers[i], random_below(&random, 5000));
    for (uint64_t now = 0; now < 5000; now++)
        for (struct timer *t; (t = timer_wheel_advance(&wheel, now)); expired++)
            ck_assert_uint_eq(t->expires, now);
    ck_assert_int_eq(expired, N);
    ck_assert_uint_eq(timer_wheel_next(&wheel), TIMER_NEVER);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("timer");
    TCase *cases = tcase_create("timer");

    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, agrees_with_a_plain_array);
    tcase_add_test(cases, nothing_armed_is_never);
    tcase_add_test(cases, never_only_cancels);
    tcase_add_test(cases, past_expires_at_once);
    tcase_add_test(cases, few_wakeups_for_one_timer);
    tcase_add_test(cases, a_timer_keeps_its_kind);
    tcase_add_test(cases, expire_in_order_across_advances);
    suite_add_tcase(suite, cases);
    return suite;
}
