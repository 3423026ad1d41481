/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "../clock.h"
#include "../file.h"
#include "../listening.h"
#include "../stream.h"
#include "../task.h"
#include "../tls/cipher.h"
#include "conn.h"

/* One client, which makes one connection after another, with other manners each time. */

/* What it does when it has nothing more to send. */
enum ending {
    END_CLOSE,  /* closes when everything is answered */
    END_HALF,   /* half-closes, and reads to the end */
    END_FIRE,   /* closes immediately */
    END_RESET,  /* resets at some time */
    END_SILENT, /* waits for the server's timeout */
    ENDINGS
};

struct client {
    struct sim_task task;
    struct sim_watch watch;
    struct sim_alarm alarm;
    struct sim_dial *dial;
    struct sim_stream *stream;
    struct conn *conn;
    struct cipher *cipher; /* NULL: it does not speak TLS */
    unsigned dials_left;
    bool let_go;
    /* Of this connection. */
    unsigned messages_left, window;
    uint32_t size_min, size_max, portion, think_us, read_portion, read_pause_us;
    enum ending ending;
    bool lingers; /* with TLS, half-closing leaves the socket open */
    bool deaf, crlf, malformed, cut_inside, urgent, passes, shut, stopped;
    uint64_t reset_at, send_at, read_at;
    uint64_t received;
};

extern bool client_fair;
extern uint32_t client_talk; /* the most messages that a client sends */

void client_run(struct sim_task *task);
void client_wait_until(struct client *c, uint64_t at);
/* If it waits for something that will never come, it gives up. */
void client_let_go(struct client *c);
void client_end(struct client *c);
