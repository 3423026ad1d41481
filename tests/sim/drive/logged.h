/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The record log's format, as answerd-log(5) describes it, read without the program's own code. */

#define LOGGED_HEAD 4096

struct logged_head {
    uint64_t serial, salt, run, first;
};

struct logged {
    uint64_t number, connection, seq;
    const uint8_t *data;
    uint32_t size, data_size, checksum;
    char peer[256], port[256], listener[256];
    bool unfinished;
};

/* False: it is none. */
bool logged_head_get(const uint8_t *bytes, uint64_t size, struct logged_head *ret);

/* Whether a whole record is at the offset. */
bool logged_get(const uint8_t *bytes, uint64_t size, uint64_t offset, uint64_t salt,
                struct logged *ret);
