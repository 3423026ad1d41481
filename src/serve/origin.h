/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "base/record.h"
#include "net/peer.h"
#include "protocol/proxy-header.h"

/* What is known about a connection besides its peer. Free it with free(). */
struct origin {
    struct record_origin record; /* its texts are in this struct */
    char texts[];
};

/* For a client whose proxy has sent that header. A unique ID that is not printable ASCII becomes
 * hexadecimal digits. NULL: out of memory. */
struct origin *origin_new(const struct peer *proxy, const struct proxy_header *header);

/* Like `known`, which may be NULL, but with a name that we have verified ourselves. NULL: out of
 * memory. */
struct origin *origin_new_named(const struct origin *known, const char *name);
