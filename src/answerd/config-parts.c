/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "answerd/config-parts.h"
#include "base/macros.h"

void config_parts_free(struct config_parts *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->files[i]);
    free(p->files);
    *p = (struct config_parts){ 0 };
}

_printf_(2, 3) static int add(struct config_parts *p, const char *format, ...)
{
    char **files = reallocarray(p->files, p->n + 1, sizeof *files);
    va_list arguments;
    int r;

    if (!files)
        return -ENOMEM;
    p->files = files;
    va_start(arguments, format);
    r = vasprintf(&files[p->n], format, arguments);
    va_end(arguments);
    if (r < 0)
        return -ENOMEM;
    p->n++;
    return 0;
}

static int is_part(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);

    return entry->d_name[0] != '.' && n > 5 && strcmp(entry->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int config_parts_find(const char *file, struct config_parts *p)
{
    _cleanup_free_ char *folder = NULL;
    struct dirent **entries = NULL;
    int n, r = 0;

    *p = (struct config_parts){ 0 };
    if (asprintf(&folder, "%s.d", file) < 0) {
        folder = NULL;
        return -ENOMEM;
    }
    n = scandir(folder, &entries, is_part, by_name);
    if (n < 0 && errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) {
        r = -errno;
        (void)add(p, "%s", folder);
        return r;
    }
    if (n < 0 || access(file, F_OK) == 0)
        r = add(p, "%s", file);
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = add(p, "%s/%s", folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return r;
}
