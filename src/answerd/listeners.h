/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "answerd/config.h"
#include "answerd/listener.h"
#include "answerd/report.h"
#include "answerd/wanted.h"
#include "serve/worker.h"

/*
 * All listening sockets: those that systemd passed, else those of --listen, else those of Listen=,
 * else 127.0.0.1:8080. A reload finds those again that it still wants, so that no connection is
 * refused meanwhile.
 */
struct listeners {
    struct listener **items;
    size_t n;
};

/* Takes the sockets that systemd passed. 0; or a negative errno after a report. */
int listeners_adopt(struct listeners *ls, report_fn report, void *userdata);

/* The sections that systemd passed sockets for, for wanted_look_up(): to be freed with
 * wanted_free_passed(). NULL: out of memory. */
char **listeners_passed(const struct listeners *ls);

/*
 * What `config` wants, given what there is: *ret holds the passed sockets and those already open
 * that are still wanted, and newly opened ones for addresses of `wanted`.
 *
 * 0; or a negative errno after a report, with nothing changed: -ESRCH where a passed socket has no
 * section. On success either listeners_commit() or listeners_revert() has to follow.
 */
int listeners_want(const struct listeners *have, const struct config *config,
                   const struct wanted *wanted, struct listeners *ret, report_fn report,
                   void *userdata);

/* `have` becomes `want`; listeners that are not wanted any more are put on the list *retired. */
void listeners_commit(struct listeners *have, struct listeners *want, struct listener **retired);

/* Closes what was newly opened for `want`, and frees it. */
void listeners_revert(const struct listeners *have, struct listeners *want);

void listeners_free(struct listeners *ls);

/* A plan for one worker, with the settings that `config` has for each; or NULL, out of memory. */
struct worker_plan *listeners_plan(const struct listeners *ls, const struct config *config);
