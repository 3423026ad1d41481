/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record/display.h"
#include "base/macros.h"
#include "record/entry.h"
#include "record/stderr.h"

void display_init(struct display *d)
{
    *d = (struct display){ .fd = -1 };
}

void display_deinit(struct display *d)
{
    d->fd = close_fd(d->fd);
    buffer_free(&d->line);
}

void display_show(struct display *d, const struct record *record)
{
    if (d->fd < 0)
        d->fd = stderr_open();
    buffer_clear(d->line);
    if (d->fd >= 0 && entry_text(&d->line, record) == 0 && buffer_append(&d->line, "\n", 1) == 0)
        (void)stderr_write(d->fd, buffer_head(d->line), buffer_size(d->line));
}
