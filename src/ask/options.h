/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ask/render.h"
#include "base/command-line.h"
#include "net/address.h"
#include "net/tls-client.h"
#include "protocol/frame.h"

/*
 * The command line.
 */

#define COUNT_ENDLESS UINT64_MAX

enum action { ACTION_ASK, ACTION_HELP, ACTION_VERSION };

struct options {
    enum action action;
    const char *address_text; /* as given */
    struct address address;
    int family; /* AF_UNSPEC; AF_INET or AF_INET6 with -4 or -6 */
    enum framing framing;
    uint64_t timeout_us; /* SPAN_INFINITY: none */
    bool repeat;         /* --count or --interval */
    uint64_t count;      /* rounds */
    uint64_t interval_us;
    uint64_t reply_max; /* bytes */
    uint64_t retries;   /* attempts to connect again */
    bool quiet;         /* replies are not printed */
    enum form form;
    const char *expect_text; /* NULL: any reply is fine */
    regex_t expect;          /* compiled, if there is expect_text */
    bool tls;
    struct tls_client_settings tls_settings; /* its name is NULL without --sni */
    char **messages;                         /* borrowed from argv */
    size_t n_messages;
};

#define OPTIONS_ERROR_MAX COMMAND_LINE_ERROR_MAX

/* Parses argv and may reorder it. *ret borrows its strings. 0, or -EINVAL and one line in `error`.
 */
int ask_options_parse(int argc, char **argv, struct options *ret,
                      char error[static OPTIONS_ERROR_MAX]);
void ask_options_deinit(struct options *o);

extern const char ask_options_help[];
