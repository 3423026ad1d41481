/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"
#include "answerd/listener.h"
#include "answerd/report.h"
#include "answerd/wanted.h"
#include "serve/worker.h"

/*
 * All listening sockets: those passed by systemd, else those of --listen, else those of Listen=,
 * else 127.0.0.1:8080. A reload keeps the sockets that it still needs, so no connection is refused
 * meanwhile.
 */
struct listeners {
    struct listener **items;
    size_t n;
};

/* Takes the sockets passed by systemd. 0, or a negative errno after a report. */
int listeners_adopt(struct listeners *ls, report_fn report, void *userdata);

/* The sections that have sockets from systemd, for wanted_look_up(). Free them with
 * wanted_free_passed(). NULL without memory. */
char **listeners_passed(const struct listeners *ls);

/*
 * The listeners for `config`. *ret holds the passed sockets, open sockets that are still needed,
 * and new sockets for addresses of `wanted`.
 *
 * 0; or a negative errno after a report, with nothing changed: -ESRCH if a passed socket has no
 * section. On success listeners_commit() or listeners_revert() must follow.
 */
int listeners_want(const struct listeners *have, const struct config *config,
                   const struct wanted *wanted, struct listeners *ret, report_fn report,
                   void *userdata);

/* Replaces `have` by `want`. Puts listeners that are no longer needed on the list *retired. */
void listeners_commit(struct listeners *have, struct listeners *want, struct listener **retired);

/* Closes the new sockets of `want` and frees it. */
void listeners_revert(const struct listeners *have, struct listeners *want);

void listeners_free(struct listeners *ls);

/* A plan for one worker, with the settings of each listener in `config`; NULL without memory. */
struct worker_plan *listeners_plan(const struct listeners *ls, const struct config *config);
