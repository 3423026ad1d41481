/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <stdio.h>

#include "answerlog/options.h"
#include "answerlog/show.h"
#include "answerlog/vacuum.h"
#include "answerlog/verify.h"
#include "base/clock.h"
#include "base/print.h"
#include "base/version.h"

static enum status run(const struct options *o)
{
    switch (o->action) {
    case ACTION_HELP:
        return print_text(answerlog_options_help) < 0 ? STATUS_SYSTEM : STATUS_OK;
    case ACTION_VERSION:
        return version_print("answerlog", NULL, NULL) < 0 ? STATUS_SYSTEM : STATUS_OK;
    case ACTION_VERIFY:
        return verify(o);
    case ACTION_DISK_USAGE:
        return disk_usage(o);
    case ACTION_VACUUM:
        return vacuum(o, clock_us(CLOCK_REALTIME));
    case ACTION_SHOW:
        break;
    }
    return show(o);
}

int main(int argc, char **argv)
{
    char error[OPTIONS_ERROR_MAX];
    struct options options;
    enum status status;

    /* What a character is, to regular expressions. */
    (void)setlocale(LC_CTYPE, "");

    if (answerlog_options_parse(argc, argv, clock_us(CLOCK_REALTIME), &options, error) < 0) {
        (void)fprintf(stderr, "answerlog: %s\n", error);
        return STATUS_USAGE;
    }
    status = run(&options);
    answerlog_options_deinit(&options);
    return (int)status;
}
