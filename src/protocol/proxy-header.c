/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/macros.h"
#include "base/parse.h"
#include "protocol/proxy-header.h"

const uint8_t proxy_signature[PROXY_SIGNATURE_SIZE] = { '\r', '\n', '\r', '\n', '\0', '\r',
                                                        '\n', 'Q',  'U',  'I',  'T',  '\n' };
static const char word[] = "PROXY ";

static int wrong(const char **ret_error, const char *text)
{
    *ret_error = text;
    return -EBADMSG;
}

static void map_ipv4(uint8_t out[static 16], const void *in)
{
    memset(out, 0, 10);
    memset(out + 10, 0xff, 2);
    memcpy(out + 12, in, 4);
}

/* --- version 1: a line ---------------------------------------------------------------------- */

#define LINE_MAX_SIZE 107 /* with its CR LF */

/* The next word of the line, up to a space or the end. */
static const char *next_word(char **at)
{
    char *begin = *at, *space = begin ? strchr(begin, ' ') : NULL;

    *at = space ? space + 1 : NULL;
    if (space)
        *space = '\0';
    return begin ?: "";
}

static bool parse_port(const char *text, uint16_t *ret)
{
    uint64_t port;

    if (parse_u64(text, &port) < 0 || port > UINT16_MAX || (text[0] == '0' && text[1] != '\0'))
        return false;
    *ret = (uint16_t)port;
    return true;
}

static bool parse_address(int family, const char *text, uint8_t out[static 16])
{
    uint8_t v4[4];

    if (family == AF_INET6)
        return inet_pton(AF_INET6, text, out) == 1;
    if (inet_pton(AF_INET, text, v4) != 1)
        return false;
    map_ipv4(out, v4);
    return true;
}

/* What follows "PROXY ". line: without its CR LF. */
static int parse_line(char *line, struct proxy_header *ret, const char **ret_error)
{
    const char *family_name = next_word(&line);
    int family = strcmp(family_name, "TCP4") == 0 ? AF_INET : AF_INET6;
    uint8_t destination[16];
    uint16_t port;

    if (strcmp(family_name, "UNKNOWN") == 0)
        return 0;
    if (family == AF_INET6 && strcmp(family_name, "TCP6") != 0)
        return wrong(ret_error, "neither TCP4, TCP6 nor UNKNOWN");
    if (!parse_address(family, next_word(&line), ret->address) ||
        !parse_address(family, next_word(&line), destination))
        return wrong(ret_error, "an address is malformed");
    if (!parse_port(next_word(&line), &ret->port) || !parse_port(next_word(&line), &port))
        return wrong(ret_error, "a port is malformed");
    if (line)
        return wrong(ret_error, "the line has too many words");
    ret->has_client = true;
    return 0;
}

static ssize_t parse_v1(const uint8_t *bytes, size_t n, struct proxy_header *ret,
                        const char **ret_error)
{
    const uint8_t *lf = memchr(bytes, '\n', MIN(n, (size_t)LINE_MAX_SIZE));
    char line[LINE_MAX_SIZE];
    size_t size;
    int r;

    if (!lf)
        return n < LINE_MAX_SIZE ? 0 : wrong(ret_error, "the line has more than 107 bytes");
    size = (size_t)(lf - bytes);
    if (size < sizeof word || bytes[size - 1] != '\r')
        return wrong(ret_error, "the line does not end with CR LF");
    if (memchr(bytes, '\0', size))
        return wrong(ret_error, "the line has a NUL byte");
    size -= strlen(word) + 1;
    memcpy(line, bytes + strlen(word), size);
    line[size] = '\0';
    r = parse_line(line, ret, ret_error);
    return r < 0 ? r : lf + 1 - bytes;
}

/* --- version 2: binary ---------------------------------------------------------------------- */

#define HEAD_SIZE 16

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { FAMILY_UNSPEC = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31 };
enum { TLV_CRC32C = 0x03, TLV_UNIQUE_ID = 0x05, TLV_SSL = 0x20, TLV_SSL_NAME = 0x22 };
enum { SSL_USED = 1, SSL_CERTIFICATE = 2, SSL_CERTIFICATE_BEFORE = 4 };

static size_t get_be16(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)get_be16(p) << 16 | (uint32_t)get_be16(p + 2);
}

struct tlv {
    unsigned type;
    const uint8_t *value;
    size_t size;
};

/* Takes the next one from the bytes. 1; 0: there are none left; -EBADMSG. */
static int next_tlv(const uint8_t **at, size_t *n, struct tlv *ret)
{
    size_t size;

    if (*n == 0)
        return 0;
    if (*n < 3)
        return -EBADMSG;
    size = get_be16(*at + 1);
    if (size > *n - 3)
        return -EBADMSG;
    *ret = (struct tlv){ .type = (*at)[0], .value = *at + 3, .size = size };
    *at += 3 + size;
    *n -= 3 + size;
    return 1;
}

/* The checksum covers the header with its own bytes as zeros. */
static bool sum_is_right(const uint8_t *header, size_t size, const struct tlv *sum)
{
    static const uint8_t zeros[4];
    size_t before = (size_t)(sum->value - header), after = before + sizeof zeros;
    uint32_t crc;

    if (sum->size != sizeof zeros)
        return false;
    crc = crc32c(0, header, before);
    crc = crc32c(crc, zeros, sizeof zeros);
    return crc32c(crc, header + after, size - after) == get_be32(sum->value);
}

/* A NUL would hide what comes behind it, and a line feed would end a reply that has the name. */
static bool has_controls(const uint8_t *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < ' ' || text[i] == 0x7f)
            return true;
    return false;
}

/* The name counts only if the certificate was verified. */
static int take_ssl(const struct tlv *ssl, struct proxy_header *ret)
{
    const uint8_t *at = ssl->value + 5;
    size_t n = ssl->size - 5;
    bool verified;
    struct tlv tlv;
    int r;

    if (ssl->size < 5)
        return -EBADMSG;
    verified = ssl->value[0] & SSL_USED &&
               ssl->value[0] & (SSL_CERTIFICATE | SSL_CERTIFICATE_BEFORE) &&
               get_be32(ssl->value + 1) == 0;
    while ((r = next_tlv(&at, &n, &tlv)) > 0)
        if (tlv.type == TLV_SSL_NAME && verified) {
            if (tlv.size > PROXY_NAME_MAX || has_controls(tlv.value, tlv.size))
                return -EBADMSG;
            ret->name = tlv.value;
            ret->name_size = tlv.size;
        }
    return r;
}

static int take_tlvs(const uint8_t *header, size_t size, size_t offset, struct proxy_header *ret,
                     const char **ret_error)
{
    const uint8_t *at = header + offset;
    size_t n = size - offset;
    struct tlv tlv;
    int r;

    while ((r = next_tlv(&at, &n, &tlv)) > 0) {
        if (tlv.type == TLV_CRC32C && !sum_is_right(header, size, &tlv))
            return wrong(ret_error, "its checksum is wrong");
        if (tlv.type == TLV_UNIQUE_ID && tlv.size > PROXY_UNIQUE_ID_MAX)
            return wrong(ret_error, "the unique ID has more than 128 bytes");
        if (tlv.type == TLV_UNIQUE_ID) {
            ret->unique_id = tlv.value;
            ret->unique_id_size = tlv.size;
        }
        if (tlv.type == TLV_SSL && take_ssl(&tlv, ret) < 0)
            return wrong(ret_error, "what it says about TLS is malformed");
    }
    return r < 0 ? wrong(ret_error, "a field is malformed") : 0;
}

/* What the first 16 bytes say. */
static int check_head(const uint8_t *p, const char **ret_error)
{
    if (p[12] != COMMAND_LOCAL && p[12] != COMMAND_PROXY)
        return wrong(ret_error, "unknown version or command");
    if (HEAD_SIZE + get_be16(p + 14) > PROXY_HEADER_MAX)
        return wrong(ret_error, "it has more than 4096 bytes");
    if (p[12] == COMMAND_PROXY && p[13] != FAMILY_UNSPEC && p[13] != FAMILY_TCP4 &&
        p[13] != FAMILY_TCP6 && p[13] != FAMILY_UNIX)
        return wrong(ret_error, "it is not about a stream");
    return 0;
}

static int take_v2(const uint8_t *p, size_t size, struct proxy_header *ret, const char **ret_error)
{
    static const size_t sizes[] = { [FAMILY_TCP4] = 12, [FAMILY_TCP6] = 36, [FAMILY_UNIX] = 216 };
    size_t addresses = sizes[p[13]];

    if (size - HEAD_SIZE < addresses)
        return wrong(ret_error, "it is too short for its addresses");
    if (p[13] == FAMILY_TCP4) {
        map_ipv4(ret->address, p + HEAD_SIZE);
        ret->port = (uint16_t)get_be16(p + HEAD_SIZE + 8);
    } else if (p[13] == FAMILY_TCP6) {
        memcpy(ret->address, p + HEAD_SIZE, 16);
        ret->port = (uint16_t)get_be16(p + HEAD_SIZE + 32);
    }
    ret->has_client = p[13] == FAMILY_TCP4 || p[13] == FAMILY_TCP6;
    return take_tlvs(p, size, HEAD_SIZE + addresses, ret, ret_error);
}

static ssize_t parse_v2(const uint8_t *bytes, size_t n, struct proxy_header *ret,
                        const char **ret_error)
{
    size_t size;
    int r;

    if (n < HEAD_SIZE)
        return 0;
    r = check_head(bytes, ret_error);
    if (r < 0)
        return r;
    size = HEAD_SIZE + get_be16(bytes + 14);
    if (n < size)
        return 0;
    if (bytes[12] == COMMAND_PROXY)
        r = take_v2(bytes, size, ret, ret_error);
    return r < 0 ? r : (ssize_t)size;
}

ssize_t proxy_header_parse(const uint8_t *bytes, size_t n, unsigned versions,
                           struct proxy_header *ret, const char **ret_error)
{
    struct proxy_header header = { 0 };
    ssize_t r;

    if (versions & PROXY_V2 && memcmp(bytes, proxy_signature, MIN(n, sizeof proxy_signature)) == 0)
        r = parse_v2(bytes, n, &header, ret_error);
    else if (versions & PROXY_V1 && memcmp(bytes, word, MIN(n, strlen(word))) == 0)
        r = parse_v1(bytes, n, &header, ret_error);
    else
        r = wrong(ret_error, "the stream does not begin with one");
    if (r > 0)
        *ret = header.has_client ? header : (struct proxy_header){ 0 };
    return r;
}
