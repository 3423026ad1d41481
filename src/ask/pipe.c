/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ask/modes.h"

/*
 * Lines go out while there is room in the window, the messages without a reply, and replies are
 * read all the while: neither side can come to wait for the other, since ask never stops reading,
 * and the memory in use is that of the window. A message that is larger than the window goes out
 * alone.
 */
#define WINDOW_BYTES    ((size_t)1 << 20)
#define WINDOW_MESSAGES ((size_t)1 << 16)
#define READ_SIZE       ((size_t)256 * 1024)

struct input {
    struct buffer *lines; /* read, not yet sent */
    bool ended;
};

static bool window_open(const struct exchange *e)
{
    const struct pending *p = &e->pending;

    /* What one read returns is one reply only where one message is on its way. */
    if (e->options->framing == FRAMING_CHUNK)
        return p->count == 0;
    return p->bytes < WINDOW_BYTES && p->count < WINDOW_MESSAGES;
}

/* Reads once. 0, or -1 when the exchange has failed. */
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
 * Sends the lines that are there, as far as the window goes. 1 when more input is needed, 0 when
 * the window is full, -1 when the exchange has failed. A line is every byte up to LF: a CR before
 * it belongs to the message, and makes the line end in CR LF for the server too.
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
                                 "line %zu is empty, and cannot be sent with --framing=chunk",
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
