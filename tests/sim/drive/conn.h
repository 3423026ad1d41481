/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../file.h"
#include "../stream.h"
#include "setup.h"

/*
 * One connection as seen by a bystander who knows what the client said, what the program received,
 * and what the kernel took from it. It holds no data of the program.
 */

struct said_message {
    uint64_t start, data, end; /* positions of its frame and its data in the stream */
    size_t size;
    bool crlf;
};

enum bad { BAD_NONE, BAD_MALFORMED };

/* Why a connection may end although some of its messages were not answered. */
enum excuse {
    EXCUSE_TIMEOUT = 1 << 0,
    EXCUSE_SHED = 1 << 1,
    EXCUSE_STOPPED = 1 << 2,
    EXCUSE_KILLED = 1 << 3,
    EXCUSE_ERROR = 1 << 4, /* an error was due */
    EXCUSE_REFUSED = 1 << 5,
};

struct conn {
    unsigned number; /* our number: the client's port, or its process */
    bool is_unix;
    uint8_t address; /* the last byte of a TCP client's address */
    enum framing framing;
    bool mute; /* no replies are sent to it */

    /* A PROXY header, before everything else. */
    uint8_t header[64];
    size_t header_size, header_sent; /* size 0: none */
    bool header_wrong;

    /* TLS, whose bytes come behind the header. What the client and the program say is below. */
    bool tls, asks_for_keys;
    bool broken; /* a record was damaged, or it speaks no TLS: nothing more may be taken */
    struct enciphered {
        uint64_t end, said; /* what was said is complete with so many encrypted bytes */
    } * enciphered;
    size_t n_enciphered, enciphered_capacity;
    uint64_t cipher_received; /* encrypted bytes */
    uint64_t shaken_at;       /* so many make the handshake complete; 0: unknown */
    uint64_t header_at,
        hello_at;      /* when the header was complete, and the first byte behind it came, in ns */
    uint8_t *promised; /* replies that the program wants to encrypt */
    uint64_t n_promised, promised_capacity;
    uint64_t kept_promises, heard; /* so many are sent; the client has read so many */
    bool failed;                   /* its stream */
    bool mute_end; /* the client may find no close_notify: it took too long to make room */
    bool had_room; /* for sending, when its worker last waited for events */

    /* What the client says. */
    uint8_t *bytes;
    uint64_t n_bytes, capacity;
    uint64_t sent; /* how many of them the client's kernel has taken */
    struct said_message *messages;
    size_t n_messages, messages_capacity;
    size_t malformed_size; /* of the malformed bytes */
    enum bad bad;          /* what comes after the messages */
    bool fin;              /* orderly end of the stream */
    bool urgent;           /* an out-of-band byte was sent, which is never read */
    bool over;             /* the client has closed it */

    /* What the program does. */
    struct sim_stream *server; /* the program's end of the stream, while it is open */
    const struct setup *setup; /* of the listener that accepted it */
    const char *run_id;
    unsigned life;         /* the process that accepted it */
    size_t header_left;    /* not received yet */
    uint64_t received;     /* bytes behind the header */
    uint64_t known;        /* bytes that had arrived when its worker last waited for events */
    uint64_t unread;       /* found unread at the end */
    size_t complete;       /* complete messages among them */
    uint64_t partial_at;   /* when the next message began to arrive, in ns */
    uint64_t received_at;  /* when bytes were last received, in ns */
    uint64_t id;           /* from its records */
    uint64_t recorded;     /* messages, up to a legitimate gap */
    uint64_t unrecordable; /* the message that could not be recorded; 0: none */
    uint64_t replied;      /* complete replies taken by the kernel */
    uint64_t taken;        /* messages, by the program's count at the end */
    uint64_t bytes_out;
    uint64_t accepted_at, reply_at; /* ns */
    uint8_t *out;                   /* the current reply so far */
    size_t n_out, out_capacity;
    bool is_too_many; /* of its address, when it was accepted */
    bool opened;      /* it became a connection: its state has changed */
    int listening;    /* the listening descriptor */
    unsigned worker;  /* ... and the worker that accepted it */
    bool errored;     /* an error reply was sent */
    unsigned excuses; /* enum excuse */
    char *line;       /* on the terminal so far: see records.c */
};

struct conn *conn_new(unsigned number, enum framing framing);
void conn_free(struct conn *c);

/* The client says a message of this size next. */
void conn_say(struct conn *c, size_t size, bool crlf);
/* ... or a malformed one. */
void conn_say_malformed(struct conn *c, unsigned how);

/* The client begins with a PROXY header. how: which, from 0 to CONN_HEADERS - 1. */
#define CONN_HEADERS 6
void conn_begin_with_header(struct conn *c, unsigned how);

/* Since when the next message may be late at the earliest. With TLS, an unfinished record counts,
 * too, even if no message has begun. */
uint64_t conn_late_since(const struct conn *c);

/* What the client has said, up to `said` bytes, makes `end` encrypted bytes. */
void conn_enciphered(struct conn *c, uint64_t end, uint64_t said);
/* The last of these is not true. */
void conn_forget_cipher(struct conn *c);
/* What the first `end` encrypted bytes say. */
uint64_t conn_deciphered(const struct conn *c, uint64_t end);
/* What has arrived at the program's kernel, and was received or not. server: its end. */
uint64_t conn_arrived(const struct conn *c);
/* The program wants to encrypt these bytes of replies. Returns how many of them it had wanted to
 * before, when there was no room for all. */
size_t conn_promised(struct conn *c, const uint8_t *bytes, size_t n);
/* The client has read these. */
void conn_heard(struct conn *c, const uint8_t *bytes, size_t n);

/* Whether the program knows a TCP client: by its socket, or by its header. */
bool conn_has_address(const struct conn *c);

/* Message i, from 0. False if there is no such complete message yet. */
bool conn_message(const struct conn *c, size_t i, struct said_message *ret);

/* The number of complete messages in the first n bytes. */
size_t conn_complete(const struct conn *c, uint64_t n);

/* The program received n bytes. */
void conn_received(struct conn *c, size_t n, uint64_t now);

/* The kernel took n bytes of replies. */
void conn_replied(struct conn *c, const uint8_t *bytes, size_t n, uint64_t now);

/* Whether the next record may be impossible: too large for a datagram, while files are
 * forbidden. */
bool conn_cannot_be_recorded(const struct conn *c);
