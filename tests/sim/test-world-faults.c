/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Faults in the model of the kernel: misbehaving threads are caught, and limits hold. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/runner.h"
#include "descriptors.h"
#include "epoll.h"
#include "faults.h"
#include "fiber.h"
#include "memory.h"
#include "seed.h"
#include "task.h"
#include "trace.h"
#include "world.h"

static void misbehave(void *userdata)
{
    switch (*(int *)userdata) {
    case 0:
        close(77);
        break;
    case 1:
        (void)recv(sim_descriptor_next(3), &(char){ 0 }, 1, 0);
        break;
    case 2:
        (void)fcntl(0, F_GETOWN);
        break;
    case 3:
        (void)send(sim_descriptor_next(3), "x", 1, 0);
        break;
    }
}

START_TEST(what_a_thread_must_not_do_is_seen)
{
    int fds[2], what = _i;
    struct sim_fiber *fiber;

    sim_seed_draw(1);
    sim_world_begin(SIM_PLAIN, false);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    if (what == 3)
        close(fds[1]);
    fiber = sim_fiber_new(misbehave, &what);
    ck_assert_ptr_null(sim_violation());
    while (!sim_fiber_ended(fiber))
        ck_assert(sim_turn(SIM_NEVER));
    ck_assert_ptr_nonnull(sim_violation());
    sim_fiber_free(fiber);
    sim_world_end();
}
END_TEST

START_TEST(what_is_left_over_is_seen)
{
    void *volatile block = NULL;

    sim_seed_draw(1);
    sim_world_begin(SIM_PLAIN, false);
    sim_world_look_for_leaks(0);
    ck_assert_ptr_null(sim_violation());
    switch (_i) {
    case 0:
        block = malloc(10);
        break;
    case 1:
        ck_assert_int_eq(eventfd(0, 0), 3);
        break;
    case 2:
        block = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        break;
    }
    sim_world_look_for_leaks(0);
    ck_assert_ptr_nonnull(sim_violation());
    if (_i == 0)
        sim_memory_abandon();
    if (_i == 2)
        munmap(block, 4096);
    sim_world_end();
}
END_TEST

static void allocate(void *userdata)
{
    unsigned *failed = userdata;

    for (int i = 0; i < 1000; i++) {
        void *volatile p = malloc(10);

        *failed += !p;
        free(p);
    }
}

START_TEST(memory_runs_out_for_threads_alone)
{
    unsigned failed = 0;
    struct sim_fiber *fiber;

    sim_seed_draw(1);
    sim_world_begin(SIM_PLAIN, false);
    sim_fault_set(SIM_NO_MEMORY, SIM_ALWAYS / 2);
    allocate(&failed);
    ck_assert_uint_eq(failed, 0);
    fiber = sim_fiber_new(allocate, &failed);
    while (sim_turn(SIM_NEVER))
        ;
    ck_assert_uint_gt(failed, 400);
    ck_assert_uint_lt(failed, 600);
    ck_assert_uint_eq(sim_fault_count(SIM_NO_MEMORY), failed);
    sim_fiber_free(fiber);
    ck_assert_uint_eq(sim_memory_blocks(), 0);
    sim_world_end();
}
END_TEST

START_TEST(watches_and_files_have_their_limits)
{
    struct epoll_event event = { .events = EPOLLIN };
    int e, a, b;

    sim_seed_draw(1);
    sim_world_begin(SIM_PLAIN, false);
    e = epoll_create1(0);
    a = eventfd(0, 0);
    b = eventfd(0, 0);
    sim_epoll_limit(1);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_ADD, a, &event), 0);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_ADD, b, &event), -1);
    ck_assert_int_eq(errno, ENOSPC);
    close(a);
    ck_assert_int_eq(epoll_ctl(e, EPOLL_CTL_ADD, b, &event), 0);
    sim_descriptors_limit(1000, sim_files_open());
    ck_assert_int_eq(eventfd(0, 0), -1);
    ck_assert_int_eq(errno, ENFILE);
    sim_descriptors_limit(b, SIZE_MAX);
    ck_assert_int_eq(eventfd(0, 0), a);
    ck_assert_int_eq(eventfd(0, 0), -1);
    ck_assert_int_eq(errno, EMFILE);
    sim_world_end();
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("world-faults");
    TCase *tc = tcase_create("world-faults");

    tcase_add_loop_test(tc, what_a_thread_must_not_do_is_seen, 0, 4);
    tcase_add_loop_test(tc, what_is_left_over_is_seen, 0, 3);
    tcase_add_test(tc, memory_runs_out_for_threads_alone);
    tcase_add_test(tc, watches_and_files_have_their_limits);
    suite_add_tcase(s, tc);
    return s;
}
