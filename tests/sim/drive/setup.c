/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../own.h"
#include "../seed.h"
#include "../tls/tls.h"
#include "../trace.h"
#include "base/macros.h"
#include "base/timer.h"
#include "protocol/proxy-header.h"
#include "protocol/template.h"
#include "setup.h"

#define LONG_REPLY 2000

static struct {
    struct setup *all;
    unsigned n;
    uint32_t max_message, output_limit;
    bool short_spans, large, log, tls;
} setups;

void setups_begin(bool log, bool tls)
{
    setups.all = NULL;
    setups.n = 0;
    setups.large = sim_below(4) == 3;
    setups.max_message = setups.large ? 1 << 19 : sim_scale(1, 1 << 19);
    setups.output_limit = sim_scale(1, 1 << 18);
    setups.short_spans = sim_below(2);
    setups.log = sim_below(5) == 4 || log;
    setups.tls = sim_tls_is_there() && (sim_below(10) == 9 || tls);
}

bool setups_have_tls(void)
{
    return setups.tls;
}

bool setups_are_large(void)
{
    return setups.large;
}

bool setups_have_log(void)
{
    return setups.log;
}

void setups_end(void)
{
    struct setup *s;

    while ((s = setups.all)) {
        setups.all = s->next;
        sim_own_free(s);
    }
}

static uint64_t draw_span(void)
{
    if (sim_below(3) == 0)
        return TIMER_NEVER;
    return setups.short_spans ? sim_scale(20, 2000) : sim_scale(1000, 60000);
}

static struct setup *add(enum framing framing)
{
    struct setup *s = sim_own_alloc(sizeof *s);

    s->next = setups.all;
    setups.all = s;
    (void)snprintf(s->name, sizeof s->name, "rules-%u", ++setups.n);
    s->framing = framing;
    return s;
}

const struct setup *setup_plain(enum framing framing)
{
    struct setup *s = add(framing);

    s->record = RECORD_JOURNAL;
    s->reply = REPLY_OK;
    s->max_message = s->output_limit = 65536;
    s->idle_ms = s->message_ms = s->write_ms = TIMER_NEVER;
    return s;
}

static void draw_tls(struct setup *s)
{
    s->tls = true;
    s->handshake_ms = draw_span();
    s->max_handshakes = sim_below(2) > 0 ? sim_scale(1, 8) : 1000;
    sim_say("%s: TLS, handshake %" PRId64 ", at most %" PRIu64, s->name, s->handshake_ms,
            s->max_handshakes);
}

const struct setup *setup_draw(enum framing framing, bool mute, bool proxied, bool tls)
{
    static const enum record_mode records[] = { RECORD_JOURNAL, RECORD_JOURNAL, RECORD_JOURNAL,
                                                RECORD_JOURNAL, RECORD_STDERR,  RECORD_NONE };
    struct setup *s = add(framing);

    s->record = records[sim_below(ARRAY_SIZE(records))];
    if (setups.log && sim_below(3) > 0)
        s->record = RECORD_LOG;
    s->mute = mute;
    s->proxied = proxied;
    s->reply = (enum reply_kind)sim_below(REPLY_KINDS);
    /* Without records, the ID cannot be checked. */
    if (s->reply == REPLY_ID && s->record != RECORD_JOURNAL && s->record != RECORD_LOG)
        s->reply = REPLY_OK;
    s->max_message = sim_scale(setups.large ? 1 << 18 : 1, setups.max_message);
    if (framing == FRAMING_CHUNK)
        s->max_message = MIN(s->max_message, (size_t)READ_SIZE - 1);
    s->output_limit = sim_scale(1, setups.output_limit);
    s->idle_ms = draw_span();
    s->message_ms = draw_span();
    s->write_ms = draw_span();
    s->cost_ns = sim_below(4) == 3 ? 1000000000 / sim_scale(1, 10000) : 0;
    sim_say("%s: %s%s%s, record %d, reply %d, up to %zu, output %zu, idle %" PRId64
            ", message %" PRId64 ", write %" PRId64 ", cost %" PRIu64,
            s->name, framing_name(framing), mute ? ", mute" : "", proxied ? ", proxied" : "",
            s->record, s->reply, s->max_message, s->output_limit, s->idle_ms, s->message_ms,
            s->write_ms, s->cost_ns);
    if (tls)
        draw_tls(s);
    return s;
}

const struct setup *setup_find(const char *name)
{
    for (const struct setup *s = setups.all; s; s = s->next)
        if (strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

static const char *template_text(enum reply_kind kind)
{
    static char text[LONG_REPLY + 1];

    switch (kind) {
    case REPLY_NUMBER:
        return "{seq}";
    case REPLY_ECHO:
        return "{message}";
    case REPLY_ID:
        return "{id}";
    case REPLY_LONG:
        memset(text, 'x', LONG_REPLY);
        return text;
    default:
        return "ok";
    }
}

struct settings *setup_settings(const struct setup *s)
{
    struct settings *r = settings_new(s->name, s->record);
    const char *error;
    size_t offset;

    r->rules.framing = s->framing;
    r->rules.mute = s->mute;
    r->rules.max_message = s->max_message;
    r->rules.message_cost_ns = s->cost_ns;
    template_free(r->reply);
    r->reply = NULL;
    (void)template_compile(template_text(s->reply), &r->reply, &error, &offset);
    r->rules.reply = r->reply;
    r->idle_ms = s->idle_ms;
    r->message_ms = s->message_ms;
    r->write_ms = s->write_ms;
    r->output_limit = s->output_limit;
    if (s->proxied) {
        r->proxy = PROXY_V1 | PROXY_V2;
        (void)prefix_list_parse("127.0.0.0/8 unix", &r->proxy_from);
    }
    if (s->tls) {
        r->tls = tls_server_ref(sim_tls_server());
        r->handshake_ms = s->handshake_ms;
        r->max_handshakes = s->max_handshakes;
    }
    (void)settings_prepare(r);
    return r;
}

size_t frame_put(enum framing framing, const void *data, size_t n, bool crlf, uint8_t *out)
{
    uint32_t length = htobe32((uint32_t)n);
    size_t head = 0;

    if (framing == FRAMING_LENGTH) {
        memcpy(out, &length, sizeof length);
        head = sizeof length;
    } else if (framing == FRAMING_NETSTRING) {
        head = (size_t)sprintf((char *)out, "%zu:", n);
    }
    memcpy(out + head, data, n);
    n += head;
    if (framing == FRAMING_LINE && crlf)
        out[n++] = '\r';
    if (framing == FRAMING_LINE)
        out[n++] = '\n';
    if (framing == FRAMING_NETSTRING)
        out[n++] = ',';
    return n;
}

size_t setup_reply(const struct setup *s, const struct said *said, bool crlf, uint8_t *out)
{
    char text[64];
    int n;

    switch (s->reply) {
    case REPLY_ECHO:
        return frame_put(s->framing, said->data, said->size, crlf, out);
    case REPLY_NUMBER:
        n = snprintf(text, sizeof text, "%" PRIu64, said->seq);
        break;
    case REPLY_ID:
        n = snprintf(text, sizeof text, "%s-%" PRIu64 "-%" PRIu64, said->run_id, said->number,
                     said->seq);
        break;
    case REPLY_LONG:
        return frame_put(s->framing, template_text(REPLY_LONG), LONG_REPLY, crlf, out);
    default:
        n = snprintf(text, sizeof text, "ok");
        break;
    }
    return frame_put(s->framing, text, (size_t)n, crlf, out);
}

size_t setup_error(const struct setup *s, const char *reason, uint8_t *out)
{
    char text[128];
    int n = snprintf(text, sizeof text, "error: %s", reason);

    return frame_put(s->framing, text, (size_t)n, false, out);
}

size_t setup_reply_max(const struct setup *s)
{
    return MAX(s->max_message, (size_t)LONG_REPLY) + 24;
}
