/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "answerd/config.h"
#include "answerd/report.h"

/*
 * Settings that have no effect, or not the one that was surely meant. Each gets one report.
 */

/* Listen= in sections whose sockets systemd passes. passed: the names of these sections, then
 * NULL. */
void advise_on_listen(const struct config *c, char *const *passed, report_fn report,
                      void *userdata);

/* ProxyFrom= without Proxy=. */
void advise_on_proxy(const struct config *c, report_fn report, void *userdata);

/* No Record=, where the default is to print messages: a start by hand without a journal. */
void advise_on_record(const struct config *c, report_fn report, void *userdata);

/* MaxMessageSize= larger than an entry in this machine's journal can be. */
void advise_on_size(const struct config *c, report_fn report, void *userdata);
