/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/escape.h"
#include "base/macros.h"
#include "random.h"
#include "runner.h"

static bool between(uint8_t byte, uint8_t low, uint8_t high)
{
    return byte >= low && byte <= high;
}

/* The grammar of RFC 3629, section 4, verbatim. 0 if it does not match. */
static size_t rfc3629(const uint8_t *s, size_t n)
{
    static const struct {
        uint8_t size, first_low, first_high, second_low, second_high;
    } rules[] = {
        { 1, 0x00, 0x7f, 0, 0 },       { 2, 0xc2, 0xdf, 0x80, 0xbf }, { 3, 0xe0, 0xe0, 0xa0, 0xbf },
        { 3, 0xe1, 0xec, 0x80, 0xbf }, { 3, 0xed, 0xed, 0x80, 0x9f }, { 3, 0xee, 0xef, 0x80, 0xbf },
        { 4, 0xf0, 0xf0, 0x90, 0xbf }, { 4, 0xf1, 0xf3, 0x80, 0xbf }, { 4, 0xf4, 0xf4, 0x80, 0x8f },
    };

    for (size_t i = 0; n > 0 && i < ARRAY_SIZE(rules); i++)
        if (n >= rules[i].size && between(s[0], rules[i].first_low, rules[i].first_high) &&
            (rules[i].size < 2 || between(s[1], rules[i].second_low, rules[i].second_high)) &&
            (rules[i].size < 3 || between(s[2], 0x80, 0xbf)) &&
            (rules[i].size < 4 || between(s[3], 0x80, 0xbf)))
            return rules[i].size;
    return 0;
}

static bool is_control(const uint8_t *s, size_t size)
{
    /* ALM, LRM, RLM, LS, PS, LRE, RLE, PDF, LRO, RLO, LRI, RLI, FSI, PDI */
    static const char *const unicode[] = {
        "\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202a", "\u202b",
        "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069",
    };

    for (size_t i = 0; size > 1 && i < ARRAY_SIZE(unicode); i++)
        if (strncmp(unicode[i], (const char *)s, size) == 0)
            return true;
    return (size == 1 && (s[0] < 0x20 || s[0] == 0x7f)) ||
           (size == 2 && s[0] == 0xc2 && s[1] <= 0x9f);
}

static bool is_safe(const char *text, size_t n)
{
    for (size_t i = 0, size; i < n; i += size) {
        size = rfc3629((const uint8_t *)text + i, n - i);
        if (size == 0 || is_control((const uint8_t *)text + i, size))
            return false;
    }
    return true;
}

/* Decodes escaped text. SIZE_MAX if it is malformed. */
static size_t unescape(const char *text, size_t n, uint8_t *out)
{
    static const char hex[] = "0123456789abcdef";
    size_t size = 0;

    for (size_t i = 0; i < n;) {
        if (text[i] != '\\') {
            out[size++] = (uint8_t)text[i++];
        } else if (i + 3 < n && text[i + 1] == 'x' && strchr(hex, text[i + 2]) &&
                   strchr(hex, text[i + 3])) {
            out[size++] =
                (uint8_t)((strchr(hex, text[i + 2]) - hex) << 4 | (strchr(hex, text[i + 3]) - hex));
            i += 4;
        } else if (i + 1 < n && strchr("nrt\\", text[i + 1]) && text[i + 1]) {
            out[size++] = (uint8_t) "\n\r\t\\"[strchr("nrt\\", text[i + 1]) - "nrt\\"];
            i += 2;
        } else {
            return SIZE_MAX;
        }
    }
    return size;
}

/* The result is safe, says what the bytes were, and escapes only what it must. */
static void check(const uint8_t *bytes, size_t n)
{
    char text[64];
    uint8_t back[64];
    size_t size = escape_text(bytes, n, text, sizeof text), expected = 0;

    for (size_t i = 0, one; i < n; i += MAX(one, (size_t)1)) {
        one = rfc3629(bytes + i, n - i);
        if (utf8_sequence(bytes + i, n - i) != one)
            ck_abort_msg("%02x %02x … is not judged as RFC 3629 does", bytes[i], bytes[i + 1]);
        if (one == 0 || is_control(bytes + i, one)) {
            one = MAX(one, (size_t)1);
            expected += one == 1 && strchr("\n\r\t", bytes[i]) && bytes[i] ? 2 : 4 * one;
        } else {
            expected += bytes[i] == '\\' ? 2 : one;
        }
    }
    if (!is_safe(text, size) || size != expected || unescape(text, size, back) != n ||
        memcmp(back, bytes, n))
        ck_abort_msg("%02x %02x %02x … became \"%.*s\"", bytes[0], bytes[1], bytes[2], (int)size,
                     text);
}

START_TEST(every_sequence_of_up_to_three_bytes)
{
    uint8_t b[8] = { 0 };

    ck_assert_uint_eq(utf8_sequence(b, 0), 0);
    check(b, 0);
    for (unsigned i = 0; i < 0x100; i++) {
        b[0] = (uint8_t)i;
        check(b, 1);
    }
    for (unsigned i = 0; i < 0x10000; i++) {
        b[0] = (uint8_t)(i >> 8);
        b[1] = (uint8_t)i;
        check(b, 2);
    }
    for (unsigned i = 0; i < 0x1000000; i++) {
        b[0] = (uint8_t)(i >> 16);
        b[1] = (uint8_t)(i >> 8);
        b[2] = (uint8_t)i;
        check(b, 3);
    }
}
END_TEST

/* The ends of all ranges in the rules, in every combination. */
START_TEST(edges_of_four_and_five_bytes)
{
    static const uint8_t edges[] = { 0x00, 0x1b, 0x20, 0x5c, 0x7f, 0x80, 0x8f, 0x90,
                                     0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
                                     0xed, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff };
    enum { N = ARRAY_SIZE(edges) };

    for (unsigned i = 0; i < N * N * N * N * N; i++) {
        uint8_t b[8] = { edges[i % N], edges[i / N % N], edges[i / N / N % N],
                         edges[i / N / N / N % N], edges[i / N / N / N / N] };

        check(b, 4);
        if (i % 7 == 0)
            check(b, 5);
    }
}
END_TEST

static size_t random_text(uint64_t *random, uint8_t *bytes, size_t max)
{
    static const char *const pieces[] = { "a",    "Ω",        "€",    "😀",      "\n",    "\\",
                                          "\xff", "\xc2\x80", "\x1b", "\u2028", "\u202e" };
    size_t n = 0, pieces_wanted = random_below(random, 40);

    for (size_t i = 0; i < pieces_wanted; i++) {
        const char *piece = pieces[random_below(random, ARRAY_SIZE(pieces))];

        if (n + strlen(piece) > max)
            break;
        memcpy(bytes + n, piece, strlen(piece));
        n += strlen(piece);
    }
    return n;
}

/* The end of the first character or escape at text. */
static size_t one_shown(const char *text, size_t n)
{
    if (text[0] != '\\')
        return rfc3629((const uint8_t *)text, n);
    return text[1] == 'x' ? 4 : 2;
}

static void check_cut(const uint8_t *bytes, size_t n, size_t capacity)
{
    char full[1024], *cut = malloc(capacity);
    size_t full_size = escape_text(bytes, n, full, sizeof full), size, kept, at = 0;

    ck_assert_ptr_nonnull(cut);
    size = escape_text(bytes, n, cut, capacity);
    if (full_size <= capacity) {
        ck_assert_uint_eq(size, full_size);
        ck_assert(memcmp(cut, full, size) == 0);
        free(cut);
        return;
    }
    ck_assert_uint_le(size, capacity);
    ck_assert_uint_ge(size, 3);
    kept = size - 3;
    ck_assert(memcmp(cut + kept, "…", 3) == 0);
    ck_assert(memcmp(cut, full, kept) == 0);
    while (at < kept)
        at += one_shown(full + at, full_size - at);
    ck_assert_msg(at == kept, "cut inside a character");
    ck_assert_msg(kept + one_shown(full + at, full_size - at) + 3 > capacity, "cut too short");
    free(cut);
}

START_TEST(cuts_between_characters)
{
    uint64_t random = 8;

    for (int i = 0; i < 500; i++) {
        uint8_t bytes[160];
        size_t n = random_text(&random, bytes, sizeof bytes);

        for (size_t capacity = 3; capacity < 4 * n + 3; capacity++)
            check_cut(bytes, n, capacity);
    }
}
END_TEST

START_TEST(escapes_what_a_terminal_would_act_on)
{
    const struct {
        const char *bytes, *text;
    } all[] = {
        { "", "" },
        { "plain text", "plain text" },
        { "Grüße, 世界 😀", "Grüße, 世界 😀" },
        { "a\nPRIORITY=0", "a\\nPRIORITY=0" },
        { "\x1b[2J", "\\x1b[2J" },
        { "C:\\dir", "C:\\\\dir" },
        { "tab\tcr\r", "tab\\tcr\\r" },
        { "\x7f\xc2\x9b", "\\x7f\\xc2\\x9b" },
        { "user\u202etxt.exe", "user\\xe2\\x80\\xaetxt.exe" },
        { "\u061c\u2066\u2029", "\\xd8\\x9c\\xe2\\x81\\xa6\\xe2\\x80\\xa9" },
        { "👩\u200d🚀 \u200c\u2027\u202f\u2065\u206a", "👩\u200d🚀 \u200c\u2027\u202f\u2065\u206a" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },
        { "\xc0\xaf", "\\xc0\\xaf" },
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        char text[100];
        size_t n =
            escape_text((const uint8_t *)all[i].bytes, strlen(all[i].bytes), text, sizeof text);

        ck_assert_uint_eq(n, strlen(all[i].text));
        ck_assert_mem_eq(text, all[i].text, n);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("escape");
    TCase *cases = tcase_create("escape");

    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_sequence_of_up_to_three_bytes);
    tcase_add_test(cases, edges_of_four_and_five_bytes);
    tcase_add_test(cases, cuts_between_characters);
    tcase_add_test(cases, escapes_what_a_terminal_would_act_on);
    suite_add_tcase(suite, cases);
    return suite;
}
