/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "answerd/options.h"
#include "answerd/server.h"

int main(int argc, char *argv[])
{
    struct options options;
    int r, status;

    r = options_parse(argc, argv, &options);
    if (r <= 0)
        return r == 0 ? EXIT_OK : r == -EINVAL ? EXIT_USAGE : EXIT_SYSTEM;
    status = options.check ? server_check(&options) : server_run(&options);
    options_free(&options);
    return status;
}
