/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <string.h>

#include "base/macros.h"
#include "protocol/opening.h"
#include "protocol/proxy-header.h"

#define BLANK_LINES  4    /* bytes of the version 2 signature that look like empty lines */
#define HTTP_LOOK    8192 /* a request line must end within so many bytes */
#define TLS_LOOK     6    /* type, version, length of the record; type of the handshake message */
#define TLS_TELLS    3
#define TLS_SIZE_MAX 0x4000 /* RFC 8446, 5.1 */

/* Whether no message can begin like another protocol. Then the bytes can be held back. */
static bool is_unmistakable(enum framing framing)
{
    return framing == FRAMING_LENGTH || framing == FRAMING_NETSTRING;
}

/* The first bytes of the header may already have been taken as empty lines. */
static int look_for_proxy_v2(enum framing framing, size_t before, const uint8_t *in, size_t n)
{
    size_t some = MIN(n, sizeof proxy_signature - before);

    if (memcmp(in, proxy_signature + before, some) != 0)
        return 0;
    if (before + some == sizeof proxy_signature)
        return -FRAME_PROXY;
    return before + some > BLANK_LINES || is_unmistakable(framing) ? OPENING_UNDECIDED : 0;
}

/* What follows the first words, up to the end of the line. */
static int look_for_proxy_line(const uint8_t *in, size_t n, size_t words)
{
    const uint8_t *lf = memchr(in, '\n', MIN(n, (size_t)OPENING_SIZE_MAX));

    if (in[words - 1] != ' ' && n > words && in[words] != ' ' && in[words] != '\r')
        return 0;
    if (lf)
        return lf[-1] == '\r' ? -FRAME_PROXY : 0;
    return n < OPENING_SIZE_MAX ? OPENING_UNDECIDED : 0;
}

static int look_for_proxy_v1(enum framing framing, const uint8_t *in, size_t n)
{
    static const char *const words[] = { "PROXY TCP4 ", "PROXY TCP6 ", "PROXY UNKNOWN" };

    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t size = strlen(words[i]);

        if (memcmp(in, words[i], MIN(n, size)) != 0)
            continue;
        if (n >= size)
            return look_for_proxy_line(in, n, size);
        return framing == FRAMING_CHUNK ? 0 : OPENING_UNDECIDED;
    }
    return 0;
}

static int look_for_tls(enum framing framing, const uint8_t *in, size_t n)
{
    size_t size = n >= 5 ? (size_t)(in[3] << 8 | in[4]) : TLS_SIZE_MAX;

    if (in[0] != 0x16 || (n > 1 && in[1] != 3) || (n > 2 && in[2] > 4) ||
        (n > 3 && in[3] > TLS_SIZE_MAX >> 8) || size < 4 || size > TLS_SIZE_MAX ||
        (n >= TLS_LOOK && in[5] != 1))
        return 0;
    if (n >= TLS_LOOK)
        return -FRAME_TLS;
    return n >= TLS_TELLS || is_unmistakable(framing) ? OPENING_UNDECIDED : 0;
}

/* RFC 9110, 5.6.2 */
static bool is_token(uint8_t c)
{
    return isalnum(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

/* The methods of RFC 9110, and PATCH. A line with one of these and a path is a request even if it
 * names no version. */
static bool is_known_method(const uint8_t *in, size_t n)
{
    static const char *const methods[] = { "GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                           "CONNECT", "OPTIONS", "TRACE", "PATCH" };

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strlen(methods[i]) == n && memcmp(methods[i], in, n) == 0)
            return true;
    return false;
}

static bool is_version(const uint8_t *in, size_t n)
{
    return n == strlen("HTTP/1.1") && memcmp(in, "HTTP/", 5) == 0 && isdigit(in[5]) &&
           in[6] == '.' && isdigit(in[7]);
}

/* METHOD SP TARGET [SP VERSION]. whole: the line is complete. */
static bool is_request(const uint8_t *line, size_t n, bool whole)
{
    size_t method = 0, target;
    bool path;

    while (method < n && is_token(line[method]))
        method++;
    if (method == 0 || n < method + 2 || line[method] != ' ')
        return false;
    path = is_known_method(line, method) && line[method + 1] == '/';
    if (!whole)
        return path;
    for (target = method + 1; target < n && line[target] > ' ';)
        target++;
    if (target == n)
        return path;
    return target > method + 1 && line[target] == ' ' &&
           is_version(line + target + 1, n - target - 1);
}

/* An incomplete line is not a message yet, so nothing needs to be held back. */
static int look_for_http(size_t max, const uint8_t *in, size_t n, bool eof)
{
    const uint8_t *lf = memchr(in, '\n', MIN(n, (size_t)HTTP_LOOK));
    size_t size = lf ? (size_t)(lf - in) : n;

    if (!lf && n >= HTTP_LOOK)
        return max >= HTTP_LOOK && is_request(in, HTTP_LOOK, false) ? -FRAME_HTTP : 0;
    if (!lf && !eof)
        return 0;
    if (size > 0 && lf && in[size - 1] == '\r')
        size--;
    return size <= max && is_request(in, size, true) ? -FRAME_HTTP : 0;
}

int opening_check(enum framing framing, size_t http_max, uint64_t taken, const uint8_t *in,
                  size_t n, bool eof)
{
    int r;

    if (n == 0 || taken > OPENING_TAKEN || (taken > 0 && framing != FRAMING_LINE))
        return 0;
    r = look_for_proxy_v2(framing, 2 * (size_t)taken, in, n);
    if (r == 0 && taken == 0)
        r = look_for_proxy_v1(framing, in, n);
    if (r == 0 && taken == 0)
        r = look_for_tls(framing, in, n);
    if (r == 0 && taken == 0 && http_max > 0 && framing == FRAMING_LINE)
        r = look_for_http(http_max, in, n, eof);
    return r == OPENING_UNDECIDED && eof ? 0 : r;
}
