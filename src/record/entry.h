/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>

#include "base/buffer.h"
#include "base/record.h"
#include "record/event.h"

/*
 * Journal entries in journald's native protocol (systemd.journal-fields(7), "Native Journal
 * Protocol").
 *
 * Every field is written in the length-prefixed form: NAME LF, 64-bit little-endian size, bytes,
 * LF. So no byte of a value can begin another field. Field names are constants: many distinct names
 * make journald rotate its file, and it drops entries of more than 1,024 fields.
 */

/* MESSAGE has at most this many bytes of the message's text, escaped. */
#define ENTRY_TEXT_MAX 512

/* Appends one field. name: upper-case, one of this program's names. 0 or -ENOMEM. */
int entry_field(struct buffer **out, const char *name, const void *data, size_t size);

/* Appends the fields that begin every entry: identifier, priority, MESSAGE_ID. 0 or -ENOMEM. */
int entry_begin(struct buffer **out, enum event event);

/* Appends a message's whole entry. 0 or -ENOMEM, after which *out may hold part of it. */
int entry_record(struct buffer **out, const struct record *record);

/* Appends "PEER: TEXT" for a human reader: escaped, on one line, cut at ENTRY_TEXT_MAX bytes of
 * text. 0 or -ENOMEM. */
int entry_text(struct buffer **out, const struct record *record);
