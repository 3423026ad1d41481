/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config.h"
#include "base/macros.h"

/*
 * Errors that show only once all files are read: each is about a value.
 */
struct config_blame {
    void (*tell)(void *userdata, const struct config_value *value, const char *text);
    void *userdata;
};

/* Tells the error. -EINVAL, or -ENOMEM. */
_printf_(3, 4) int config_blame(const struct config_blame *b, const struct config_value *value,
                                const char *format, ...);
