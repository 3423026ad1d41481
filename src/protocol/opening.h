/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/frame.h"

/*
 * How a stream begins: the first bytes tell senders apart that speak another protocol.
 *
 *   PROXY header, version 1   "PROXY TCP4 ", "PROXY TCP6 " or "PROXY UNKNOWN", and CR LF within 107
 *                             bytes
 *   PROXY header, version 2   its signature of 12 bytes
 *   TLS                       a handshake record whose first message is a ClientHello
 *   HTTP                      line framing, where it is refused: the first line is a request line
 *
 * The first three are looked for in every framing. In `length` and `netstring` no message can begin
 * so. In `line` a message of the same bytes is possible, and so unlikely that it is refused, too.
 *
 * Bytes that may yet become such a beginning are held back, but never a message that an ordinary
 * client sends and waits for. So a line like "PROX" is answered as soon as its LF is there, and so
 * are empty lines: where one or two of them were taken before the rest of version 2's signature
 * came, it is found all the same. In `chunk` a read is a message, and the first read has to hold
 * enough to tell: 11 bytes of version 1, 5 of version 2, 3 of TLS.
 */

#define OPENING_SIZE_MAX 107 /* no more bytes are held back */
#define OPENING_TAKEN    2   /* once more messages are taken, there is nothing to look for */

#define OPENING_UNDECIDED 1

/*
 * in[n]: what was not taken, behind so many messages that were. eof: no byte will ever follow.
 * http_max: the size up to which a line may be a message, where HTTP is refused; 0: it is not.
 *
 * 0: nothing of these; OPENING_UNDECIDED: more bytes are needed, and none may be taken;
 * -FRAME_PROXY, -FRAME_TLS or -FRAME_HTTP.
 */
int opening_check(enum framing framing, size_t http_max, uint64_t taken, const uint8_t *in,
                  size_t n, bool eof);
