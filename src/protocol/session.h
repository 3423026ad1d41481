/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/record.h"
#include "protocol/frame.h"
#include "protocol/template.h"

/*
 * One connection's conversation: bytes in, records and reply bytes out. It makes no system calls
 * and uses no clock and no sockets. So a stream can be fed to it cut anywhere, and always gives the
 * same records and the same reply bytes.
 */

#define RUN_ID_MAX    16 /* characters of run_id that are used */
#define RECORD_ID_MAX 64 /* RUN-CONNECTION-SEQ and a NUL */

enum session_status {
    SESSION_HUNGRY,  /* all complete messages are answered; more bytes are needed */
    SESSION_STOPPED, /* a limit was reached, or a record was refused: call again with the rest */
    SESSION_LIMITED, /* rate limit: call again with the rest at session_resume_us() */
    SESSION_ENDED,   /* eof, and everything is answered */
    SESSION_FAILED,  /* the peer broke the framing: tell it with session_append_error(), and feed
                        no more input */
    SESSION_FOREIGN, /* likewise, but the stream began with another protocol: see opening.h */
    SESSION_NOMEM,   /* no memory for a reply: the message was not taken */
};

struct session {
    uint64_t seq;         /* number of the last message */
    uint64_t number : 56; /* number of the connection, for records and IDs */
    uint64_t status : 8;  /* enum session_status, of the last session_feed() */
    uint64_t full_ns;     /* rate limit: when the bucket is full again */
};

/* Whether input that was fed but not used up may hold complete messages. */
static inline bool session_is_pending(const struct session *s)
{
    return s->status == SESSION_STOPPED || s->status == SESSION_LIMITED;
}

/* New bytes follow the ones that were not used up, and have not been fed yet. */
static inline void session_postpone(struct session *s)
{
    if (s->status == SESSION_HUNGRY)
        s->status = SESSION_STOPPED;
}

/* A listener's rules for its sessions. Immutable. */
struct session_rules {
    enum framing framing;
    bool mute; /* nothing is ever sent, not even an error; .reply is not used */
    const struct template *reply;
    size_t max_message;                /* bytes */
    bool refuse_http;                  /* see opening.h */
    uint64_t message_cost_ns;          /* rate limit: the cost of one message; 0: no limit */
    struct buffer *ready, *ready_crlf; /* see session_rules_prepare(); NULL: not prepared */
};

/* Frames the reply in advance, if the template has no fields. Call it after setting everything
 * else. Without it, every message frames its reply again. 0 or -ENOMEM. */
int session_rules_prepare(struct session_rules *rules);
/* Frees the prepared reply. */
void session_rules_release(struct session_rules *rules);

/* Offers a record. 0: taken. -EAGAIN: the message stays in the input. Any other negative errno:
 * SESSION_NOMEM. In the last two cases there is no reply. */
typedef int (*session_record_fn)(void *userdata, const struct record *record);

/* The context of one feed. */
struct session_feed {
    const struct session_rules *rules;
    struct moment now;
    const char *run_id; /* of this process: makes IDs unique across restarts */
    const char *peer, *peer_port, *peer_name, *listener; /* as in struct record */
    const struct record_origin *origin;
    struct buffer **reply;    /* replies are appended here */
    size_t reply_limit;       /* stop when *reply has this many bytes */
    size_t message_limit;     /* stop after this many messages */
    session_record_fn record; /* NULL: messages are not recorded */
    void *userdata;
};

/*
 * Answers the messages in in[n]. eof: the peer will send no more. *scanned: see frame_next().
 *
 * *ret_used is the number of bytes used up. Feed the rest again, together with what follows.
 * *ret_error says what was wrong, for SESSION_FAILED and SESSION_FOREIGN.
 */
enum session_status session_feed(struct session *s, const struct session_feed *feed,
                                 const uint8_t *in, size_t n, bool eof, size_t *scanned,
                                 size_t *ret_used, enum frame_error *ret_error);

/* When a SESSION_LIMITED session may continue, on the clock of moment.mono_us. */
uint64_t session_resume_us(const struct session *s, const struct session_rules *rules);

/* Appends `error: REASON` in the session's framing, or nothing if the session is mute. 0 or
 * -ENOMEM. */
int session_append_error(const struct session_rules *rules, const char *reason,
                         struct buffer **reply);
