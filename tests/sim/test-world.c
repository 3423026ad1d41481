/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A small server in the model of the kernel, with many seeds. The world must serve it well, and be
 * the same each time. */

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "../unit/runner.h"
#include "base/macros.h"
#include "datagram.h"
#include "echo.h"
#include "listening.h"
#include "names.h"
#include "seed.h"
#include "task.h"
#include "tcp.h"
#include "trace.h"
#include "unix.h"
#include "world.h"

#define MAX_CLIENTS 8

/* --- the clients and the journal's reader --- */

struct client {
    struct sim_task task;
    struct sim_watch watch;
    struct sim_stream *stream;
    struct sim_dial *dial;
    const char *address;
    uint8_t next; /* the next expected byte */
    unsigned sent, received, wanted;
};

static struct sim_datagram *journal;
static uint64_t n_records, n_replies;

/* An actor's watch makes the actor runnable. */
static bool client_wake(struct sim_watch *watch, uint32_t key)
{
    (void)key;
    sim_task_queue(&CONTAINER_OF(watch, struct client, watch)->task);
    return true;
}

static void client_dial(struct client *c);

static void client_dialed(void *userdata, struct sim_stream *stream, int error)
{
    struct client *c = userdata;

    c->dial = NULL;
    if (error < 0) {
        sim_task_queue(&c->task);
        return;
    }
    c->stream = stream;
    c->sent = c->received = 0;
    c->watch.wake = client_wake;
    sim_watch_add(&c->watch, &stream->file, false);
    sim_task_queue(&c->task);
}

static void client_dial(struct client *c)
{
    struct sockaddr_storage to;
    struct sockaddr_in from = { .sin_family = AF_INET };
    socklen_t size = sim_address(c->address, &to);

    /* For a UNIX socket the callback is immediate. */
    c->dial = NULL;
    if (to.ss_family == AF_UNIX)
        (void)sim_dial((struct sockaddr *)&to, size, NULL, 0, client_dialed, c);
    else
        c->dial = sim_dial((struct sockaddr *)&to, size, (struct sockaddr *)&from, sizeof from,
                           client_dialed, c);
}

static void client_close(struct client *c)
{
    sim_watch_remove(&c->watch);
    sim_stream_close(c->stream);
    c->stream = NULL;
}

static void client_receive(struct client *c)
{
    uint8_t bytes[4096];
    ssize_t n;

    while ((n = sim_stream_recv(c->stream, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != (uint8_t)(c->received + (unsigned)i))
                sim_violate("a reply is not what was sent");
        c->received += (unsigned)n;
        n_replies += (uint64_t)n;
    }
    if (n == -EAGAIN)
        return;
    client_close(c);
    sim_task_queue(&c->task); /* and start again */
}

static void client_send(struct client *c)
{
    uint8_t bytes[256];
    size_t n = MIN(c->wanted - c->sent, sim_between(1, sizeof bytes));
    ssize_t r;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)(c->sent + i);
    r = sim_stream_send(c->stream, bytes, n);
    if (r > 0)
        c->sent += (unsigned)r;
    if (r == (ssize_t)n)
        sim_task_queue(&c->task);
}

static void client_run(struct sim_task *task)
{
    struct client *c = CONTAINER_OF(task, struct client, task);

    if (!c->stream) {
        if (!c->dial && c->wanted > 0)
            client_dial(c);
        return;
    }
    client_receive(c);
    if (c->stream && c->sent < c->wanted)
        client_send(c);
    if (c->stream && c->received == c->wanted) {
        c->wanted = 0;
        client_close(c);
    }
}

static bool journal_wake(struct sim_watch *watch, uint32_t key);
static void journal_run(struct sim_task *task);
static struct sim_watch journal_watch = { .wake = journal_wake };
static struct sim_task journal_task = { .run = journal_run };

static bool journal_wake(struct sim_watch *watch, uint32_t key)
{
    (void)watch;
    (void)key;
    sim_task_queue(&journal_task);
    return true;
}

static void journal_run(struct sim_task *task)
{
    struct sim_message m;

    if (!sim_datagram_receive(journal, &m))
        return;
    n_records++;
    sim_message_free(&m);
    sim_task_queue(task);
}

/* --- a run --- */

struct run {
    uint64_t digest, calls, decisions, replies, simulated_ns;
};

static struct sim_file *listen_at(const char *text)
{
    struct sockaddr_storage address;
    socklen_t size = sim_address(text, &address);
    struct sim_file *file = NULL;

    ck_assert_int_eq(
        sim_listening_new((struct sockaddr *)&address, size, (int)sim_between(0, 10), &file), 0);
    sim_file_set_nonblocking(file, true);
    return file;
}

static bool answered(const struct client *clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (clients[i].wanted > 0)
            return false;
    return true;
}

static struct sim_file *tcp, *local;
static unsigned n_threads;

static void turn_until_answered(struct client *clients, unsigned n, uint32_t kills)
{
    uint64_t progress = n_replies, at = sim_now();

    while (!answered(clients, n) && !sim_violation()) {
        if (sim_turns() > 2000000)
            sim_world_turn_fair();
        if (kills > 0 && sim_below(2000) == 1999) {
            kills--;
            echo_die();
            echo_begin(tcp, local, n_threads);
        }
        (void)sim_turn(SIM_NEVER);
        if (n_replies != progress) {
            progress = n_replies;
            at = sim_now();
        }
        if (sim_now() - at > 3600 * SIM_S)
            sim_violate("nothing has happened for an hour");
    }
}

static void run(unsigned messages, uint32_t kills, struct run *ret)
{
    static struct client clients[MAX_CLIENTS];
    unsigned n_clients = sim_between(1, MAX_CLIENTS);
    struct sim_file *file;
    struct sockaddr_storage address;

    n_threads = sim_between(1, ECHO_THREADS);
    tcp = listen_at("8080");
    local = listen_at("/run/answerd");
    n_records = n_replies = 0;
    file = sim_datagram_new();
    journal = sim_datagram_of(file);
    ck_assert_int_eq(sim_datagram_bind(journal, (struct sockaddr *)&address,
                                       sim_address(ECHO_JOURNAL, &address)),
                     0);
    sim_watch_add(&journal_watch, file, false);
    echo_begin(tcp, local, n_threads);
    for (unsigned i = 0; i < n_clients; i++) {
        clients[i] = (struct client){
            .task = { .run = client_run },
            .address = n_threads > 1 && i % 2 == 1 ? "/run/answerd" : "8080",
            .wanted = messages,
        };
        sim_task_queue(&clients[i].task);
    }
    turn_until_answered(clients, n_clients, kills);
    echo_end();
    for (unsigned i = 0; i < n_clients; i++)
        if (clients[i].stream)
            client_close(&clients[i]);
    if (n_records + sim_datagram_waiting(journal) < n_replies)
        sim_violate("more replies than records");
    sim_file_unref(tcp);
    sim_file_unref(local);
    sim_watch_remove(&journal_watch);
    sim_file_unref(file);
    sim_world_look_for_leaks(0);
    sim_world_look_for_streams();
    *ret = (struct run){
        .digest = sim_trace_digest(),
        .calls = sim_trace_calls(),
        .decisions = sim_seed_count(),
        .replies = n_replies,
        .simulated_ns = sim_now() - sim_started(),
    };
}

static void run_seed(uint64_t seed, unsigned messages, uint32_t kills, struct run *ret)
{
    sim_seed_draw(seed);
    sim_world_begin(SIM_BY_SEED, getenv("VERBOSE"));
    run(messages, kills, ret);
    if (sim_violation())
        ck_abort_msg("seed %lu: %s", seed, sim_violation());
    sim_world_end();
}

START_TEST(every_seed_is_answered_and_leaves_nothing)
{
    const char *seeds = getenv("SEEDS");
    uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 300;
    struct run r, sum = { 0 };

    for (uint64_t seed = 0; seed < n; seed++) {
        run_seed(seed, 300, 0, &r);
        sum.calls += r.calls;
        sum.replies += r.replies;
        sum.decisions += r.decisions;
        sum.simulated_ns += r.simulated_ns;
    }
    if (seeds)
        (void)printf("# %lu replies, %lu calls, %lu decisions, %lu s\n", sum.replies, sum.calls,
                     sum.decisions, sum.simulated_ns / SIM_S);
}
END_TEST

START_TEST(killed_at_any_call_it_begins_anew)
{
    struct run r;

    for (uint64_t seed = 2000; seed < 2100; seed++)
        run_seed(seed, 300, 5, &r);
}
END_TEST

START_TEST(a_seed_gives_the_same_run_again)
{
    struct run first, second;

    for (uint64_t seed = 1000; seed < 1010; seed++) {
        run_seed(seed, 100, 1, &first);
        free(malloc(seed * 100)); /* addresses of memory must not matter */
        run_seed(seed, 100, 1, &second);
        ck_assert_mem_eq(&first, &second, sizeof first);
    }
}
END_TEST

START_TEST(kept_decisions_give_the_same_run_again)
{
    struct run first, second;
    const uint32_t *kept;
    uint32_t *copy;
    size_t n;

    sim_seed_keep(true);
    run_seed(77, 100, 1, &first);
    kept = sim_seed_kept(&n);
    ck_assert_uint_eq(n, first.decisions);
    copy = malloc(n * sizeof *copy);
    memcpy(copy, kept, n * sizeof *copy);
    sim_seed_keep(false);
    sim_seed_replay(copy, n);
    sim_world_begin(SIM_BY_SEED, false);
    run(100, 1, &second);
    sim_world_end();
    ck_assert_mem_eq(&first, &second, sizeof first);
    /* Without decisions the world is harmless. */
    sim_seed_replay(copy, 0);
    sim_world_begin(SIM_BY_SEED, false);
    run(100, 1, &second);
    ck_assert_ptr_null(sim_violation());
    sim_world_end();
    free(copy);
    sim_seed_end();
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("world");
    TCase *tc = tcase_create("world");

    tcase_add_test(tc, every_seed_is_answered_and_leaves_nothing);
    tcase_add_test(tc, killed_at_any_call_it_begins_anew);
    tcase_add_test(tc, a_seed_gives_the_same_run_again);
    tcase_add_test(tc, kept_decisions_give_the_same_run_again);
    suite_add_tcase(s, tc);
    return s;
}
