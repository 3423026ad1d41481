/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ask-bench/format.h"
#include "base/macros.h"

/* Three significant digits, or all digits before the point. */
static void format_scaled(double n, const char *unit, char text[static FORMAT_MAX])
{
    int decimals = n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2;

    (void)snprintf(text, FORMAT_MAX, "%.*f %s", decimals, n, unit);
}

char *format_time(double ns, char text[static FORMAT_MAX])
{
    if (ns < 999.5)
        (void)snprintf(text, FORMAT_MAX, "%.0f ns", ns);
    else if (ns < 999.5e3)
        format_scaled(ns / 1e3, "µs", text);
    else if (ns < 999.5e6)
        format_scaled(ns / 1e6, "ms", text);
    else
        format_scaled(ns / 1e9, "s", text);
    return text;
}

char *format_round_time(double ns, char text[static FORMAT_MAX])
{
    static const char *const units[] = { "ns", "µs", "ms", "s" };
    size_t i = 0;

    for (; ns >= 999.5 && i + 1 < ARRAY_SIZE(units); i++)
        ns /= 1000;
    (void)snprintf(text, FORMAT_MAX, "%g %s", ns, units[i]);
    return text;
}

char *format_count(double n, char text[static FORMAT_MAX])
{
    char digits[FORMAT_MAX];
    size_t length, at = 0;

    (void)snprintf(digits, sizeof digits, "%" PRIu64, (uint64_t)llround(n));
    length = strlen(digits);
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

char *format_bytes(double n, char text[static FORMAT_MAX])
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    size_t i = 0;

    for (; n >= 1023.5 && i + 1 < ARRAY_SIZE(units); i++)
        n /= 1024;
    if (i == 0)
        (void)snprintf(text, FORMAT_MAX, "%.0f B", n);
    else
        format_scaled(n, units[i], text);
    return text;
}
