/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config.h"
#include "answerd/report.h"

/* Settings from the command line; NULL if not given. They override every section of the file. */
struct config_overrides {
    const char *framing, *reply, *workers, *record;
};

/*
 * Reads the file (NULL: none) and the files in FILE.d, then applies the overrides.
 *
 * 0; -EINVAL after one or more reports, "FILE:LINE: REASON" for errors in a file; -ENOMEM; or the
 * errno of opening or reading a file, also reported.
 */
int config_load(const char *file, const struct config_overrides *overrides,
                const struct config_defaults *defaults, struct config **ret, report_fn report,
                void *userdata);
