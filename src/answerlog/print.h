/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>

#include "base/buffer.h"
#include "log/format.h"

/*
 * Writes records to standard output.
 */

enum form {
    FORM_SHORT,     /* time PEER: TEXT, escaped */
    FORM_SHORT_ISO, /* the same, with an ISO 8601 time */
    FORM_CAT,       /* the message and a newline */
    FORM_JSON,      /* an object a line */
    FORM_EXPORT,    /* the entry that the journal has, in the Journal Export Format */
    FORM_DATA,      /* the message's bytes alone */
};

struct printer {
    enum form form;
    bool terminal;          /* standard output is one: control characters are escaped */
    struct buffer *scratch; /* one record at most */
};

void printer_init(struct printer *p, enum form form);
void printer_deinit(struct printer *p);

/* 0 or a negative errno. */
int printer_print(struct printer *p, const struct log_item *item);
