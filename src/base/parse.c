/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/parse.h"

#define USEC_PER_SEC UINT64_C(1000000)

/* Reads digits at *p and moves *p past them, even on -ERANGE (too many digits). */
static int take_digits(const char **p, uint64_t *ret)
{
    const char *s = *p;
    uint64_t value = 0;
    bool overflow = false;

    if (!isdigit((unsigned char)*s))
        return -EINVAL;
    for (; isdigit((unsigned char)*s); s++)
        overflow |= __builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t)(*s - '0'), &value);
    *p = s;
    if (overflow)
        return -ERANGE;
    *ret = value;
    return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
    uint64_t value;
    int r = take_digits(&text, &value);

    if (r == -EINVAL || *text)
        return -EINVAL;
    if (r < 0)
        return r;
    *ret = value;
    return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
    static const char prefixes[] = "KMGkmg";
    const char *prefix = NULL;
    uint64_t value;
    int r = take_digits(&text, &value);

    if (r == -EINVAL)
        return r;
    if (*text) {
        prefix = strchr(prefixes, *text);
        if (!prefix || text[1])
            return -EINVAL;
    }
    if (r < 0)
        return r;
    if (prefix &&
        __builtin_mul_overflow(value, UINT64_C(1024) << 10 * ((prefix - prefixes) % 3), &value))
        return -ERANGE;
    *ret = value;
    return 0;
}

static const struct unit {
    const char *name;
    uint64_t us;
} units[] = {
    { "us", 1 },
    { "usec", 1 },
    { "µs", 1 },
    { "ms", 1000 },
    { "msec", 1000 },
    { "s", USEC_PER_SEC },
    { "sec", USEC_PER_SEC },
    { "second", USEC_PER_SEC },
    { "seconds", USEC_PER_SEC },
    { "m", 60 * USEC_PER_SEC },
    { "min", 60 * USEC_PER_SEC },
    { "minute", 60 * USEC_PER_SEC },
    { "minutes", 60 * USEC_PER_SEC },
    { "h", 3600 * USEC_PER_SEC },
    { "hr", 3600 * USEC_PER_SEC },
    { "hour", 3600 * USEC_PER_SEC },
    { "hours", 3600 * USEC_PER_SEC },
    { "d", 86400 * USEC_PER_SEC },
    { "day", 86400 * USEC_PER_SEC },
    { "days", 86400 * USEC_PER_SEC },
    { "w", 604800 * USEC_PER_SEC },
    { "week", 604800 * USEC_PER_SEC },
    { "weeks", 604800 * USEC_PER_SEC },
    { "M", UINT64_C(2629800) * USEC_PER_SEC },
    { "month", UINT64_C(2629800) * USEC_PER_SEC },
    { "months", UINT64_C(2629800) * USEC_PER_SEC },
    { "y", UINT64_C(31557600) * USEC_PER_SEC },
    { "year", UINT64_C(31557600) * USEC_PER_SEC },
    { "years", UINT64_C(31557600) * USEC_PER_SEC },
};

static int take_unit(const char **p, uint64_t *ret_us)
{
    size_t n = strcspn(*p, " 0123456789.");

    if (n == 0) {
        *ret_us = USEC_PER_SEC;
        return 0;
    }
    for (size_t i = 0; i < ARRAY_SIZE(units); i++)
        if (strlen(units[i].name) == n && memcmp(units[i].name, *p, n) == 0) {
            *p += n;
            *ret_us = units[i].us;
            return 0;
        }
    return -EINVAL;
}

/* The digits after a decimal point at *p, as a fraction of unit `us`. */
static int take_fraction(const char **p, const char **digits, size_t *n)
{
    if (**p != '.') {
        *n = 0;
        return 0;
    }
    *digits = ++*p;
    *n = strspn(*p, "0123456789");
    *p += *n;
    return *n > 0 ? 0 : -EINVAL;
}

/* Reads one number and its unit at *p, in µs, and moves *p past them, even on -ERANGE. So the rest
 * of the text is still checked. */
static int take_span(const char **p, uint64_t *ret_us)
{
    const char *digits = NULL, *end;
    uint64_t value, unit, us;
    size_t n_digits;
    int number, r;

    number = take_digits(p, &value);
    if (number == -EINVAL)
        return number;
    r = take_fraction(p, &digits, &n_digits);
    if (r < 0)
        return r;
    end = *p;
    *p += strspn(*p, " ");
    if (!**p && *p != end)
        return -EINVAL;
    r = take_unit(p, &unit);
    if (r < 0)
        return r;
    if (number < 0 || __builtin_mul_overflow(value, unit, &us))
        return -ERANGE;
    for (size_t i = 0; i < n_digits && unit > 0; i++, unit /= 10)
        if (__builtin_add_overflow(us, (uint64_t)(digits[i] - '0') * unit / 10, &us))
            return -ERANGE;
    *ret_us = us;
    return 0;
}

int parse_span(const char *text, uint64_t *ret_us)
{
    uint64_t sum = 0;
    bool overflow = false;

    if (strcmp(text, "infinity") == 0) {
        *ret_us = SPAN_INFINITY;
        return 0;
    }

    do {
        uint64_t us = 0;
        const char *end;
        int r;

        r = take_span(&text, &us);
        if (r == -EINVAL)
            return r;
        overflow |= r < 0 || __builtin_add_overflow(sum, us, &sum);
        end = text;
        text += strspn(text, " ");
        if (!*text && text != end)
            return -EINVAL;
    } while (*text);

    if (overflow || sum == SPAN_INFINITY)
        return -ERANGE;
    *ret_us = sum;
    return 0;
}

char *format_span(uint64_t us, char text[static SPAN_TEXT_MAX])
{
    static const struct unit exact[] = {
        { "d", 86400 * USEC_PER_SEC },
        { "h", 3600 * USEC_PER_SEC },
        { "min", 60 * USEC_PER_SEC },
        { "s", USEC_PER_SEC },
        { "ms", 1000 },
        { "us", 1 },
    };

    if (us == SPAN_INFINITY)
        return strcpy(text, "infinity");
    for (size_t i = 0; i < ARRAY_SIZE(exact); i++)
        if (us >= exact[i].us && us % exact[i].us == 0) {
            (void)snprintf(text, SPAN_TEXT_MAX, "%" PRIu64 "%s", us / exact[i].us, exact[i].name);
            return text;
        }
    return strcpy(text, "0");
}
