/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "answerd/config-blame.h"

int config_blame(const struct config_blame *b, const struct config_value *value, const char *format,
                 ...)
{
    va_list arguments;
    char *text;
    int r;

    va_start(arguments, format);
    r = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (r < 0)
        return -ENOMEM;
    b->tell(b->userdata, value, text);
    free(text);
    return -EINVAL;
}
