/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <string.h>

#include "../clock.h"
#include "../descriptors.h"
#include "../listening.h"
#include "../names.h"
#include "../own.h"
#include "../seed.h"
#include "../task.h"
#include "../trace.h"
#include "../world.h"
#include "book.h"
#include "crowd.h"
#include "others.h"
#include "process.h"

#define TURNS_EACH            3
#define TURNS_OF_WORLD_EACH   200
#define DESCRIPTORS_OF_OTHERS 100

static struct sim_stream **streams;
static unsigned n_streams;

static void dialed(void *userdata, struct sim_stream *stream, int error)
{
    struct conn *c = userdata;

    if (error < 0) {
        sim_violate("a client of the crowd cannot connect");
        return;
    }
    stream->observed = c;
    stream->pid = c->number;
    streams[n_streams++] = stream;
}

static void prepare(unsigned n)
{
    static const char path[] = "/run/place";
    struct place *p = &process.places[0];
    struct sockaddr_storage address;
    socklen_t size = sim_address(path, &address);

    memset(&process, 0, sizeof process);
    process.n_places = process.n_workers = 1;
    *p = (struct place){ .is_unix = true, .framing = FRAMING_LINE, .fd = -1 };
    memcpy(p->address, path, sizeof path);
    (void)sim_listening_new((struct sockaddr *)&address, size, (int)n, &p->file);
    sim_file_set_nonblocking(p->file, true);
    p->setup = setup_plain(FRAMING_LINE);
    sim_descriptors_limit((int)n + DESCRIPTORS_OF_OTHERS, SIZE_MAX);
    journal_begin();
    journal_turn_fair();
    process_begin();
    atomic_store(&process.shared.max_connections, n + 1);
    process.max_connections = n + 1;
}

static void connect_all(unsigned n)
{
    struct sockaddr_storage address;
    socklen_t size = sim_address(process.places[0].address, &address);

    streams = sim_own_alloc(n * sizeof(struct sim_stream *));
    n_streams = 0;
    for (unsigned i = 0; i < n && !sim_violation(); i++) {
        struct conn *c = book_dial(FRAMING_LINE);

        c->is_unix = true;
        (void)sim_dial((struct sockaddr *)&address, size, NULL, 0, dialed, c);
    }
}

static void turn_until(const uint64_t *what, uint64_t n, unsigned each)
{
    uint64_t until = sim_turns() + n * each + 1000;

    while (*what < n && !sim_violation()) {
        (void)sim_turn(sim_now() + SIM_S);
        book_turned();
        if (sim_turns() > until)
            sim_violate("the crowd is not served");
    }
}

static void say_all(void)
{
    for (unsigned i = 0; i < n_streams; i++) {
        struct conn *c = streams[i]->observed;

        conn_say(c, 10, false);
        c->sent += (uint64_t)sim_stream_send(streams[i], c->bytes, c->n_bytes);
    }
}

static uint64_t dispatches(void)
{
    return counter_get(&process.crew.workers[0]->context.counters.dispatches);
}

static void close_all(void)
{
    for (unsigned i = 0; i < n_streams; i++)
        sim_stream_close(streams[i]);
    sim_own_free(streams);
}

void crowd(unsigned n, const struct run_options *options, struct run_result *ret)
{
    uint64_t before;

    sim_seed_replay(NULL, 0);
    sim_world_begin(SIM_PLAIN, options->verbose);
    book_begin();
    book.crowded = true;
    setups_begin(false, false);
    prepare(n);
    sim_seed_draw(1);
    connect_all(n);
    turn_until(&book.accepted, n, TURNS_OF_WORLD_EACH);
    for (int i = 0; i < 100 && !sim_violation(); i++) /* until every connection was checked */
        (void)sim_turn(sim_now() + SIM_MS);
    before = dispatches();
    say_all();
    turn_until(&book.replies, n, TURNS_OF_WORLD_EACH);
    before = dispatches() - before;
    sim_say("%" PRIu64 " turns of connections", before);
    if (!sim_violation() && before > (uint64_t)n * TURNS_EACH)
        sim_violate("%" PRIu64 " turns of connections for %u messages", before, n);
    close_all();
    process_kill();
    journal_end();
    process_forget();
    run_result(ret);
    ret->turns = before;
    setups_end();
    book_end();
    sim_world_end();
}
