/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/render.h"
#include "base/command-line.h"
#include "net/address.h"
#include "protocol/frame.h"

/*
 * The command line.
 */

#define COUNT_ENDLESS UINT64_MAX

enum action { ACTION_ASK, ACTION_HELP, ACTION_VERSION };

struct options {
    enum action action;
    const char *address_text; /* as it was typed */
    struct address address;
    int family; /* AF_UNSPEC, or AF_INET or AF_INET6 for -4 and -6 */
    enum framing framing;
    uint64_t timeout_us; /* SPAN_INFINITY: none */
    bool repeat;         /* --count or --interval */
    uint64_t count;      /* rounds */
    uint64_t interval_us;
    uint64_t reply_max; /* bytes */
    uint64_t retries;   /* to connect again */
    bool quiet;         /* replies are not printed */
    enum form form;
    const char *expect_text; /* NULL: any reply will do */
    regex_t expect;          /* compiled, where there is expect_text */
    char **messages;         /* borrowed from argv */
    size_t n_messages;
};

#define OPTIONS_ERROR_MAX COMMAND_LINE_ERROR_MAX

/* Reads argv, whose strings *ret goes on to use; may reorder them. 0, or -EINVAL with one line in
 * `error`. */
int ask_options_parse(int argc, char **argv, struct options *ret,
                      char error[static OPTIONS_ERROR_MAX]);
void ask_options_deinit(struct options *o);

extern const char ask_options_help[];
