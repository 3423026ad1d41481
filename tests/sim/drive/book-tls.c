/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* TLS, and all else that comes before a connection, as the book sees it. */

#include <inttypes.h>

#include "../faults.h"
#include "../tls/tls.h"
#include "../trace.h"
#include "base/macros.h"
#include "base/timer.h"
#include "book.h"
#include "life.h"
#include "process.h"

#define STEPS_PER_TURN 4    /* of handshakes, as handshake.h promises: "only a few" */
#define GIVE_WAY_MS    1000 /* then a handshake loses its place, if others wait */

static struct conn *conn_of(struct sim_file *file)
{
    struct conn *c = sim_stream_is(file) ? ((struct sim_stream *)file)->observed : NULL;

    return c && c->server == (struct sim_stream *)file ? c : NULL;
}

static void on_stepping(void)
{
    const struct worker *w = process_worker();

    if (w && ++life.steps[w->index] > STEPS_PER_TURN && !w->context.draining)
        sim_violate("%u steps of handshakes in one turn", life.steps[w->index]);
}

static void on_received(struct sim_file *file, const void *bytes, size_t n)
{
    struct conn *c = conn_of(file);

    if (!c)
        return;
    if (c->received + n > c->sent || memcmp(c->bytes + c->received, bytes, n) != 0)
        sim_violate("connection %u: %zu bytes behind %" PRIu64 " are taken, and were never sent",
                    c->number, n, c->received);
    else
        book_received(c, n);
}

static void on_sending(struct sim_file *file, const void *bytes, size_t n)
{
    struct conn *c = conn_of(file);
    size_t again = c ? conn_promised(c, bytes, n) : n;

    if (again < n)
        book_replied(c, (const uint8_t *)bytes + again, n - again);
}

static void on_sent(struct sim_file *file, size_t n)
{
    struct conn *c = conn_of(file);

    if (!c)
        return;
    c->kept_promises += n;
    book_sent(n);
}

static void on_failed(struct sim_file *file)
{
    struct conn *c = conn_of(file);

    if (c)
        c->failed = true;
}

static const struct sim_tls_observer observer = {
    .stepping = on_stepping,
    .received = on_received,
    .sending = on_sending,
    .sent = on_sent,
    .failed = on_failed,
};

void book_tls_begin(void)
{
    sim_tls_observer = &observer;
}

void book_cipher_received(struct conn *c, size_t n)
{
    if (c->cipher_received == 0)
        c->hello_at = process_now();
    c->cipher_received += n;
    book.progress++;
}

/* Too late for its header or its handshake. */
static void preface_timed_out(const struct conn *c)
{
    bool has_header = c->header_left == 0;
    uint64_t span_ms = has_header ? c->setup->handshake_ms : c->setup->message_ms,
             since = has_header ? c->header_at : c->accepted_at, now = sim_now() + COARSE_NS;

    if (has_header && now >= MAX(c->header_at, c->hello_at) + GIVE_WAY_MS * SIM_MS)
        return;
    if (span_ms == TIMER_NEVER || now < since + span_ms * SIM_MS)
        sim_violate("connection %u: its %s is late too early", c->number,
                    has_header ? "handshake" : "header");
}

/* All of its handshake has arrived, and the program cannot but see it. */
static bool is_shaken(const struct conn *c)
{
    return c->shaken_at > 0 && c->cipher_received >= c->shaken_at && !c->broken;
}

/* A good header is refused only if its client has too many connections, or is gone. */
static void preface_refused(const struct conn *c)
{
    if (c->header_size > 0 && !c->header_wrong && c->cipher_received == 0 && !c->is_too_many &&
        !c->over && !c->fin && !life_is_short_of_memory())
        sim_violate("connection %u: its header is good, and it is refused", c->number);
}

void book_preface_closed(const struct conn *c)
{
    const struct worker *w = process_worker();
    bool shed;

    if (!w)
        return;
    if (life_grew(&life.refusals[w->index], &w->context.counters.refused))
        preface_refused(c);
    shed = life_grew(&life.shed[w->index], &w->context.counters.shed);
    if (life_grew(&life.timeouts[w->index], &w->context.counters.timeouts)) {
        preface_timed_out(c);
        return;
    }
    if (!shed && !w->stopping && is_shaken(c) && !life_is_short_of_memory() &&
        sim_fault_count(SIM_NO_KERNEL) == 0)
        sim_violate("connection %u: its handshake is done, and it is closed", c->number);
}
