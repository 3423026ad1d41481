/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/command-line.h"
#include "base/macros.h"
#include "base/suggest.h"

#define NAMES_MAX 64

#define TRY_HELP "Try --help."

/* How many options the first n characters of a name match: 1 on an exact match. */
static size_t count_matches(const struct option *options, const char *name, size_t n)
{
    size_t matches = 0;

    for (const struct option *o = options; o->name; o++) {
        if (strncmp(o->name, name, n) != 0)
            continue;
        if (!o->name[n])
            return 1;
        matches++;
    }
    return matches;
}

static const char *nearest(const struct option *options, const char *name)
{
    const char *names[NAMES_MAX];
    size_t n = 0;

    for (const struct option *o = options; o->name && n < ARRAY_SIZE(names); o++)
        names[n++] = o->name;
    return suggest(name, names, n);
}

static void describe_long(const struct option *options, const char *name, bool lacks_value,
                          char *error)
{
    int n = (int)strcspn(name, "=");
    size_t matches = count_matches(options, name, (size_t)n);
    char alone[128];
    const char *near;

    (void)snprintf(alone, sizeof alone, "%.*s", n, name);
    near = nearest(options, alone);
    if (lacks_value)
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX, "option '--%s' needs a value. " TRY_HELP,
                       alone);
    else if (matches == 1)
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX, "option '--%s' takes no value. " TRY_HELP,
                       alone);
    else if (matches > 1)
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX,
                       "option '--%s' is short for more than one. " TRY_HELP, alone);
    else if (near)
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX,
                       "unknown option '--%s'; did you mean '--%s'? " TRY_HELP, alone, near);
    else
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX, "unknown option '--%s'. " TRY_HELP, alone);
}

int command_line_next(int argc, char **argv, const char *letters, const struct option *options,
                      char error[static COMMAND_LINE_ERROR_MAX])
{
    /* The argument that holds the next option. optind advances only after its last letter. */
    int at = optind > 0 ? optind : 1, option;
    const char *word;

    opterr = 0;
    option = getopt_long(argc, argv, letters, options, NULL);
    if (option != '?' && option != ':')
        return option;
    word = argv[MAX(at, optind - 1)];
    if (strncmp(word, "--", 2) == 0)
        describe_long(options, word + 2, option == ':', error);
    else if (option == ':')
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX, "option '-%c' needs a value. " TRY_HELP,
                       optopt);
    else
        (void)snprintf(error, COMMAND_LINE_ERROR_MAX, "unknown option '-%c'. " TRY_HELP, optopt);
    return '?';
}
