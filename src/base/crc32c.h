/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), as iSCSI (RFC 3720, B.4) and ext4 use it. crc: 0 to begin, or the result for
 * the bytes before these. Uses the processor's instruction where there is one. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same, by tables alone: for tests. */
uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t n);
