/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config.h"
#include "answerd/report.h"

/*
 * What a configuration says in vain: it is not wrong, and yet not what its author wanted. One report
 * for each.
 */

/* Listen= of sections for which systemd passes the sockets. passed: their names, ending with NULL. */
void advise_on_listen(const struct config *c, char *const *passed, report_fn report,
                      void *userdata);

/* MaxMessageSize= above what the machine's journal can hold. */
void advise_on_size(const struct config *c, report_fn report, void *userdata);
