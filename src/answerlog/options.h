/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "answerlog/print.h"
#include "answerlog/select.h"
#include "base/command-line.h"

/*
 * The command line.
 */

#define LINES_ALL UINT64_MAX

enum action {
    ACTION_SHOW,
    ACTION_VERIFY,
    ACTION_DISK_USAGE,
    ACTION_VACUUM,
    ACTION_HELP,
    ACTION_VERSION,
};

struct options {
    enum action action;
    const char *directory;
    uint64_t lines; /* the last so many */
    bool follow, reverse;
    struct select select;
    enum form form;
    uint64_t vacuum_size;    /* bytes; UINT64_MAX: any */
    uint64_t vacuum_time_us; /* SPAN_INFINITY: any */
};

#define OPTIONS_ERROR_MAX COMMAND_LINE_ERROR_MAX

/* Reads argv, whose strings *ret goes on to use; may reorder them. now_us: CLOCK_REALTIME. 0, or
 * -EINVAL with one line in `error`. answerlog_options_deinit() follows a success. */
int answerlog_options_parse(int argc, char **argv, uint64_t now_us, struct options *ret,
                            char error[static OPTIONS_ERROR_MAX]);
void answerlog_options_deinit(struct options *o);

/* Says on standard error that the log cannot be opened or read, or the output not written. */
void options_complain(const struct options *o, int error);

extern const char answerlog_options_help[];
