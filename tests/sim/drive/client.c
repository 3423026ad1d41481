/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>

#include "../clock.h"
#include "../eventfd.h"
#include "../listening.h"
#include "../names.h"
#include "../own.h"
#include "../seed.h"
#include "../task.h"
#include "../tcp.h"
#include "../tls/cipher.h"
#include "../trace.h"
#include "base/macros.h"
#include "book.h"
#include "client.h"
#include "process.h"

#define PORTION 65536

bool client_fair;
uint32_t client_talk;

static uint8_t scratch[PORTION];

static bool on_wake(struct sim_watch *watch, uint32_t key)
{
    (void)key;
    sim_task_queue(&CONTAINER_OF(watch, struct client, watch)->task);
    return true;
}

static void on_alarm(struct sim_alarm *alarm)
{
    sim_task_queue(&CONTAINER_OF(alarm, struct client, alarm)->task);
}

void client_wait_until(struct client *c, uint64_t at)
{
    if (!sim_alarm_pending(&c->alarm) || c->alarm.at > at)
        sim_alarm_set(&c->alarm, at, on_alarm);
}

/* --- begin --- */

static void draw_manners(struct client *c)
{
    c->messages_left = sim_scale(0, client_talk);
    c->window = sim_scale(1, client_talk);
    c->size_max = sim_scale(1, 2000);
    c->size_min = 0;
    if (sim_below(8) == 7)
        c->size_max = sim_scale(1, 300000);
    if (setups_are_large() && sim_below(4) == 3) {
        c->size_max = sim_scale(1 << 16, 300000);
        c->size_min = c->size_max / 2;
        c->messages_left = MIN(c->messages_left, 16U);
    }
    c->portion = sim_below(4) > 0 ? PORTION : sim_scale(1, PORTION);
    c->think_us = sim_below(3) == 2 ? sim_scale(1, 1 << 20) : 0;
    c->read_portion = sim_below(4) > 0 ? PORTION : sim_scale(1, PORTION);
    c->read_pause_us = sim_below(4) == 3 ? sim_scale(1, 1 << 20) : 0;
    c->ending = sim_below(2) ? END_CLOSE : (enum ending)sim_below(ENDINGS);
    c->deaf = sim_below(8) == 7;
    c->crlf = sim_below(2);
    c->malformed = sim_below(16) == 15;
    c->cut_inside = sim_below(12) == 11;
    c->urgent = sim_below(24) == 23;
    c->passes = sim_below(24) == 23;
    c->lingers = sim_below(2);
    c->shut = c->stopped = false;
    c->reset_at = c->ending == END_RESET ? sim_now() + sim_scale(0, 1 << 22) * SIM_US : SIM_NEVER;
    c->send_at = c->read_at = 0;
    c->received = 0;
}

static void begin(struct client *c, struct sim_stream *stream)
{
    c->stream = stream;
    stream->observed = c->conn;
    stream->pid = c->conn->number;
    c->watch.wake = on_wake;
    sim_watch_add(&c->watch, &stream->file, false);
    sim_task_queue(&c->task);
}

static void forget_conn(struct client *c)
{
    c->conn->over = true;
    c->conn = NULL;
    cipher_free(c->cipher);
    c->cipher = NULL;
}

static void dialed(void *userdata, struct sim_stream *stream, int error)
{
    struct client *c = userdata;

    c->dial = NULL;
    if (error == 0) {
        begin(c, stream);
        return;
    }
    forget_conn(c);
    client_wait_until(c, sim_now() + sim_scale(1000, 1 << 20) * SIM_US);
}

static void dial(struct client *c)
{
    const struct place *p = &process.places[sim_below(process.n_places)];
    struct sockaddr_in from = { .sin_family = AF_INET };
    struct sockaddr_storage to;
    socklen_t size = sim_address(p->address, &to);
    struct sim_dial *d;

    c->dials_left--;
    draw_manners(c);
    c->conn = book_dial(p->framing);
    c->conn->mute = p->mute;
    c->conn->is_unix = p->is_unix;
    c->conn->address = (uint8_t)(1 + sim_below(3));
    if (p->proxied)
        conn_begin_with_header(c->conn, sim_below(CONN_HEADERS));
    c->conn->tls = p->tls;
    if (p->tls)
        c->cipher = cipher_new(c->conn);
    from.sin_addr.s_addr = htonl(0x7f000000U | c->conn->address);
    from.sin_port = htons((uint16_t)c->conn->number);
    d = sim_dial((struct sockaddr *)&to, size, p->is_unix ? NULL : (struct sockaddr *)&from,
                 sizeof from, dialed, c);
    if (d)
        c->dial = d;
}

/* --- end --- */

static void forget(struct client *c)
{
    if (!c->stream)
        return;
    sim_watch_remove(&c->watch);
    c->stream = NULL;
    forget_conn(c);
    client_wait_until(c, sim_now() + sim_scale(1, 1 << 18) * SIM_US);
}

/* Closing with unread input is a reset, otherwise an orderly end. What a UNIX client has sent
 * arrives in any case. */
static void end(struct client *c)
{
    struct sim_stream *s = c->stream;

    if (c->cipher)
        (void)0; /* see cipher_sent() */
    else if (c->conn->is_unix || (s->family->unread(s) == 0 && !s->shut_write && !s->error))
        c->conn->fin = true;
    forget(c);
    sim_stream_close(s);
}

static void reset(struct client *c)
{
    struct sim_stream *s = c->stream;

    /* UNIX sockets have no such thing. */
    if (c->conn->is_unix) {
        end(c);
        return;
    }
    forget(c);
    sim_stream_reset(s);
}

static void half_close(struct client *c)
{
    if (c->shut)
        return;
    c->shut = true;
    if (c->cipher && c->lingers && c->conn->fin)
        return;
    if (sim_stream_shutdown(c->stream, SHUT_WR) == 0 && !c->cipher)
        c->conn->fin = true;
}

/* --- send and receive --- */

/* False: the connection is gone, or nothing more is there for now. */
static bool receive_some(struct client *c)
{
    ssize_t n, replies;

    if (!client_fair && (c->deaf || sim_now() < c->read_at))
        return false;
    n = sim_stream_recv(c->stream, scratch, client_fair ? PORTION : c->read_portion);
    replies = n > 0 && c->cipher ? cipher_hear(c->cipher, scratch, (size_t)n) : n;
    if (n == 0 && c->cipher)
        cipher_heard_all(c->cipher);
    if (n > 0 && replies >= 0) {
        c->received += (uint64_t)replies;
        book.progress++;
        if (!client_fair && c->read_pause_us > 0) {
            c->read_at = sim_now() + c->read_pause_us * SIM_US;
            client_wait_until(c, c->read_at);
        }
        return true;
    }
    if (n == -EAGAIN)
        return false;
    end(c);
    return false;
}

static uint64_t waiting_for(const struct client *c)
{
    if (c->conn->mute)
        return 0;
    return c->conn->n_messages - MIN(c->conn->replied, (uint64_t)c->conn->n_messages);
}

/* Says another message, if allowed. */
static void say(struct client *c)
{
    struct conn *k = c->conn;
    bool chunk = k->framing == FRAMING_CHUNK;

    if (k->bad != BAD_NONE || k->errored || c->shut)
        return;
    if (c->messages_left > 0 && chunk && k->mute && k->received < k->n_bytes)
        client_wait_until(c, sim_now() + SIM_S); /* sent data does not wake it */
    if (c->messages_left == 0 || (chunk ? k->received < k->n_bytes : waiting_for(c) >= c->window))
        return;
    c->messages_left--;
    if (c->messages_left == 0 && c->malformed && k->framing == FRAMING_NETSTRING) {
        conn_say_malformed(k, sim_below(5));
        return;
    }
    conn_say(k, sim_scale(MAX(c->size_min, (uint32_t)chunk), c->size_max),
             c->crlf && k->framing == FRAMING_LINE);
}

static void send_urgent(struct client *c)
{
    struct sim_stream *s = c->stream;

    c->urgent = false;
    if (s->family->send(s, "!", 1, MSG_OOB, NULL) == 1)
        c->conn->urgent = true;
}

static ssize_t send_portion(struct client *c, const uint8_t *bytes, size_t n)
{
    struct sim_stream *s = c->stream;
    struct sim_file *passed;
    ssize_t r;

    if (!c->passes || !c->conn->is_unix)
        return sim_stream_send(s, bytes, n);
    c->passes = false;
    passed = sim_eventfd_new(0);
    r = s->family->send(s, bytes, n, 0, passed);
    if (r < 0)
        sim_file_unref(passed);
    return r;
}

static void think(struct client *c)
{
    book.progress++;
    if (!client_fair && c->think_us > 0) {
        c->send_at = sim_now() + c->think_us * SIM_US;
        client_wait_until(c, c->send_at);
    }
}

static bool send_header(struct client *c)
{
    struct conn *k = c->conn;
    size_t left = k->header_size - k->header_sent;
    ssize_t n = sim_stream_send(c->stream, k->header + k->header_sent,
                                MIN(left, (size_t)(client_fair ? PORTION : c->portion)));

    if (n < 0)
        return false;
    k->header_sent += (size_t)n;
    think(c);
    return true;
}

static bool send_pending(struct client *c)
{
    const uint8_t *bytes;
    size_t n = cipher_pending(c->cipher, &bytes);
    ssize_t r;

    if (n == 0)
        return false;
    if (c->urgent)
        send_urgent(c);
    r = send_portion(c, bytes, MIN(n, (size_t)(client_fair ? PORTION : c->portion)));
    if (r < 0)
        return false;
    cipher_sent(c->cipher, (size_t)r);
    think(c);
    return true;
}

/* With TLS, they are only pending then. */
static ssize_t send_message(struct client *c, size_t left)
{
    struct conn *k = c->conn;
    size_t n = MIN(left, (size_t)(client_fair ? PORTION : c->portion));
    ssize_t r;

    if (c->cipher)
        return (ssize_t)cipher_say(c->cipher, n);
    r = send_portion(c, k->bytes + k->sent, n);
    if (r > 0)
        k->sent += (uint64_t)r;
    return r;
}

/* True: it sent some, and there may be more. */
static bool send_some(struct client *c)
{
    struct conn *k = c->conn;
    uint64_t left;
    ssize_t n;

    if (c->shut || (!client_fair && sim_now() < c->send_at))
        return false;
    if (k->header_sent < k->header_size)
        return send_header(c);
    if (c->cipher && send_pending(c))
        return true;
    if (c->stopped || (c->cipher && !cipher_may_say(c->cipher)))
        return false;
    if (k->sent == k->n_bytes)
        say(c);
    left = k->n_bytes - k->sent;
    if (left == 0)
        return false;
    if (c->urgent && k->framing != FRAMING_CHUNK)
        send_urgent(c);
    /* Its last message stays incomplete. */
    if (c->cut_inside && c->messages_left == 0 && k->framing != FRAMING_CHUNK && left > 1) {
        left--;
        c->stopped = true;
    }
    n = send_message(c, left);
    if (n < 0) {
        c->stopped = false;
        return false;
    }
    if (c->stopped && (uint64_t)n < left)
        c->stopped = false;
    think(c);
    return true;
}

static bool is_stuck(const struct client *c)
{
    return c->cipher && cipher_is_stuck(c->cipher);
}

static bool has_said_all(const struct client *c)
{
    const uint8_t *bytes;

    if (c->cipher && cipher_pending(c->cipher, &bytes) > 0)
        return false;
    if (is_stuck(c))
        return true;
    return c->stopped || (c->conn->header_sent == c->conn->header_size && c->messages_left == 0 &&
                          c->conn->sent == c->conn->n_bytes);
}

static bool is_answered(const struct client *c)
{
    if (is_stuck(c))
        return true;
    return !c->stopped && c->conn->bad == BAD_NONE &&
           (c->conn->mute || c->conn->replied >= c->conn->n_messages) &&
           c->conn->received == c->conn->n_bytes && c->received >= c->conn->bytes_out;
}

/* With TLS, the server may have to hear of it first. */
static bool may_end(struct client *c)
{
    if (!c->cipher || cipher_end(c->cipher))
        return true;
    sim_task_queue(&c->task);
    return false;
}

/* It has nothing more to send. What it does now. */
static void conclude(struct client *c)
{
    switch (c->ending) {
    case END_HALF:
        if (may_end(c))
            half_close(c);
        break;
    case END_FIRE:
        if (may_end(c))
            end(c);
        break;
    case END_RESET:
        break;
    case END_SILENT:
        if (c->let_go)
            end(c);
        break;
    default:
        if (is_answered(c) ? may_end(c) : c->let_go && sim_now() > c->send_at)
            end(c);
        else if (c->conn->framing == FRAMING_CHUNK || c->conn->mute)
            client_wait_until(c, sim_now() + SIM_S); /* sent data does not wake it */
        break;
    }
}

void client_run(struct sim_task *task)
{
    struct client *c = CONTAINER_OF(task, struct client, task);
    bool more = false;

    if (!c->stream) {
        if (!c->dial && c->dials_left > 0)
            dial(c);
        return;
    }
    if (sim_now() >= c->reset_at) {
        reset(c);
        return;
    }
    more |= receive_some(c);
    if (!c->stream)
        return;
    more |= send_some(c);
    if (c->reset_at != SIM_NEVER)
        client_wait_until(c, c->reset_at);
    if (has_said_all(c))
        conclude(c);
    if (c->stream && more)
        sim_task_queue(&c->task);
}

/* Whether it can never be answered, or waits for a timeout that does not exist. */
static bool waits_in_vain(const struct client *c)
{
    const struct conn *k = c->conn;

    if (!c->stream || !k->setup || !has_said_all(c))
        return false;
    if (is_stuck(c))
        return (k->opened ? k->setup->idle_ms : k->setup->handshake_ms) == TIMER_NEVER;
    if (c->ending == END_SILENT || c->stopped || k->framing == FRAMING_CHUNK)
        return k->setup->idle_ms == TIMER_NEVER &&
               (k->sent == k->n_bytes || k->setup->message_ms == TIMER_NEVER);
    return k->errored || k->urgent;
}

void client_let_go(struct client *c)
{
    if (!waits_in_vain(c))
        return;
    c->let_go = true;
    c->ending = END_SILENT;
    sim_task_queue(&c->task);
}

void client_end(struct client *c)
{
    if (c->dial)
        sim_dial_cancel(c->dial);
    if (c->stream) {
        sim_watch_remove(&c->watch);
        sim_stream_close(c->stream);
    }
    cipher_free(c->cipher);
    sim_alarm_cancel(&c->alarm);
    sim_task_unqueue(&c->task);
}
