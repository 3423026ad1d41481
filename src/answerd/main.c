/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "answerd/options.h"
#include "answerd/refusal.h"
#include "answerd/server.h"
#include "answerd/startup.h"

/* Only another command line would help, and that needs another start. */
static int wrong_usage(void)
{
    enum refusal refusal;

    do
        refusal = refusal_wait("the command line is wrong");
    while (refusal == REFUSAL_AGAIN);
    return refusal == REFUSAL_ENDED ? EXIT_OK : EXIT_USAGE;
}

int main(int argc, char *argv[])
{
    struct options options;
    int r, status;

    r = options_parse(argc, argv, &options);
    if (r <= 0)
        return r == 0 ? EXIT_OK : r == -EINVAL ? wrong_usage() : EXIT_SYSTEM;
    status = options.check ? startup_check(&options) : server_run(&options);
    options_free(&options);
    return status;
}
