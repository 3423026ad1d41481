/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <endian.h>
#include <stdbool.h>
#include <string.h>

#include "base/crc32c.h"

#define POLYNOMIAL UINT32_C(0x82f63b78) /* 0x1edc6f41, with its bits reversed */

/* tables[k][b]: the CRC of byte b and k zero bytes behind it. */
static uint32_t tables[8][256];

__attribute__((constructor)) static void make_tables(void)
{
    for (uint32_t b = 0; b < 256; b++) {
        uint32_t crc = b;

        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        tables[0][b] = crc;
    }
    for (uint32_t b = 0; b < 256; b++)
        for (int k = 1; k < 8; k++)
            tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
}

static uint64_t load(const uint8_t *p)
{
    uint64_t le;

    memcpy(&le, p, sizeof le);
    return le64toh(le);
}

uint32_t crc32c_by_table(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;

    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t eight = load(p) ^ crc;

        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= tables[7 - k][eight >> 8 * k & 0xff];
    }
    for (; n > 0; n--)
        crc = crc >> 8 ^ tables[0][(crc ^ *p++) & 0xff];
    return ~crc;
}

#if defined __x86_64__

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *p,
                                                                 size_t n)
{
    uint64_t wide = ~crc;

    for (; n >= 8; n -= 8, p += 8)
        wide = __builtin_ia32_crc32di(wide, load(p));
    crc = (uint32_t)wide;
    for (; n > 0; n--)
        crc = __builtin_ia32_crc32qi(crc, *p++);
    return ~crc;
}

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}

#elif defined __aarch64__ && defined __ARM_FEATURE_CRC32

static uint32_t by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8)
        crc = __builtin_aarch64_crc32cx(crc, load(p));
    for (; n > 0; n--)
        crc = __builtin_aarch64_crc32cb(crc, *p++);
    return ~crc;
}

static bool has_instruction(void)
{
    return true;
}

#else

#define by_instruction crc32c_by_table

static bool has_instruction(void)
{
    return false;
}

#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
    return has_instruction() ? by_instruction(crc, bytes, n) : crc32c_by_table(crc, bytes, n);
}
