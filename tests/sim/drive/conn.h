/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../file.h"
#include "../stream.h"
#include "setup.h"

/*
 * One connection, as a bystander sees it who knows what the client said, what the program has
 * received and what the kernel has taken from it. Nothing here is the program's own.
 */

struct said_message {
    uint64_t start, data, end; /* where its frame and its data stand in the stream */
    size_t size;
    bool crlf;
};

enum bad { BAD_NONE, BAD_MALFORMED };

/* Why a connection may end although not all that it sent was answered. */
enum excuse {
    EXCUSE_TIMEOUT = 1 << 0,
    EXCUSE_SHED = 1 << 1,
    EXCUSE_STOPPED = 1 << 2,
    EXCUSE_KILLED = 1 << 3,
    EXCUSE_ERROR = 1 << 4, /* an error was due */
    EXCUSE_REFUSED = 1 << 5,
};

struct conn {
    unsigned number; /* of ours: the client's port, or its process */
    bool is_unix;
    uint8_t address; /* the last byte of the client's, TCP */
    enum framing framing;
    bool mute; /* nothing is ever sent to it */

    /* What the client says. */
    uint8_t *bytes;
    uint64_t n_bytes, capacity;
    uint64_t sent; /* of those, taken by the client's kernel */
    struct said_message *messages;
    size_t n_messages, messages_capacity;
    size_t malformed_size; /* that it says */
    enum bad bad;          /* what follows the messages */
    bool fin;              /* it has ended in order */
    bool urgent;           /* a byte out of band was sent, which nobody reads */
    bool over;             /* the client has let go of it */

    /* What the program does. */
    struct sim_stream *server; /* its end of the stream, while it is open */
    const struct setup *setup; /* since it was accepted */
    const char *run_id;
    unsigned life;       /* of which process */
    uint64_t received;   /* bytes */
    uint64_t known;      /* bytes that had arrived when its worker last asked the kernel for news */
    uint64_t unread;     /* that it found at the end */
    size_t complete;     /* messages within them */
    uint64_t partial_at; /* when the message behind those began to come, ns */
    uint64_t id;         /* as the records say */
    uint64_t recorded;   /* messages, up to a gap that was due */
    uint64_t unrecordable; /* the message that could not be recorded; 0: none */
    uint64_t replied;      /* whole replies taken by the kernel */
    uint64_t taken;        /* messages, as the program said at the end */
    uint64_t bytes_out;
    uint64_t accepted_at, reply_at; /* ns */
    uint8_t *out;                   /* of a reply, so far */
    size_t n_out, out_capacity;
    bool is_too_many; /* of its address, when it was accepted */
    bool opened;      /* it became a connection: its state has changed */
    int listening;    /* the descriptor that it was accepted from */
    unsigned worker;  /* ... by this one */
    bool errored;     /* an error reply is out */
    unsigned excuses; /* enum excuse */
    char *line;       /* on the terminal, so far: see records.c */
};

struct conn *conn_new(unsigned number, enum framing framing);
void conn_free(struct conn *c);

/* The client goes on to say a message of so many bytes. */
void conn_say(struct conn *c, size_t size, bool crlf);
/* ... or what is no message. */
void conn_say_malformed(struct conn *c, unsigned how);

/* Message i, from 0: false where there is no such whole message, as things stand. */
bool conn_message(const struct conn *c, size_t i, struct said_message *ret);

/* How many messages are whole in the first n bytes. */
size_t conn_complete(const struct conn *c, uint64_t n);

/* The program has received n bytes. */
void conn_received(struct conn *c, size_t n, uint64_t now);

/* The kernel has taken n bytes of reply. */
void conn_replied(struct conn *c, const uint8_t *bytes, size_t n, uint64_t now);

/* Whether the next record may be impossible: it is too large for a datagram, and files are forbidden. */
bool conn_cannot_be_recorded(const struct conn *c);
