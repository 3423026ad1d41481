/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The checked longjmp() mistakes a switch of stacks for an error. */
#undef _FORTIFY_SOURCE
#include <setjmp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/macros.h"
#include "clock.h"
#include "fiber.h"
#include "own.h"
#include "sanitize.h"
#include "task.h"

#define STACK_SIZE ((size_t)1024 * 1024)

/* Where to continue. swapcontext(3) makes a system call each time to save the signal mask. That
 * costs more than everything else in a simulated call, so it is used only to start. Sanitizers
 * understand only swapcontext(3). */
struct place {
    ucontext_t context;
#ifndef __SANITIZE_ADDRESS__
    jmp_buf jump;
    bool begun;
#endif
};

struct sim_fiber {
    struct sim_task task;
    struct sim_alarm alarm;
    struct place place;
    void *stack;
    void *fake_stack; /* AddressSanitizer's */
    void *locals;     /* see sim_locals */
    void (*run)(void *userdata);
    void *userdata;
    bool ended;
};

void *__real_mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t size);

const struct sim_locals *sim_locals;

static struct {
    struct place place; /* of the code that runs the fibers */
    const void *stack;
    size_t stack_size;
    struct sim_fiber *self;
} world;

#ifdef __SANITIZE_ADDRESS__
static void go(struct place *from, struct place *to)
{
    (void)swapcontext(&from->context, &to->context);
}
#else
static void go(struct place *from, struct place *to)
{
    from->begun = true;
    if (_setjmp(from->jump) != 0)
        return;
    if (to->begun)
        _longjmp(to->jump, 1);
    (void)setcontext(&to->context);
}
#endif

static void leave(struct sim_fiber *f, bool for_ever)
{
    world.self = NULL;
    sim_switch_begins(for_ever ? NULL : &f->fake_stack, world.stack, world.stack_size);
    go(&f->place, &world.place);
    sim_switch_ends(f->fake_stack, &world.stack, &world.stack_size);
}

static void begin(void)
{
    struct sim_fiber *f = world.self;

    sim_switch_ends(NULL, &world.stack, &world.stack_size);
    f->run(f->userdata);
    f->ended = true;
    leave(f, true);
}

static void give_locals(struct sim_fiber *f)
{
    sim_locals->give(f->locals);
    sim_own_free(f->locals);
    f->locals = NULL;
}

static void resume(struct sim_task *task)
{
    struct sim_fiber *f = CONTAINER_OF(task, struct sim_fiber, task);
    void *fake_stack = NULL;

    sim_alarm_cancel(&f->alarm);
    if (sim_locals)
        give_locals(f);
    world.self = f;
    sim_switch_begins(&fake_stack, f->stack, STACK_SIZE);
    go(&world.place, &f->place);
    sim_switch_ends(fake_stack, NULL, NULL);
    if (sim_locals)
        f->locals = sim_locals->take();
}

static void ring(struct sim_alarm *alarm)
{
    sim_fiber_wake(CONTAINER_OF(alarm, struct sim_fiber, alarm));
}

struct sim_fiber *sim_fiber_new(void (*run)(void *userdata), void *userdata)
{
    struct sim_fiber *f = sim_own_alloc(sizeof *f);

    f->task.run = resume;
    f->run = run;
    f->userdata = userdata;
    f->stack = __real_mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    (void)getcontext(&f->place.context);
    f->place.context.uc_stack.ss_sp = f->stack;
    f->place.context.uc_stack.ss_size = STACK_SIZE;
    f->place.context.uc_link = NULL;
    makecontext(&f->place.context, begin, 0);
    sim_task_queue(&f->task);
    return f;
}

void sim_fiber_free(struct sim_fiber *f)
{
    sim_task_unqueue(&f->task);
    sim_alarm_cancel(&f->alarm);
    sim_unpoison(f->stack, STACK_SIZE);
    (void)__real_munmap(f->stack, STACK_SIZE);
    sim_own_free(f->locals);
    sim_own_free(f);
}

bool sim_fiber_ended(const struct sim_fiber *f)
{
    return f->ended;
}

struct sim_fiber *sim_fiber_self(void)
{
    return world.self;
}

void sim_fiber_yield(void)
{
    struct sim_fiber *f = world.self;

    sim_task_queue(&f->task);
    leave(f, false);
}

void sim_fiber_sleep(uint64_t until)
{
    struct sim_fiber *f = world.self;

    sim_alarm_set(&f->alarm, until, ring);
    leave(f, false);
}

void sim_fiber_wake(struct sim_fiber *f)
{
    if (!f->ended)
        sim_task_queue(&f->task);
}
