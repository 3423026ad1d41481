/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The calls that create threads and wait for them. */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "calls.h"
#include "fiber.h"
#include "sanitize.h"
#include "task.h"
#include "threads.h"
#include "trace.h"

#define MAX_THREADS 16
#define MAX_KEYS    4
#define FIRST_KEY   (1U << 20) /* more than the real ones (PTHREAD_KEYS_MAX) */

/* Like a program's static variables, keys are there until the simulation ends. A sanitizer has keys
 * of its own, which it makes before the world begins. */
static struct {
    void (*destroy[MAX_KEYS])(void *);
    unsigned n;
} keys;

static struct {
    struct thread {
        struct sim_fiber *fiber;
        void *(*run)(void *);
        void *userdata;
        void *values[MAX_KEYS];
    } all[MAX_THREADS];
    void *values[MAX_KEYS]; /* of the main thread */
    unsigned n;
    void (*turned)(void);
} threads;

void sim_threads_begin(void)
{
    threads.n = 0;
    threads.turned = NULL;
    memset(threads.values, 0, sizeof threads.values);
}

void sim_threads_end(void)
{
    for (unsigned i = 0; i < threads.n; i++)
        if (threads.all[i].fiber)
            sim_fiber_free(threads.all[i].fiber);
    threads.n = 0;
}

void sim_threads_set_turned(void (*turned)(void))
{
    threads.turned = turned;
}

int sim_thread_self(void)
{
    for (unsigned i = 0; i < threads.n; i++)
        if (threads.all[i].fiber && threads.all[i].fiber == sim_fiber_self())
            return (int)i;
    return -1;
}

static void run(void *userdata)
{
    struct thread *t = userdata;

    (void)t->run(t->userdata);
    for (unsigned i = 0; i < keys.n; i++)
        if (t->values[i] && keys.destroy[i])
            keys.destroy[i](t->values[i]);
}

/* --- what each thread has for itself --- */

sim_uninstrumented int __wrap_pthread_key_create(pthread_key_t *ret, void (*destroy)(void *))
{
    if (!sim_world_stands)
        return __real_pthread_key_create(ret, destroy);
    if (keys.n == MAX_KEYS)
        return EAGAIN;
    keys.destroy[keys.n] = destroy;
    *ret = FIRST_KEY + keys.n++;
    return 0;
}

static void **value(pthread_key_t key)
{
    int self = sim_thread_self();

    return (self < 0 ? threads.values : threads.all[self].values) + (key - FIRST_KEY);
}

sim_uninstrumented void *__wrap_pthread_getspecific(pthread_key_t key)
{
    return key < FIRST_KEY ? __real_pthread_getspecific(key) : *value(key);
}

sim_uninstrumented int __wrap_pthread_setspecific(pthread_key_t key, const void *data)
{
    if (key < FIRST_KEY)
        return __real_pthread_setspecific(key, data);
    *value(key) = (void *)data;
    return 0;
}

/* --- threads --- */

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*fn)(void *),
                          void *userdata)
{
    struct thread *t;

    if (!sim_world_stands)
        return __real_pthread_create(ret, attributes, fn, userdata);
    if (threads.n == MAX_THREADS)
        return EAGAIN;
    t = &threads.all[threads.n++];
    *t = (struct thread){ .run = fn, .userdata = userdata };
    t->fiber = sim_fiber_new(run, t);
    *ret = threads.n;
    return 0;
}

#define LOOK_AGAIN_NS SIM_MS

/* A thread waits for another, or the main program lets the world turn. */
static void wait_for(const struct thread *t)
{
    while (!sim_fiber_ended(t->fiber) && !sim_violation()) {
        if (sim_fiber_self())
            sim_fiber_sleep(sim_now() + LOOK_AGAIN_NS);
        else if (!sim_turn(SIM_NEVER))
            sim_violate("a thread is waited for that will never end");
        else if (threads.turned)
            threads.turned();
    }
}

int __wrap_pthread_join(pthread_t thread, void **ret)
{
    struct thread *t;

    if (!sim_world_stands)
        return __real_pthread_join(thread, ret);
    t = &threads.all[thread - 1];
    wait_for(t);
    if (sim_fiber_ended(t->fiber)) {
        sim_fiber_free(t->fiber);
        t->fiber = NULL;
    }
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    return sim_world_stands ? 0 : __real_pthread_setname_np(thread, name);
}

/* There is only one real thread, and its signals are not for fibers to block. */
int __wrap_pthread_sigmask(int how, const sigset_t *set, sigset_t *before)
{
    return sim_world_stands ? 0 : __real_pthread_sigmask(how, set, before);
}
