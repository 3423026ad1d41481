/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The main() of a fuzz target without a fuzzer: feeds it every file of its corpus and reports each
 * as a test in TAP. So old findings of the fuzzer are tested with any compiler.
 *
 *     replay-NAME [FILE...]    without a FILE: all in $top_srcdir/tests/fuzz/corpus/NAME
 */

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/macros.h"
#include "target.h"

static void file_close(FILE **file)
{
    if (*file)
        (void)fclose(*file);
}

static int replay(const char *path)
{
    _cleanup_(file_close) FILE *file = fopen(path, "re");
    _cleanup_free_ uint8_t *data = NULL;
    struct stat status;
    size_t size;

    if (!file || fstat(fileno(file), &status) < 0)
        return -errno;
    /* Exactly as large as the file: a sanitizer sees a read past its end. */
    size = (size_t)status.st_size;
    data = malloc(size > 0 ? size : 1);
    if (!data)
        return -ENOMEM;
    if (fread(data, 1, size, file) != size)
        return -EIO;
    LLVMFuzzerTestOneInput(data, size);
    return 0;
}

static int report(int number, const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    int r;

    /* If the target aborts, this is the last line and names the file. */
    printf("# %s\n", name);
    (void)fflush(stdout);
    r = replay(path);
    if (r < 0)
        printf("# %s: %s\n", path, strerror(-r));
    printf("%s %d - %s\n", r < 0 ? "not ok" : "ok", number, name);
    return r;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_corpus(const char *name, int *ret_count)
{
    const char *top = getenv("top_srcdir");
    struct dirent **entries = NULL;
    char folder[PATH_MAX], path[PATH_MAX];
    int n, failed = 0;

    (void)snprintf(folder, sizeof folder, "%s/tests/fuzz/corpus/%s", top ? top : ".", name);
    n = scandir(folder, &entries, is_shown, alphasort);
    if (n <= 0) {
        printf("Bail out! %s: %s\n", folder, n < 0 ? strerror(errno) : "there is nothing in it");
        return 1;
    }
    for (int i = 0; i < n; i++) {
        int size = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);

        if (size >= (int)sizeof path || report(i + 1, path) < 0)
            failed = 1;
        free(entries[i]);
    }
    free(entries);
    *ret_count = n;
    return failed;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '-');
    int failed = 0, count = 0;

    for (int i = 1; i < argc; i++, count++)
        if (report(i, argv[i]) < 0)
            failed = 1;
    if (argc == 1)
        failed = replay_corpus(name ? name + 1 : argv[0], &count);
    /* The plan comes last: a target that aborts early has none. */
    printf("1..%d\n", count);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
