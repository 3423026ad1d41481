/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "serve/settings.h"

/* A listener's random settings, kept for the whole run. Connections are checked against them long
 * after the program has forgotten them. */

enum reply_kind { REPLY_OK, REPLY_NUMBER, REPLY_ECHO, REPLY_ID, REPLY_LONG, REPLY_KINDS };

struct setup {
    struct setup *next;
    char name[16];
    enum framing framing;
    bool mute;    /* Reply=none */
    bool proxied; /* its clients begin with a PROXY header */
    enum record_mode record;
    enum reply_kind reply;
    size_t max_message, output_limit;
    bool tls;
    uint64_t idle_ms, message_ms, write_ms, cost_ns;
    uint64_t handshake_ms, max_handshakes; /* with TLS */
};

/* Draws what a run's setups have in common. A run that mixed everything would show little of each.
 * log, tls: there is a record log, or TLS, in any case. */
void setups_begin(bool log, bool tls);
void setups_end(void);

/* Whether the run is about large messages. */
bool setups_are_large(void);
/* Whether the program has a record log. */
bool setups_have_log(void);
/* Whether some listeners speak TLS. */
bool setups_have_tls(void);
/* These are fixed for an address, since its clients know them. */
const struct setup *setup_draw(enum framing framing, bool mute, bool proxied, bool tls);
/* Records to the journal, answers "ok", without limits. */
const struct setup *setup_plain(enum framing framing);
const struct setup *setup_find(const char *name);

/* With one reference. */
struct settings *setup_settings(const struct setup *s);

/* A message that was said. run_id and number: for REPLY_ID. */
struct said {
    const uint8_t *data;
    size_t size;
    const char *run_id;
    uint64_t number, seq;
};

/* Writes its frame at out, which has room. Returns its size. */
size_t setup_reply(const struct setup *s, const struct said *said, bool crlf, uint8_t *out);
size_t setup_error(const struct setup *s, const char *reason, uint8_t *out);
/* The size of the longest reply. */
size_t setup_reply_max(const struct setup *s);

/* Writes a frame at out, which has room for n + 24 bytes. Returns its size. */
size_t frame_put(enum framing framing, const void *data, size_t n, bool crlf, uint8_t *out);
