/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <string.h>

#include "logged.h"

#define RECORD_HEAD 56

static uint32_t le32(const uint8_t *p)
{
    uint32_t x;

    memcpy(&x, p, sizeof x);
    return le32toh(x);
}

static uint64_t le64(const uint8_t *p)
{
    uint64_t x;

    memcpy(&x, p, sizeof x);
    return le64toh(x);
}

/* CRC-32C, by a table for each byte. */
static uint32_t crc(uint32_t crc, const uint8_t *p, uint64_t n)
{
    static uint32_t table[256];

    if (table[1] == 0)
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t x = i;

            for (int bit = 0; bit < 8; bit++)
                x = x >> 1 ^ (x & 1 ? UINT32_C(0x82f63b78) : 0);
            table[i] = x;
        }
    crc = ~crc;
    while (n-- > 0)
        crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
    return ~crc;
}

bool logged_head_get(const uint8_t *bytes, uint64_t size, struct logged_head *ret)
{
    if (size < LOGGED_HEAD || memcmp(bytes, "answlog\n", 8) != 0 || le32(bytes + 8) != 1 ||
        le32(bytes + LOGGED_HEAD - 4) != crc(0, bytes, LOGGED_HEAD - 4))
        return false;
    *ret = (struct logged_head){
        .serial = le64(bytes + 16),
        .salt = le64(bytes + 24),
        .run = le64(bytes + 32),
        .first = le64(bytes + 48),
    };
    return true;
}

static const uint8_t *text(const uint8_t *p, uint8_t n, char out[static 256])
{
    memcpy(out, p, n);
    out[n] = '\0';
    return p + n;
}

bool logged_get(const uint8_t *bytes, uint64_t size, uint64_t offset, uint64_t salt,
                struct logged *ret)
{
    const uint8_t *p = bytes + offset, *at;
    uint8_t salt_bytes[8];
    uint64_t before;

    if (offset + RECORD_HEAD + 4 > size)
        return false;
    *ret = (struct logged){ .size = le32(p + 4) };
    if (ret->size < RECORD_HEAD + 4 || ret->size > size - offset ||
        le32(p + ret->size - 4) != ret->size)
        return false;
    before = (uint64_t)RECORD_HEAD + p[45] + p[46] + p[47] + le32(p + 48);
    salt = htole64(salt);
    memcpy(salt_bytes, &salt, sizeof salt_bytes);
    ret->checksum = le32(p);
    if (before + 4 > ret->size ||
        ret->checksum != crc(crc(0, salt_bytes, sizeof salt_bytes), p + 4, RECORD_HEAD - 4) ||
        le32(p + 52) != crc(0, p + RECORD_HEAD, ret->size - RECORD_HEAD))
        return false;
    ret->number = le64(p + 8);
    ret->connection = le64(p + 24);
    ret->seq = le64(p + 32);
    ret->unfinished = p[44] & 1;
    at = text(p + RECORD_HEAD, p[45], ret->peer);
    at = text(at, p[46], ret->port);
    (void)text(at, p[47], ret->listener);
    ret->data = p + before;
    ret->data_size = ret->size - 4 - (uint32_t)before;
    return true;
}
