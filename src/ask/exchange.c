/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ask/exchange.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/parse.h"

/* The first pause between attempts to connect, and the longest. Each pause doubles the last. */
#define RETRY_FIRST_US UINT64_C(100000)
#define RETRY_MOST_US  UINT64_C(10000000)

/* The size of one read. With FRAMING_CHUNK a read is a reply. */
#define READ_SIZE (64 * 1024)

uint64_t exchange_now(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

void exchange_init(struct exchange *e, const struct options *options, struct tls_client *tls,
                   bool terminal)
{
    *e = (struct exchange){
        .options = options,
        .tls = tls,
        .stream.fd = -1,
        .timeout_us = options->timeout_us,
        .retries = options->retries,
        .pause_us = RETRY_FIRST_US,
    };
    replies_init(&e->replies, options->framing, options->reply_max);
    pending_init(&e->pending, options->form == FORM_JSON || options->retries > 0);
    output_init(&e->output, &(struct render){ options->form, options->framing, terminal });
}

void exchange_deinit(struct exchange *e)
{
    attempt_free(e->attempt);
    stream_close(&e->stream);
    replies_deinit(&e->replies);
    pending_deinit(&e->pending);
    output_deinit(&e->output);
    buffer_free(&e->subject);
}

int exchange_fail(struct exchange *e, enum status status, const char *format, ...)
{
    va_list args;

    if (e->status != STATUS_OK)
        return -1;
    e->status = status;
    va_start(args, format);
    (void)vsnprintf(e->failure, sizeof e->failure, format, args);
    va_end(args);
    return -1;
}

enum status exchange_verdict(const struct exchange *e, const char **ret_why)
{
    if (e->status == STATUS_OK && e->mismatch[0]) {
        *ret_why = e->mismatch;
        return STATUS_REPLY;
    }
    *ret_why = e->failure;
    return e->status;
}

static int fail_errno(struct exchange *e, int r)
{
    return exchange_fail(e, STATUS_SYSTEM, "%s", strerror(-r));
}

/* Uses up one retry. Returns the pause before it. */
static uint64_t take_retry(struct exchange *e)
{
    uint64_t pause = e->pause_us;

    e->retries--;
    e->pause_us = MIN(2 * pause, RETRY_MOST_US);
    return pause;
}

int exchange_connect(struct exchange *e)
{
    const struct options *o = e->options;

    for (;;) {
        _cleanup_free_ char *error = NULL;
        int r = stream_open(&e->stream, &o->address, o->family, o->timeout_us, e->tls, &error);

        if (r == 0)
            return 0;
        if (r == -ENOMEM)
            return fail_errno(e, r);
        if (e->retries == 0)
            return exchange_fail(e, STATUS_CONNECT, "%s", error ? error : "cannot connect");
        (void)usleep((useconds_t)take_retry(e));
    }
}

int exchange_reconnect(struct exchange *e)
{
    const struct options *o = e->options;
    int r = 0;

    if (!e->attempt)
        r = attempt_begin(&o->address, o->family, o->timeout_us, e->tls, &e->attempt);
    return r < 0 ? fail_errno(e, r) : 0;
}

static void hang_up(struct exchange *e)
{
    attempt_free(STEAL_PTR(e->attempt));
    stream_close(&e->stream);
    e->stream = (struct stream){ .fd = -1 };
    replies_clear(&e->replies);
}

void exchange_disconnect(struct exchange *e)
{
    hang_up(e);
    pending_clear(&e->pending);
    e->refusal.suspected = false;
    e->status = STATUS_OK;
}

int exchange_send(struct exchange *e, const void *text, size_t size)
{
    uint64_t now = exchange_now();
    int r;

    /* Between connections, send_again() will send it. */
    r = e->retry_us > 0 ? 0 : frame_append(e->options->framing, &e->stream.out, text, size, false);
    if (r == 0)
        r = pending_push(&e->pending, text, size, now);
    if (r < 0)
        return fail_errno(e, r);
    if (e->pending.count == 1)
        e->progress_us = now;
    e->sent++;
    return 0;
}

int exchange_show(struct exchange *e)
{
    int r = output_show(&e->output);

    return r < 0 ? exchange_fail(e, STATUS_SYSTEM, "standard output: %s", strerror(-r)) : 0;
}

/* REG_STARTEND gives the length (regcomp(3)), so a NUL in the reply ends nothing. A NUL follows all
 * the same, because AddressSanitizer's regexec() measures the string first. 0 and *ret, or -ENOMEM.
 */
static int match(struct exchange *e, const struct frame *reply, bool *ret)
{
    regmatch_t range = { 0, (regoff_t)reply->size };
    int r;

    buffer_clear(e->subject);
    r = buffer_append(&e->subject, reply->data, reply->size);
    if (r == 0)
        r = buffer_append(&e->subject, "", 1);
    if (r < 0)
        return r;
    *ret = regexec(&e->options->expect, (const char *)buffer_head(e->subject), 1, &range,
                   REG_STARTEND) == 0;
    return 0;
}

static int check_expected(struct exchange *e, const struct frame *reply)
{
    bool matches;
    int r;

    if (!e->options->expect_text)
        return 0;
    r = match(e, reply, &matches);
    if (r < 0)
        return fail_errno(e, r);
    if (!matches && !e->mismatch[0])
        (void)snprintf(e->mismatch, sizeof e->mismatch, "reply %" PRIu64 " does not match '%s'",
                       e->received, e->options->expect_text);
    return 0;
}

static void count_answer(struct exchange *e, uint64_t rtt_us)
{
    rtt_add(&e->rtt, rtt_us);
    e->answered++;
}

bool exchange_suspects(const struct exchange *e)
{
    return e->refusal.suspected;
}

/* The connection goes on: the suspected reply was an ordinary one. */
static void acquit(struct exchange *e)
{
    if (!e->refusal.suspected)
        return;
    if (e->refusal.answers)
        count_answer(e, e->refusal.rtt_us);
    e->refusal.suspected = false;
    output_acquit(&e->output);
}

/* Adds the reply to the output, unless --quiet. */
static int add_output(struct exchange *e, struct answer *answer)
{
    int r = 0;

    if (!e->options->quiet)
        r = output_add(&e->output, answer, e->refusal.suspected);
    return r < 0 ? fail_errno(e, r) : 0;
}

/* Takes the message that a reply answers, if there is one. */
static void take_message(struct exchange *e, struct answer *answer, uint64_t now_us)
{
    struct pending_message message;

    answer->asked = pending_pop(&e->pending, &message);
    if (!answer->asked)
        return;
    answer->message = message.text;
    answer->message_size = message.size;
    answer->rtt_us = now_us - message.sent_us;
}

static int take_reply(struct exchange *e, const struct frame *reply, uint64_t now_us)
{
    struct answer answer = {
        .number = ++e->received,
        .reply = reply->data,
        .size = reply->size,
    };

    acquit(e);
    take_message(e, &answer, now_us);
    refusal_look(&e->refusal, &answer, now_us);
    if (answer.asked) {
        e->progress_us = now_us;
        if (!e->refusal.suspected)
            count_answer(e, answer.rtt_us);
        if (check_expected(e, reply) < 0)
            return -1;
    }
    return add_output(e, &answer);
}

static int take_replies(struct exchange *e, uint64_t now_us)
{
    struct frame reply;
    int r;

    for (;;) {
        r = replies_next(&e->replies, &reply);
        if (r == 0)
            return 0;
        if (r < 0)
            break;
        r = take_reply(e, &reply, now_us);
        if (r < 0)
            return r;
    }
    switch (-r) {
    case FRAME_TOO_LONG:
        return exchange_fail(e, STATUS_ENDED,
                             "a reply is longer than %" PRIu64 " bytes, see --max-reply",
                             e->options->reply_max);
    default:
        return exchange_fail(e, STATUS_ENDED,
                             "the server sent something that is not a reply in %s framing",
                             framing_name(e->options->framing));
    }
}

/* Fails and tells how many messages have no reply, if any. */
static int fail_unanswered(struct exchange *e, enum status status, const char *why)
{
    if (e->pending.count == 0)
        return exchange_fail(e, status, "%s", why);
    return exchange_fail(e, status, "%s; unanswered messages: %zu of %" PRIu64, why,
                         e->pending.count, e->sent);
}

static int refused(struct exchange *e)
{
    char why[sizeof e->refusal.reason + 32];
    int r = output_refuse(&e->output);

    (void)snprintf(why, sizeof why, "the server refused: %s", e->refusal.reason);
    e->refusal.suspected = false;
    return r < 0 ? fail_errno(e, r) : fail_unanswered(e, STATUS_REPLY, why);
}

/* The start of a line is shown. In other framings it may be no more than a length. */
static int cut_off(struct exchange *e, const uint8_t *rest, size_t n, const char *how)
{
    struct answer answer = { .number = ++e->received, .cut_off = true, .reply = rest, .size = n };
    char why[256];
    int r;

    acquit(e);
    take_message(e, &answer, exchange_now());
    r = e->options->framing == FRAMING_LINE ? add_output(e, &answer) : 0;
    replies_clear(&e->replies);
    (void)snprintf(why, sizeof why, "%s inside a reply", how);
    return r < 0 ? r : fail_unanswered(e, STATUS_REPLY, why);
}

/* Sends all messages without a reply again. 0 or -ENOMEM. */
static int send_again(struct exchange *e)
{
    size_t offset = 0, size;
    int r = 0;

    for (size_t i = 0; i < e->pending.count && r >= 0; i++) {
        const void *text = pending_text(&e->pending, i, &offset, &size);

        r = frame_append(e->options->framing, &e->stream.out, text, size, false);
    }
    return r;
}

/* The attempt to connect again is over. */
static int take_attempt(struct exchange *e)
{
    _cleanup_free_ char *error = NULL;
    int r = attempt_take(e->attempt, &e->stream, &error);

    attempt_free(STEAL_PTR(e->attempt));
    if (r < 0 && e->retries > 0) {
        e->retry_us = exchange_now() + take_retry(e);
        return 0;
    }
    if (r < 0)
        return fail_unanswered(e, STATUS_ENDED, error ? error : "cannot connect");
    if (e->retry_us > 0)
        r = send_again(e);
    e->retry_us = 0;
    e->progress_us = exchange_now();
    return r < 0 ? fail_errno(e, r) : 0;
}

/* error: a negative errno; 0: an orderly end. */
static int ended(struct exchange *e, int error)
{
    const char *how = stream_why(&e->stream, error);
    const uint8_t *rest;
    size_t n = replies_rest(&e->replies, &rest);

    if (n == 0 && e->refusal.suspected)
        return refused(e);
    if (e->pending.count > 0 && e->retries > 0) {
        acquit(e);
        hang_up(e);
        e->retry_us = exchange_now() + take_retry(e);
        return 0;
    }
    if (e->stream.refused)
        return exchange_fail(e, STATUS_CONNECT, "cannot connect: %s", how);
    if (n > 0)
        return cut_off(e, rest, n, how);
    return e->pending.count > 0 ? fail_unanswered(e, STATUS_ENDED, how) : 0;
}

static int receive(struct exchange *e)
{
    uint8_t bytes[READ_SIZE];
    ssize_t n = stream_receive(&e->stream, bytes, sizeof bytes);
    uint64_t now = exchange_now();
    int r;

    if (n == -EAGAIN)
        return 0;
    if (n <= 0)
        return ended(e, (int)n);
    r = replies_feed(&e->replies, bytes, (size_t)n);
    return r < 0 ? fail_errno(e, r) : take_replies(e, now);
}

/* ppoll(2) takes a relative time, and does not round µs. */
static struct timespec *remaining(uint64_t until_us, uint64_t now_us, struct timespec *ret)
{
    uint64_t us = until_us > now_us ? until_us - now_us : 0;

    if (until_us == EXCHANGE_FOREVER)
        return NULL;
    *ret = (struct timespec){ (time_t)(us / 1000000), (long)(us % 1000000 * 1000) };
    return ret;
}

/* The time from which a reply is late. */
static uint64_t deadline(const struct exchange *e)
{
    uint64_t at;

    if (e->pending.count == 0 || e->timeout_us == SPAN_INFINITY || e->retry_us > 0 ||
        __builtin_add_overflow(e->progress_us, e->timeout_us, &at))
        return EXCHANGE_FOREVER;
    return at;
}

/* The earliest deadline that exchange_wait() must meet. */
static uint64_t wait_until(const struct exchange *e, uint64_t until_us)
{
    uint64_t until = MIN(until_us, deadline(e));

    if (e->attempt)
        return until;
    if (e->retry_us > 0)
        return MIN(until, e->retry_us);
    return e->refusal.suspected ? MIN(until, e->refusal.until_us) : until;
}

static int expire(struct exchange *e)
{
    uint64_t now = exchange_now();
    char span[SPAN_TEXT_MAX];

    if (e->attempt)
        return 0;
    if (e->retry_us > 0)
        return now >= e->retry_us ? exchange_reconnect(e) : 0;
    if (now >= deadline(e))
        return exchange_fail(e, STATUS_TIMEOUT, "no reply within %s",
                             format_span(e->timeout_us, span));
    if (now >= e->refusal.until_us)
        acquit(e);
    return 0;
}

/* 1 if there is news from the server or the attempt to connect, else 0. */
static int wait_for_events(struct exchange *e, struct pollfd *extra, size_t n_extra,
                           uint64_t until_us)
{
    const struct stream *c = &e->stream;
    struct pollfd fds[1 + EXCHANGE_EXTRA_MAX];
    struct timespec timeout;

    fds[0] = stream_poll(c);
    if (e->attempt)
        fds[0] = (struct pollfd){ .fd = attempt_fd(e->attempt), .events = POLLIN };
    if (stream_has_more(c))
        until_us = 0;
    for (size_t i = 0; i < n_extra; i++)
        fds[1 + i] = extra[i];
    if (ppoll(fds, 1 + n_extra, remaining(until_us, exchange_now(), &timeout), NULL) < 0) {
        if (errno != EINTR)
            return exchange_fail(e, STATUS_SYSTEM, "poll: %s", strerror(errno));
        for (size_t i = 0; i <= n_extra; i++)
            fds[i].revents = 0;
    }
    for (size_t i = 0; i < n_extra; i++)
        extra[i].revents = fds[1 + i].revents;
    return e->attempt ? fds[0].revents != 0 : stream_is_readable(c, fds[0].revents);
}

int exchange_wait(struct exchange *e, struct pollfd *extra, size_t n_extra, uint64_t until_us)
{
    struct stream *c = &e->stream;
    int r;

    if (exchange_show(e) < 0)
        return -1;
    if (c->ended && e->pending.count > 0)
        return ended(e, c->send_error);
    if (c->fd >= 0 && stream_flush(c))
        e->progress_us = exchange_now();
    r = wait_for_events(e, extra, n_extra, wait_until(e, until_us));
    if (r < 0)
        return r;
    if (r == 0)
        return expire(e);
    return e->attempt ? take_attempt(e) : receive(e);
}
