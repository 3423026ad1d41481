/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glob.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "answerd/config-lines.h"
#include "answerd/journal-limit.h"
#include "base/macros.h"
#include "base/parse.h"

/* journald's bounds, for all files and for one. */
#define USE_MIN  (UINT64_C(1) << 20)
#define USE_MAX  (UINT64_C(4) << 30)
#define FILE_MIN (UINT64_C(512) << 10)
#define FILE_MAX (UINT64_C(128) << 20)

struct space {
    uint64_t use, file; /* 0: not set */
};

struct journald {
    char storage[16];
    struct space system, runtime;
};

/* journald ignores values that it cannot parse. */
static void take(struct journald *j, const char *name, const char *value)
{
    if (strcmp(name, "Storage") == 0)
        (void)snprintf(j->storage, sizeof j->storage, "%s", value);
    else if (strcmp(name, "SystemMaxUse") == 0)
        (void)parse_size(value, &j->system.use);
    else if (strcmp(name, "SystemMaxFileSize") == 0)
        (void)parse_size(value, &j->system.file);
    else if (strcmp(name, "RuntimeMaxUse") == 0)
        (void)parse_size(value, &j->runtime.use);
    else if (strcmp(name, "RuntimeMaxFileSize") == 0)
        (void)parse_size(value, &j->runtime.file);
}

static bool read_file(struct journald *j, const char *path)
{
    struct config_lines lines;
    enum config_line kind;

    if (config_lines_open(&lines, path) < 0)
        return false;
    while ((kind = config_lines_next(&lines)) != LINE_END)
        if (kind == LINE_KEY)
            take(j, lines.name, lines.value);
    config_lines_close(&lines);
    return true;
}

static const char *const folders[] = { "/etc/systemd", "/run/systemd", "/usr/lib/systemd" };

static const char *base_name(const char *path)
{
    return strrchr(path, '/') + 1;
}

/* /etc, /run and /usr are also in alphabetical order. */
static int by_name(const void *a, const void *b)
{
    const char *one = *(char *const *)a, *other = *(char *const *)b;

    return strcmp(base_name(one), base_name(other)) ?: strcmp(one, other);
}

/* In the order of file names, across folders. If a name occurs twice, the first folder's file
 * counts. */
static void read_drop_ins(struct journald *j, const char *root)
{
    char pattern[PATH_MAX];
    glob_t found = { 0 };

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        (void)snprintf(pattern, sizeof pattern, "%s%s/journald.conf.d/*.conf", root, folders[i]);
        (void)glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &found);
    }
    if (found.gl_pathc > 0)
        qsort(found.gl_pathv, found.gl_pathc, sizeof *found.gl_pathv, by_name);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (i == 0 || strcmp(base_name(found.gl_pathv[i]), base_name(found.gl_pathv[i - 1])) != 0)
            (void)read_file(j, found.gl_pathv[i]);
    globfree(&found);
}

static uint64_t file_limit(const struct space *space, const char *folder)
{
    struct statvfs fs;
    uint64_t use = space->use, file;

    if (use == 0 && statvfs(folder, &fs) == 0)
        use = MIN((uint64_t)fs.f_blocks * fs.f_frsize / 10, USE_MAX);
    file = space->file ?: MIN(MAX(use, USE_MIN) / 8, FILE_MAX);
    return MAX(file, FILE_MIN);
}

uint64_t journal_file_limit(const char *root)
{
    struct journald j = { .storage = "auto" };
    char path[PATH_MAX];
    bool persistent;

    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        (void)snprintf(path, sizeof path, "%s%s/journald.conf", root, folders[i]);
        if (read_file(&j, path))
            break;
    }
    read_drop_ins(&j, root);
    (void)snprintf(path, sizeof path, "%s/var/log/journal", root);
    persistent = strcmp(j.storage, "persistent") == 0 ||
                 (strcmp(j.storage, "auto") == 0 && access(path, F_OK) == 0);
    if (persistent)
        return file_limit(&j.system, path);
    (void)snprintf(path, sizeof path, "%s/run/log", root);
    return file_limit(&j.runtime, path);
}
