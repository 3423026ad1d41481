/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "ask/output.h"

void output_init(struct output *o, const struct render *how)
{
    *o = (struct output){ .render = *how };
}

void output_deinit(struct output *o)
{
    buffer_free(&o->text);
    buffer_free(&o->refusal);
}

int output_add(struct output *o, struct answer *answer, bool suspected)
{
    size_t before = buffer_size(o->text);
    int r = render_reply(&o->render, answer, &o->text);

    if (r < 0 || !suspected || o->render.form != FORM_JSON)
        return r;
    o->n_held = buffer_size(o->text) - before;
    answer->refusal = true;
    buffer_clear(o->refusal);
    return render_reply(&o->render, answer, &o->refusal);
}

void output_acquit(struct output *o)
{
    o->n_held = 0;
}

int output_refuse(struct output *o)
{
    if (o->n_held == 0)
        return 0;
    buffer_truncate(o->text, buffer_size(o->text) - o->n_held);
    o->n_held = 0;
    return buffer_append(&o->text, buffer_head(o->refusal), buffer_size(o->refusal));
}

static int write_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t written = write(fd, bytes, n);

        if (written < 0 && errno == EINTR)
            continue;
        /* A process that shares the descriptor made it non-blocking. */
        if (written < 0 && errno == EAGAIN) {
            (void)poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
            continue;
        }
        if (written < 0)
            return -errno;
        bytes += written;
        n -= (size_t)written;
    }
    return 0;
}

int output_show(struct output *o)
{
    size_t n = buffer_size(o->text) - o->n_held;
    int r;

    if (n == 0)
        return 0;
    if (o->show)
        r = o->show(o->userdata, buffer_head(o->text), n);
    else
        r = write_all(STDOUT_FILENO, buffer_head(o->text), n);
    buffer_consume(o->text, n);
    if (o->n_held == 0)
        buffer_clear(o->text);
    return r;
}
