/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ask/modes.h"

/*
 * Sends lines while the window has room. The window is the messages without a reply. ask reads
 * replies at all times, so the two sides cannot deadlock, and the window bounds the memory. A
 * message larger than the window is sent alone.
 */
#define WINDOW_BYTES    ((size_t)1 << 20)
#define WINDOW_MESSAGES ((size_t)1 << 16)
#define READ_SIZE       ((size_t)256 * 1024)

struct input {
    struct buffer *lines; /* read but not sent */
    bool ended;
};

static bool window_open(const struct exchange *e)
{
    const struct pending *p = &e->pending;

    /* A read is a reply only if one message is in flight. */
    if (e->options->framing == FRAMING_CHUNK)
        return p->count == 0;
    return p->bytes < WINDOW_BYTES && p->count < WINDOW_MESSAGES;
}

/* Reads once. 0, or -1 if the exchange has failed. */
static int read_input(struct exchange *e, struct input *input)
{
    ssize_t n;
    int r;

    r = buffer_reserve(&input->lines, READ_SIZE);
    if (r < 0)
        return exchange_fail(e, STATUS_SYSTEM, "%s", strerror(-r));
    n = read(STDIN_FILENO, buffer_tail(input->lines), READ_SIZE);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n < 0)
        return exchange_fail(e, STATUS_SYSTEM, "standard input: %s", strerror(errno));
    if (n == 0)
        input->ended = true;
    buffer_commit(input->lines, (size_t)n);
    return 0;
}

/*
 * Sends lines as far as the window allows. 1 if more input is needed, 0 if the window is full, -1
 * if the exchange has failed. A line is every byte up to LF. A CR before the LF belongs to the
 * message, so the line ends in CR LF for the server, too.
 */
static int send_lines(struct exchange *e, struct input *input)
{
    struct frame line;
    ssize_t used;

    while (window_open(e)) {
        if (buffer_size(input->lines) == 0)
            return 1;
        used = frame_next(FRAMING_LINE, SIZE_MAX / 2, buffer_head(input->lines),
                          buffer_size(input->lines), input->ended, &input->lines->scanned, &line);
        if (used == 0)
            return 1;
        if (line.crlf)
            line.size++;
        if (line.size == 0 && e->options->framing == FRAMING_CHUNK)
            return exchange_fail(e, STATUS_USAGE,
                                 "line %zu is empty and cannot be sent with --framing=chunk",
                                 (size_t)e->sent + 1);
        if (exchange_send(e, line.data, line.size) < 0)
            return -1;
        buffer_consume(input->lines, (size_t)used);
    }
    return 0;
}

void ask_pipe(struct exchange *e)
{
    struct input input = { 0 };
    int hungry;

    for (;;) {
        struct pollfd in = { .fd = -1, .events = POLLIN };

        hungry = send_lines(e, &input);
        if (hungry < 0)
            break;
        if (hungry && input.ended && e->pending.count == 0 && !exchange_suspects(e))
            break;
        if (hungry && !input.ended)
            in.fd = STDIN_FILENO;
        if (exchange_wait(e, &in, 1, EXCHANGE_FOREVER) < 0)
            break;
        if (in.revents != 0 && read_input(e, &input) < 0)
            break;
    }
    buffer_free(&input.lines);
    (void)exchange_show(e);
}
