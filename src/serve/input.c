/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>

#include "base/macros.h"
#include "record/display.h"
#include "record/event-log.h"
#include "serve/input.h"

/* This limits a flooder to a few hundred microseconds at a time. A recorded message costs about ten
 * times as much as one that is not. */
#define MESSAGES_PER_TAKE 1024
#define RECORDS_PER_TAKE  64
#define ALWAYS_FITS                                                                                \
    2000 /* bytes; even the smallest socket buffer holds more (socket(7),
                                  SO_SNDBUF) */

/* Large replies do not keep their memory. */
#define REPLIES_KEPT ((size_t)4 * READ_SIZE)

static const char broken[] = "the client broke the framing",
                  no_memory[] = "no memory for them, see MemoryLimit=";

void input_excuse(struct input *in, const struct context *x, uint64_t ms)
{
    if (in->bytes)
        in->bytes->stamp = MIN(context_ms(x), in->bytes->stamp + ms);
}

/* The records of one feed. */
struct staging {
    const struct exchange *exchange;
    unsigned n; /* staged so far */
    bool large; /* the last one staged was large */
};

/* The records of one feed share a slot. A large record may turn out to be impossible, so it gets
 * its own slot. Then the other replies are sent anyway. */
static int stage(void *userdata, const struct record *record)
{
    struct staging *s = userdata;
    const struct exchange *e = s->exchange;
    struct display *display = e->context->display;
    bool large = record->size >= ALWAYS_FITS;
    int r;

    if (s->large || (large && s->n > 0))
        return -EAGAIN;
    r = recorder_stage(e->recorder, record);
    s->n += r == 0;
    s->large = large;
    if (r == 0 && display &&
        (e->settings->record == RECORD_JOURNAL || e->settings->record == RECORD_LOG))
        display_show(display, record);
    return r;
}

static inline void forget_replies(struct context *x)
{
    if (x->reply && _unlikely_(x->reply->capacity > REPLIES_KEPT))
        buffer_free(&x->reply);
    else
        buffer_clear(x->reply);
}

/* The replies wait for the last n records staged. Without replies, nothing waits for those
 * records. */
_noinline_ static int hold_replies(const struct exchange *e, unsigned n)
{
    struct context *x = e->context;
    const uint8_t *bytes = x->reply ? buffer_head(x->reply) : NULL; /* NULL if all are empty */
    struct slot *slot = NULL;
    int r = 0;

    if (!e->settings->rules.mute)
        r = output_hold(e->output, x, e->transport, bytes, buffer_size(x->reply), n, &slot);
    recorder_await(e->recorder, slot, n);
    forget_replies(x);
    return r;
}

static _inline_ int send_replies(const struct exchange *e)
{
    struct context *x = e->context;
    size_t size = buffer_size(x->reply);
    int r = 0;

    if (size > 0)
        r = output_send(e->output, x, e->transport, buffer_head(x->reply), size);
    forget_replies(x);
    return r;
}

_noinline_ static const struct peer_names *name_peer(const struct exchange *e)
{
    struct peer_names *names = &e->context->names;

    (void)peer_format_address(&e->transport->peer, names->address);
    (void)peer_format_port(&e->transport->peer, names->port);
    (void)peer_join(&e->transport->peer, names->address, names->port, names->both);
    return names;
}

static const struct peer_names *peer_names(const struct exchange *e)
{
    static const struct peer_names nobody = { 0 };

    bool replied = !e->settings->rules.mute && template_uses_peer(e->settings->reply);

    return e->recorder || replied ? name_peer(e) : &nobody;
}

static bool stream_ended(const struct transport *t)
{
    return (t->flags & (TRANSPORT_IN_ENDED | TRANSPORT_IN_CUT)) == TRANSPORT_IN_ENDED;
}

static struct event_about about(const struct input *in, const struct exchange *e)
{
    return (struct event_about){
        .peer = &e->transport->peer,
        .listener = e->settings->name,
        .number = in->session.number,
    };
}

/* Counts and logs n bytes that are not taken as messages. A refused protocol has no messages: its
 * one event is the refusal. */
_cold_ static void note_discarded(const struct input *in, const struct exchange *e, size_t n,
                                  const char *reason)
{
    struct event_about who = about(in, e);

    count(&e->context->counters.discarded, n);
    if (in->session.status == SESSION_FOREIGN)
        return;
    event_log_about(EVENT_DISCARDED, &who, "discarded %zu byte%s: %s", n, n == 1 ? "" : "s",
                    reason);
}

_cold_ static void report_failure(const struct input *in, const struct exchange *e,
                                  enum frame_error error)
{
    struct event_about who = about(in, e);

    count(&e->context->counters.protocol_errors, 1);
    switch (error) {
    case FRAME_PROXY:
        event_log_about(EVENT_HEADER_REFUSED, &who,
                        "refused: sent a PROXY header, which [Listener %s] does not expect; "
                        "set Proxy= and ProxyFrom= there, or switch it off in the proxy",
                        e->settings->name);
        break;
    case FRAME_TLS:
        event_log_about(EVENT_HEADER_REFUSED, &who,
                        "refused: began a TLS handshake, but [Listener %s] does not speak TLS; "
                        "set TLS= there, or switch TLS off in the sender",
                        e->settings->name);
        break;
    case FRAME_HTTP:
        event_log_about(EVENT_HTTP_REFUSED, &who,
                        "refused: sent an HTTP request; to accept its lines as messages, set "
                        "Refuse=none in [Listener %s]",
                        e->settings->name);
        break;
    default:
        event_log_about(EVENT_PROTOCOL_ERROR, &who, "cut off: %s (%s framing)",
                        frame_error_text(error), framing_name(e->settings->rules.framing));
        break;
    }
}

static int feed(struct input *in, const struct exchange *e, const uint8_t *bytes, size_t n,
                size_t *scanned, size_t *ret_used)
{
    struct context *x = e->context;
    const struct settings *s = e->settings;
    const struct peer_names *names = peer_names(e);
    uint64_t seq = in->session.seq;
    enum session_status status;
    enum frame_error error = 0;
    struct staging staging = { .exchange = e };
    const struct session_feed f = {
        .rules = &s->rules,
        .now = x->now,
        .run_id = x->shared->run_id,
        .peer = names->address,
        .peer_port = names->port,
        .peer_name = names->both,
        .listener = s->name,
        .origin = e->origin,
        .reply = &x->reply,
        .reply_limit = s->output_limit - MIN(s->output_limit, output_size(e->output)),
        .message_limit = e->recorder ? RECORDS_PER_TAKE : MESSAGES_PER_TAKE,
        .record = e->recorder ? stage : NULL,
        .userdata = &staging,
    };
    int r = 0;

    assert(buffer_size(x->reply) == 0);
    status = session_feed(&in->session, &f, bytes, n, stream_ended(e->transport), scanned, ret_used,
                          &error);
    if (error > 0)
        report_failure(in, e, error);
    if (in->session.seq != seq) {
        count(&x->counters.messages, in->session.seq - seq);
        r = e->recorder ? hold_replies(e, (unsigned)(in->session.seq - seq)) : send_replies(e);
    }
    if (r < 0 || status == SESSION_NOMEM)
        return -ENOMEM;
    return (int)error;
}

void input_drop(struct input *in, const struct exchange *e, const char *reason)
{
    if (!in->bytes)
        return;
    note_discarded(in, e, buffer_size(in->bytes), reason);
    budget_free(&e->context->budget, &in->bytes);
}

/* Cuts the stream. Unread bytes in the kernel have arrived too: counts them, and returns their
 * number. */
static size_t leave_unread(const struct exchange *e)
{
    size_t n = transport_unread(e->transport);

    count(&e->context->counters.bytes_in, n);
    transport_cut(e->transport);
    return n;
}

void input_end(struct input *in, const struct exchange *e)
{
    size_t unread = leave_unread(e), kept = buffer_size(in->bytes);

    if (unread + kept > 0)
        note_discarded(in, e, unread + kept, "the connection ended");
    budget_free(&e->context->budget, &in->bytes);
}

static int keep(struct input *in, const struct exchange *e, const uint8_t *bytes, size_t n)
{
    struct context *x = e->context;

    return budget_append(&x->budget, &in->bytes, bytes, n, context_ms(x));
}

/* Takes bytes[n] while no earlier input is kept. */
static int take_new(struct input *in, const struct exchange *e, const uint8_t *bytes, size_t n)
{
    size_t scanned = 0, used = 0;
    int r;

    r = feed(in, e, bytes, n, &scanned, &used);
    if (used == n)
        return r;
    if (r == 0 && (r = keep(in, e, bytes + used, n - used)) == 0) {
        in->bytes->scanned = scanned;
        return 0;
    }
    note_discarded(in, e, n - used, r > 0 ? broken : no_memory);
    return r;
}

/* Takes the kept input. */
static int take_kept(struct input *in, const struct exchange *e)
{
    size_t scanned = in->bytes->scanned, used = 0;
    int r;

    r = feed(in, e, buffer_head(in->bytes), buffer_size(in->bytes), &scanned, &used);
    buffer_consume(in->bytes, used);
    if (r < 0)
        return r;
    in->bytes->scanned = scanned;
    if (used > 0)
        in->bytes->stamp = context_ms(e->context);
    if (buffer_size(in->bytes) == 0)
        budget_free(&e->context->budget, &in->bytes);
    if (r > 0)
        input_drop(in, e, broken);
    return r;
}

_cold_ static void report_broken(const struct input *in, const struct exchange *e)
{
    struct event_about who = about(in, e);

    count(&e->context->counters.protocol_errors, 1);
    event_log_about(EVENT_PROTOCOL_ERROR, &who, "cut off: the TLS stream is broken: %s",
                    tls_reason());
}

/* Receives into the scratch space. Returns the number of bytes, 0 at the end, or -EAGAIN. */
static _inline_ ssize_t receive(const struct input *in, const struct exchange *e)
{
    struct context *x = e->context;
    ssize_t n = transport_recv(e->transport, x->scratch, e->settings->read_size);

    if (n > 0) {
        count(&x->counters.bytes_in, (uint64_t)n);
    } else if (n == -EPROTO) {
        report_broken(in, e);
        return 0;
    }
    return n;
}

int input_take(struct input *in, const struct exchange *e)
{
    uint8_t *bytes = e->context->scratch;
    ssize_t n;
    int r;

    if (input_is_pending(in))
        return take_kept(in, e);
    n = receive(in, e);
    if (n < 0)
        return (int)n;
    if (!in->bytes)
        return take_new(in, e, bytes, (size_t)n);
    r = n > 0 ? keep(in, e, bytes, (size_t)n) : 0;
    if (r == 0)
        return take_kept(in, e);
    note_discarded(in, e, (size_t)n, no_memory);
    return r;
}

int input_collect(struct input *in, const struct exchange *e)
{
    struct context *x = e->context;
    ssize_t n = receive(in, e);
    size_t kept;

    /* The end of a stream may end a message. */
    if (n == 0 && stream_ended(e->transport))
        session_postpone(&in->session);
    if (n <= 0)
        return (int)n;
    kept = MIN((size_t)n, budget_room_for_gone(&x->budget));
    /* Part of a chunk would be a different message. */
    if (kept < (size_t)n && e->settings->rules.framing == FRAMING_CHUNK)
        kept = 0;
    if (kept > 0 && keep(in, e, x->scratch, kept) < 0)
        kept = 0;
    if (kept > 0)
        session_postpone(&in->session);
    if (kept < (size_t)n)
        note_discarded(in, e, (size_t)n - kept + leave_unread(e), no_memory);
    return 0;
}

int input_discard(struct input *in, const struct exchange *e)
{
    ssize_t n = receive(in, e);

    if (n > 0)
        note_discarded(in, e, (size_t)n, "they followed an error");
    return n < 0 ? (int)n : 0;
}
