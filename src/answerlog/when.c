/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "answerlog/when.h"
#include "base/macros.h"
#include "base/parse.h"

#define SECOND_US UINT64_C(1000000)
#define TEXT_MAX  128

/* --- from now ------------------------------------------------------------------------------- */

/* The start of the day that is so many days from now. */
static int midnight(int days, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / SECOND_US), t;
    struct tm tm;

    if (!localtime_r(&now, &tm))
        return -EINVAL;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    tm.tm_mday += days;
    tm.tm_isdst = -1;
    t = mktime(&tm);
    if (t < 0)
        return -EINVAL;
    *ret_us = (uint64_t)t * SECOND_US;
    return 0;
}

static int by_name(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    if (strcmp(text, "now") == 0) {
        *ret_us = now_us;
        return 0;
    }
    if (strcmp(text, "today") == 0)
        return midnight(0, now_us, ret_us);
    if (strcmp(text, "yesterday") == 0)
        return midnight(-1, now_us, ret_us);
    if (strcmp(text, "tomorrow") == 0)
        return midnight(1, now_us, ret_us);
    return -EINVAL;
}

/* -SPAN, +SPAN, SPAN ago */
static int by_span(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    bool after = text[0] == '+', before = text[0] == '-';
    char span[TEXT_MAX];
    uint64_t us;
    size_t n;

    (void)memccpy(span, text + (after || before), '\0', sizeof span);
    n = strlen(span);
    if (!after && !before) {
        if (n < 4 || strcmp(span + n - 4, " ago") != 0)
            return -EINVAL;
        span[n - 4] = '\0';
    }
    if (parse_span(span, &us) < 0 || us == SPAN_INFINITY ||
        (after ? us > UINT64_MAX - now_us : us > now_us))
        return -EINVAL;
    *ret_us = after ? now_us + us : now_us - us;
    return 0;
}

/* --- by the calendar ------------------------------------------------------------------------ */

/* So many digits: their value, and *p behind them; -1: there are fewer. */
static int digits(const char **p, int n)
{
    int value = 0;

    for (int i = 0; i < n; i++) {
        if (!isdigit((unsigned char)(*p)[i]))
            return -1;
        value = 10 * value + (*p)[i] - '0';
    }
    *p += n;
    return value;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    (*p)++;
    return true;
}

static bool parse_date(const char **p, struct tm *tm)
{
    int year = digits(p, 4), month = skip(p, '-') ? digits(p, 2) : -1,
        day = skip(p, '-') ? digits(p, 2) : -1;

    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31)
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

/* Up to six digits; more are dropped. */
static uint64_t parse_fraction(const char **p)
{
    uint64_t us = 0;

    for (uint64_t unit = SECOND_US / 10; isdigit((unsigned char)**p); (*p)++, unit /= 10)
        us += unit * (uint64_t)(**p - '0');
    return us;
}

static bool parse_clock(const char **p, struct tm *tm, uint64_t *ret_us)
{
    int hour = digits(p, 2), minute = skip(p, ':') ? digits(p, 2) : -1, second = 0;

    if (skip(p, ':')) {
        second = digits(p, 2);
        if (skip(p, '.'))
            *ret_us = parse_fraction(p);
    }
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60)
        return false;
    tm->tm_hour = hour;
    tm->tm_min = minute;
    tm->tm_sec = second;
    return true;
}

/* "", UTC, Z, +HHMM or -HH:MM: minutes east of UTC. */
static bool parse_zone(const char *p, bool *ret_local, int *ret_minutes)
{
    int sign, hours, minutes;

    *ret_local = *p == '\0';
    *ret_minutes = 0;
    if (*ret_local)
        return true;
    p += *p == ' ';
    if (strcmp(p, "UTC") == 0 || strcmp(p, "Z") == 0)
        return true;
    if (*p != '+' && *p != '-')
        return false;
    sign = *p++ == '-' ? -1 : 1;
    hours = digits(&p, 2);
    (void)skip(&p, ':');
    minutes = digits(&p, 2);
    *ret_minutes = sign * (60 * hours + minutes);
    return hours >= 0 && hours <= 14 && minutes >= 0 && minutes <= 59 && *p == '\0';
}

/* Whether the calendar has this day: mktime() makes the 2nd of March of the 30th of February. */
static bool exists(const struct tm *asked)
{
    struct tm tm = { .tm_year = asked->tm_year,
                     .tm_mon = asked->tm_mon,
                     .tm_mday = asked->tm_mday };

    return timegm(&tm) >= 0 && tm.tm_mday == asked->tm_mday;
}

static int by_calendar(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    time_t now = (time_t)(now_us / SECOND_US), t;
    bool has_date = strchr(text, '-') == text + 4, local;
    uint64_t us = 0;
    struct tm tm;
    int minutes;

    if (!localtime_r(&now, &tm))
        return -EINVAL;
    tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
    if (has_date && !parse_date(&text, &tm))
        return -EINVAL;
    if (!has_date || (*text == 'T' && isdigit((unsigned char)text[1])) ||
        (*text == ' ' && isdigit((unsigned char)text[1]))) {
        text += has_date;
        if (!parse_clock(&text, &tm, &us))
            return -EINVAL;
    } else if (*text != '\0' && *text != ' ') {
        return -EINVAL;
    }
    if (!parse_zone(text, &local, &minutes) || !exists(&tm))
        return -EINVAL;
    tm.tm_isdst = -1;
    t = local ? mktime(&tm) : timegm(&tm) - 60 * minutes;
    if (t < 0)
        return -EINVAL;
    *ret_us = (uint64_t)t * SECOND_US + us;
    return 0;
}

static int by_seconds(const char *text, uint64_t *ret_us)
{
    const char *p = text + strcspn(text, ".");
    char whole[TEXT_MAX];
    uint64_t seconds, us = 0;

    memcpy(whole, text, (size_t)(p - text));
    whole[p - text] = '\0';
    if (parse_u64(whole, &seconds) < 0 || seconds > UINT64_MAX / SECOND_US - 1)
        return -EINVAL;
    if (skip(&p, '.')) {
        if (!isdigit((unsigned char)*p))
            return -EINVAL;
        us = parse_fraction(&p);
    }
    if (*p != '\0')
        return -EINVAL;
    *ret_us = seconds * SECOND_US + us;
    return 0;
}

int when_parse(const char *text, uint64_t now_us, uint64_t *ret_us)
{
    if (strlen(text) >= TEXT_MAX)
        return -EINVAL;
    if (text[0] == '@')
        return by_seconds(text + 1, ret_us);
    if (by_name(text, now_us, ret_us) == 0 || by_span(text, now_us, ret_us) == 0)
        return 0;
    return by_calendar(text, now_us, ret_us);
}
