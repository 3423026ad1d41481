/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/buffer.h"
#include "net/loop.h"
#include "serve/connection.h"
#include "serve/context.h"
#include "serve/stage.h"

/*
 * The header that a proxy sends before its client's bytes.
 *
 * The bytes are looked at (MSG_PEEK) before they are taken. While the header is incomplete, all of
 * them belong to it. So not one byte behind it is taken, and what follows begins with the client's
 * first byte. If anything is wrong, there is no reply.
 */

/* The socket is ready. kept: an incomplete header; the caller frees it. DONE: the client that the
 * header names has taken the place of the proxy in the arrival. */
enum stage proxy_stage_continue(struct context *x, struct source *s, struct buffer **kept,
                                struct arrival *a);
