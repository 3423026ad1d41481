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
 * One connection's conversation: bytes in, records and reply bytes out. No system calls, no clock,
 * no sockets, so that any stream can be fed to it cut at any place, and gives the same records and
 * the same bytes.
 */

#define RUN_ID_MAX    16 /* of run_id, characters: more are left out */
#define RECORD_ID_MAX 64 /* RUN-CONNECTION-SEQ, with its NUL */

enum session_status {
    SESSION_HUNGRY,  /* all complete messages are answered; more bytes are needed */
    SESSION_STOPPED, /* a limit was reached, or a record refused: call again with the rest */
    SESSION_LIMITED, /* the rate limit: call again with the rest when the clock says
                        session_resume_us() */
    SESSION_ENDED,   /* eof, and everything is answered */
    SESSION_FAILED,  /* the peer broke the framing: session_append_error() tells it how. No more
                        input is to be fed */
    SESSION_NOMEM,   /* no memory for a reply: the message was not taken */
};

struct session {
    uint64_t seq;         /* of the last message */
    uint64_t number : 56; /* of the connection, for records and IDs */
    uint64_t status : 8;  /* enum session_status, of the last session_feed() */
    uint64_t full_ns;     /* rate limit: when the bucket is full again */
};

/* Whether what was fed and not used up may hold whole messages. */
static inline bool session_is_pending(const struct session *s)
{
    return s->status == SESSION_STOPPED || s->status == SESSION_LIMITED;
}

/* Bytes were put behind those that were not used up, and have yet to be fed. */
static inline void session_postpone(struct session *s)
{
    if (s->status == SESSION_HUNGRY)
        s->status = SESSION_STOPPED;
}

/* What a listener asks of its sessions. Immutable. */
struct session_rules {
    enum framing framing;
    bool mute; /* nothing is ever sent, not even an error; .reply is not used */
    const struct template *reply;
    size_t max_message;                /* bytes */
    bool refuse_http;                  /* see opening.h */
    uint64_t message_cost_ns;          /* rate limit: what one message uses up; 0: no limit */
    struct buffer *ready, *ready_crlf; /* see session_rules_prepare(); NULL: not prepared */
};

/* Frames the reply once and for all, where the template has no fields; to be called when all else
 * is set. Without it every message does so again. 0 or -ENOMEM. */
int session_rules_prepare(struct session_rules *rules);
/* Frees what that made. */
void session_rules_release(struct session_rules *rules);

/* Offers a record. 0 takes it. -EAGAIN: the message stays in the input. Any other negative errno:
 * SESSION_NOMEM. In both cases no reply is given. */
typedef int (*session_record_fn)(void *userdata, const struct record *record);

/* One feed's surroundings. */
struct session_feed {
    const struct session_rules *rules;
    struct moment now;
    const char *run_id; /* of this process: makes IDs unique across restarts */
    const char *peer, *peer_port, *peer_name, *listener; /* as in struct record */
    struct buffer **reply;                               /* replies are appended here */
    size_t reply_limit;       /* stop when *reply has grown to so many bytes */
    size_t message_limit;     /* stop after so many messages */
    session_record_fn record; /* NULL: messages are not written down */
    void *userdata;
};

/*
 * Answers the messages in in[n]. eof: the peer will send nothing more. *scanned: see frame_next().
 *
 * *ret_used is how many bytes were used up; the rest is to be fed again, with what follows.
 * *ret_error, for SESSION_FAILED, is what was wrong.
 */
enum session_status session_feed(struct session *s, const struct session_feed *feed,
                                 const uint8_t *in, size_t n, bool eof, size_t *scanned,
                                 size_t *ret_used, enum frame_error *ret_error);

/* When a SESSION_LIMITED session may go on, on the clock of moment.mono_us. */
uint64_t session_resume_us(const struct session *s, const struct session_rules *rules);

/* Appends `error: REASON` in the session's framing, and nothing where it is mute. 0 or -ENOMEM. */
int session_append_error(const struct session_rules *rules, const char *reason,
                         struct buffer **reply);
