/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>

#include "base/macros.h"
#include "base/print.h"
#include "base/version.h"

int version_print(const char *program, const char *features, const char *libraries)
{
    _cleanup_free_ char *text = NULL;
    const char *git = version_revision[0] ? " (git " : "", *end = version_revision[0] ? ")" : "";

    if (asprintf(&text,
                 "%s " PACKAGE_VERSION "%s%s%s\n"
                 "%s%s%s"
                 "%s%s%s"
                 "Licence: LGPL-2.1-or-later\n",
                 program, git, version_revision, end, features ? "Features: " : "", features ?: "",
                 features ? "\n" : "", libraries ? "Built with: " : "", libraries ?: "",
                 libraries ? "\n" : "") < 0) {
        text = NULL;
        return -ENOMEM;
    }
    return print_text(text);
}
