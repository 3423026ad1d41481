/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"

/*
 * The beginning of a stream: the first bytes show whether the sender speaks another protocol.
 *
 *   PROXY header, version 1   "PROXY TCP4 ", "PROXY TCP6 " or "PROXY UNKNOWN", and CR LF within 107
 *                             bytes
 *   PROXY header, version 2   its signature of 12 bytes
 *   TLS                       a handshake record whose first message is a ClientHello
 *   HTTP                      line framing, if HTTP is refused: the first line is a request line
 *
 * The first three are recognised in every framing. In `length` and `netstring` no message can begin
 * like this. In `line` a message can, but it is so unlikely that it is refused too.
 *
 * Bytes that may be the start of another protocol are held back, but never a complete message whose
 * sender waits for the reply. So a line like "PROX" is answered as soon as its LF has arrived, and
 * so are empty lines. If one or two empty lines were taken before the rest of a version 2
 * signature, it is still recognised. In `chunk` a read is a message, so the first read must be long
 * enough to tell: 11 bytes for version 1, 5 for version 2, 3 for TLS.
 */

#define OPENING_SIZE_MAX 107 /* at most so many bytes are held back */
#define OPENING_TAKEN    2   /* after so many messages, the check is over */

#define OPENING_UNDECIDED 1

/*
 * in[n]: the bytes not taken yet, after `taken` messages. eof: no more bytes will follow. http_max:
 * the longest line that can be a message, if HTTP is refused; 0 if it is not.
 *
 * Returns 0 if it is none of these; OPENING_UNDECIDED if more bytes are needed, and none may be
 * taken; -FRAME_PROXY, -FRAME_TLS or -FRAME_HTTP.
 */
int opening_check(enum framing framing, size_t http_max, uint64_t taken, const uint8_t *in,
                  size_t n, bool eof);
