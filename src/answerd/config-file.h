/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config.h"
#include "answerd/report.h"

/* What the command line says, NULL where it says nothing. It wins over every section of the
 * file. */
struct config_overrides {
    const char *framing, *reply, *workers, *record;
};

/*
 * Reads the file (NULL: none), then those of FILE.d, and applies the overrides.
 *
 * 0; -EINVAL after at least one report, "FILE:LINE: what" where it stands in the file; -ENOMEM, or
 * what opening or reading the file said, also reported.
 */
int config_load(const char *file, const struct config_overrides *overrides,
                const struct config_defaults *defaults, struct config **ret, report_fn report,
                void *userdata);
