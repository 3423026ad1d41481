/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ask/state.h"
#include "base/macros.h"

/* Makes all parent folders of the file. */
static int make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        int r;

        *slash = '\0';
        r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
        *slash = '/';
        if (r < 0)
            return r;
    }
    return 0;
}

int state_history_path(char **ret)
{
    /* The specification tells us to ignore relative paths. */
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    _cleanup_free_ char *path = NULL;
    int r;

    if (state && state[0] == '/')
        r = asprintf(&path, "%s/ask/history", state);
    else if (home && home[0] == '/')
        r = asprintf(&path, "%s/.local/state/ask/history", home);
    else
        return -ENOENT;
    if (r < 0) {
        path = NULL;
        return -ENOMEM;
    }
    r = make_folders(path);
    if (r < 0)
        return r;
    *ret = STEAL_PTR(path);
    return 0;
}
