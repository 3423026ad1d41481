/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "protocol/proxy-header.h"
#include "runner.h"

#define BOTH (PROXY_V1 | PROXY_V2)

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

/* A version 2 header that grows. */
static uint8_t header[8192];
static size_t size;

static struct proxy_header got;
static const char *error;

static void put(const void *bytes, size_t n)
{
    memcpy(header + size, bytes, n);
    size += n;
}

static void put16(size_t value)
{
    put((uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void begin(uint8_t command, uint8_t family)
{
    size = 0;
    put(signature, 12);
    put(&command, 1);
    put(&family, 1);
    put16(0);
}

/* The addresses of 192.0.2.7:40000, on its way to 192.0.2.1:8080. */
static void begin_tcp4(void)
{
    begin(0x21, 0x11);
    put("\xc0\0\2\7\xc0\0\2\1", 8);
    put16(40000);
    put16(8080);
}

static void put_tlv(uint8_t type, const void *value, size_t n)
{
    put(&type, 1);
    put16(n);
    put(value, n);
}

static void end(void)
{
    header[14] = (uint8_t)((size - 16) >> 8);
    header[15] = (uint8_t)(size - 16);
}

static ssize_t parse(const void *bytes, size_t n, unsigned versions)
{
    error = NULL;
    memset(&got, 0xee, sizeof got);
    return proxy_header_parse(bytes, n, versions, &got, &error);
}

/* Cut anywhere it is incomplete. What comes behind it does not matter. */
static void check_cuts(const void *bytes, size_t n)
{
    uint8_t longer[sizeof header + 1];

    for (size_t some = 0; some < n; some++)
        ck_assert_msg(parse(bytes, some, BOTH) == 0, "%zu of %zu: %s", some, n, error ?: "");
    memcpy(longer, bytes, n);
    longer[n] = '\n';
    ck_assert_int_eq(parse(longer, n + 1, BOTH), (ssize_t)n);
    ck_assert_int_eq(parse(bytes, n, BOTH), (ssize_t)n);
}

static void check_client(const char *address, unsigned port)
{
    ck_assert(got.has_client);
    ck_assert_mem_eq(got.address, address, 16);
    ck_assert_uint_eq(got.port, port);
}

#define V4(bytes) "\0\0\0\0\0\0\0\0\0\0\xff\xff" bytes

START_TEST(version_1)
{
    const char *line = "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n";

    check_cuts(line, strlen(line));
    check_client(V4("\xc0\0\2\7"), 40000);
    ck_assert_ptr_null(got.name);
    ck_assert_ptr_null(got.unique_id);
    line = "PROXY TCP6 2001:db8::7 2001:db8::1 0 65535\r\n";
    check_cuts(line, strlen(line));
    check_client("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 0);
    line = "PROXY UNKNOWN\r\n";
    check_cuts(line, strlen(line));
    ck_assert(!got.has_client);
    line = "PROXY UNKNOWN whatever it says 1 2 3\r\n";
    check_cuts(line, strlen(line));
    ck_assert(!got.has_client);
    /* The longest. */
    line =
        "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:"
        "ffff 65535 65535\r\n";
    ck_assert_uint_eq(strlen(line), 107);
    check_cuts(line, strlen(line));
}
END_TEST

START_TEST(version_1_gone_wrong)
{
    static const char *const lines[] = {
        "PROXY \r\n",
        "PROXY TCP4\r\n",
        "PROXY TCP5 192.0.2.7 192.0.2.1 40000 8080\r\n",
        "PROXY tcp4 192.0.2.7 192.0.2.1 40000 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 40000\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 40000 \r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080 \r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080 1\r\n",
        "PROXY TCP4  192.0.2.7 192.0.2.1 40000 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 65536 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 -1 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 +1 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 01 8080\r\n",
        "PROXY TCP4 192.0.2 192.0.2.1 40000 8080\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 40000 8080\r\n",
        "PROXY TCP6 192.0.2.7 192.0.2.1 40000 8080\r\n",
        "PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\n",
        "PROXY\tTCP4 192.0.2.7 192.0.2.1 40000 8080\r\n",
        "proxy TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n",
        "hello\n",
        "\n",
        "\r\nPROXY UNKNOWN\r\n",
    };
    char line[200];

    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        ck_assert_msg(parse(lines[i], strlen(lines[i]), BOTH) == -EBADMSG, "%s", lines[i]);
        ck_assert_ptr_nonnull(error);
    }
    (void)snprintf(line, sizeof line, "PROXY UNKNOWN %092d\r\n", 0);
    ck_assert_uint_eq(strlen(line), 108);
    ck_assert_int_eq(parse(line, 106, BOTH), 0);
    ck_assert_int_eq(parse(line, 107, BOTH), -EBADMSG);
    ck_assert_int_eq(parse("PROXY UNKNOWN\0\r\n", 16, BOTH), -EBADMSG);
}
END_TEST

START_TEST(version_2)
{
    begin_tcp4();
    end();
    check_cuts(header, size);
    check_client(V4("\xc0\0\2\7"), 40000);
    begin(0x21, 0x21);
    put("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 16);
    put("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
    put16(40001);
    put16(8080);
    end();
    check_cuts(header, size);
    check_client("\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7", 40001);
}
END_TEST

START_TEST(without_a_client)
{
    uint8_t addresses[216] = { 1 };

    begin(0x20, 0x00); /* LOCAL */
    end();
    check_cuts(header, size);
    ck_assert(!got.has_client);
    begin(0x20, 0x99); /* its family and its contents do not matter */
    put("whatever", 8);
    end();
    check_cuts(header, size);
    ck_assert(!got.has_client);
    begin(0x21, 0x00); /* UNSPEC */
    put_tlv(0x04, "no-op", 5);
    end();
    check_cuts(header, size);
    ck_assert(!got.has_client);
    begin(0x21, 0x31); /* a UNIX socket */
    put(addresses, sizeof addresses);
    end();
    check_cuts(header, size);
    ck_assert(!got.has_client);
}
END_TEST

static void put_ssl(uint8_t client, uint8_t verify, const char *name)
{
    uint8_t value[1024] = { client, 0, 0, 0, verify, 0x21, 0, 7 };
    size_t n = 8;

    memcpy(value + n, "TLSv1.3", 7);
    n += 7;
    value[n++] = 0x22;
    value[n++] = (uint8_t)(strlen(name) >> 8);
    value[n++] = (uint8_t)strlen(name);
    memcpy(value + n, name, strlen(name));
    put_tlv(0x20, value, n + strlen(name));
}

START_TEST(a_verified_name)
{
    char name[PROXY_NAME_MAX + 2] = { 0 };

    begin_tcp4();
    put_ssl(0x03, 0, "meter-17");
    end();
    check_cuts(header, size);
    ck_assert_uint_eq(got.name_size, 8);
    ck_assert_mem_eq(got.name, "meter-17", 8);
    memset(name, 'x', PROXY_NAME_MAX);
    begin_tcp4();
    put_ssl(0x05, 0, name);
    end();
    check_cuts(header, size);
    ck_assert_uint_eq(got.name_size, PROXY_NAME_MAX);
    for (const char *control = "\n\r\x1f\x7f"; *control; control++) {
        name[7] = *control;
        begin_tcp4();
        put_ssl(0x05, 0, name);
        end();
        ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    }
    name[7] = name[PROXY_NAME_MAX] = 'x';
    begin_tcp4();
    put_ssl(0x05, 0, name);
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
}
END_TEST

START_TEST(a_name_that_is_not_verified)
{
    static const struct {
        uint8_t client, verify;
    } cases[] = { { 0x01, 0 }, { 0x03, 1 }, { 0x02, 0 }, { 0x00, 0 } };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_tcp4();
        put_ssl(cases[i].client, cases[i].verify, "meter-17");
        end();
        check_cuts(header, size);
        ck_assert(got.has_client);
        ck_assert_ptr_null(got.name);
    }
}
END_TEST

START_TEST(a_unique_id)
{
    char id[PROXY_UNIQUE_ID_MAX + 1];

    memset(id, 'i', sizeof id);
    begin_tcp4();
    put_tlv(0x05, id, PROXY_UNIQUE_ID_MAX);
    end();
    check_cuts(header, size);
    ck_assert_uint_eq(got.unique_id_size, PROXY_UNIQUE_ID_MAX);
    ck_assert_mem_eq(got.unique_id, id, PROXY_UNIQUE_ID_MAX);
    begin_tcp4();
    put_tlv(0x05, id, sizeof id);
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
}
END_TEST

START_TEST(a_checksum)
{
    size_t at;
    uint32_t crc;

    begin_tcp4();
    put_tlv(0x03, "\0\0\0\0", 4);
    at = size - 4;
    put_tlv(0x05, "behind it", 9);
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    crc = crc32c(0, header, size);
    for (size_t i = 0; i < 4; i++)
        header[at + i] = (uint8_t)(crc >> (24 - 8 * i));
    check_cuts(header, size);
    for (size_t i = 16; i < size; i++) {
        header[i] ^= 1;
        ck_assert_msg(parse(header, size, BOTH) != (ssize_t)size || i == at - 3, "%zu", i);
        header[i] ^= 1;
    }
}
END_TEST

START_TEST(version_2_gone_wrong)
{
    begin(0x22, 0x11); /* command */
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    begin(0x11, 0x11); /* version */
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    begin(0x21, 0x12); /* UDP */
    put("\xc0\0\2\7\xc0\0\2\1\1\1\1\1", 12);
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    begin_tcp4();
    end();
    header[15]--; /* the addresses do not fit */
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    for (size_t more = 1; more < 3; more++) { /* half a field */
        begin_tcp4();
        put("\4\0", more);
        end();
        ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    }
    begin_tcp4();
    put("\4\0\1", 3); /* a field that is longer than the header */
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    begin_tcp4();
    put_tlv(0x20, "\3\0\0\0", 4); /* half of what belongs to TLS */
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
    begin_tcp4();
    put_tlv(0x20, "\3\0\0\0\0\x22\0\2x", 9);
    end();
    ck_assert_int_eq(parse(header, size, BOTH), -EBADMSG);
}
END_TEST

START_TEST(the_largest)
{
    static const uint8_t zeros[PROXY_HEADER_MAX];

    begin_tcp4();
    put_tlv(0x04, zeros, PROXY_HEADER_MAX - size - 3);
    end();
    ck_assert_uint_eq(size, PROXY_HEADER_MAX);
    check_cuts(header, size);
    begin_tcp4();
    put_tlv(0x04, zeros, PROXY_HEADER_MAX - size - 2);
    end();
    ck_assert_int_eq(parse(header, 16, BOTH), -EBADMSG);
}
END_TEST

START_TEST(only_allowed_versions)
{
    const char *line = "PROXY UNKNOWN\r\n";

    begin(0x20, 0x00);
    end();
    ck_assert_int_eq(parse(header, size, PROXY_V2), 16);
    ck_assert_int_eq(parse(header, size, PROXY_V1), -EBADMSG);
    ck_assert_int_eq(parse(line, strlen(line), PROXY_V1), 15);
    ck_assert_int_eq(parse(line, strlen(line), PROXY_V2), -EBADMSG);
    ck_assert_int_eq(parse(line, 1, PROXY_V2), -EBADMSG);
}
END_TEST

Suite *test_suite(void)
{
    TCase *tc = tcase_create("proxy-header");
    Suite *s = suite_create("proxy-header");

    tcase_add_test(tc, version_1);
    tcase_add_test(tc, version_1_gone_wrong);
    tcase_add_test(tc, version_2);
    tcase_add_test(tc, without_a_client);
    tcase_add_test(tc, a_verified_name);
    tcase_add_test(tc, a_name_that_is_not_verified);
    tcase_add_test(tc, a_unique_id);
    tcase_add_test(tc, a_checksum);
    tcase_add_test(tc, version_2_gone_wrong);
    tcase_add_test(tc, the_largest);
    tcase_add_test(tc, only_allowed_versions);
    suite_add_tcase(s, tc);
    return s;
}
