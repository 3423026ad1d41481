/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Numbers as the log has them: little-endian, at any address. */

static inline void put_le16(uint8_t *p, uint16_t value)
{
    value = htole16(value);
    memcpy(p, &value, sizeof value);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
    value = htole32(value);
    memcpy(p, &value, sizeof value);
}

static inline void put_le64(uint8_t *p, uint64_t value)
{
    value = htole64(value);
    memcpy(p, &value, sizeof value);
}

static inline uint16_t get_le16(const uint8_t *p)
{
    uint16_t value;

    memcpy(&value, p, sizeof value);
    return le16toh(value);
}

static inline uint32_t get_le32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof value);
    return le32toh(value);
}

static inline uint64_t get_le64(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return le64toh(value);
}
