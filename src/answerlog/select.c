/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "answerlog/select.h"
#include "base/macros.h"
#include "base/parse.h"

#define RUN_DIGITS 16

void select_init(struct select *s)
{
    *s = (struct select){ .scope = READER_SCOPE_ALL };
}

void select_deinit(struct select *s)
{
    if (s->pattern)
        regfree(&s->regex);
    s->pattern = NULL;
}

static int parse_run(const char *text, uint64_t *ret)
{
    uint64_t run = 0;

    for (int i = 0; i < RUN_DIGITS; i++) {
        const char *digits = "0123456789abcdef", *digit = text[i] ? strchr(digits, text[i]) : NULL;

        if (!digit)
            return -EINVAL;
        run = run << 4 | (uint64_t)(digit - digits);
    }
    *ret = run;
    return 0;
}

int select_id(struct select *s, const char *id)
{
    char connection[32];
    uint64_t seq;
    size_t n;

    if (parse_run(id, &s->scope.run) < 0 || id[RUN_DIGITS] != '-')
        return -EINVAL;
    n = strcspn(id + RUN_DIGITS + 1, "-");
    if (n >= sizeof connection)
        return -EINVAL;
    memcpy(connection, id + RUN_DIGITS + 1, n);
    connection[n] = '\0';
    if (id[RUN_DIGITS + 1 + n] != '-' || parse_u64(connection, &s->scope.connection) < 0 ||
        parse_u64(id + RUN_DIGITS + 1 + n + 1, &seq) < 0)
        return -EINVAL;
    s->scope.by_connection = true;
    s->id = id;
    return 0;
}

bool select_is_peer(const char *text)
{
    const char *port = strrchr(text, ':');
    char host[INET6_ADDRSTRLEN] = "";
    struct in6_addr address;
    size_t n;

    if (strncmp(text, "pid=", 4) == 0 || inet_pton(AF_INET, text, &address) == 1 ||
        inet_pton(AF_INET6, text, &address) == 1)
        return true;
    n = port ? (size_t)(port - text) : 0;
    if (text[0] == '[' && n > 1 && text[n - 1] == ']') {
        text++;
        n -= 2;
    }
    if (n == 0 || n >= sizeof host || !port[1] ||
        strspn(port + 1, "0123456789") != strlen(port + 1))
        return false;
    memcpy(host, text, n);
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

int select_pattern(struct select *s, const char *pattern, char *reason, size_t size)
{
    int r = regcomp(&s->regex, pattern, REG_EXTENDED | REG_NOSUB);

    if (r != 0) {
        (void)regerror(r, &s->regex, reason, size);
        return -EINVAL;
    }
    s->pattern = pattern;
    return 0;
}

bool select_is_given(const struct select *s)
{
    return s->id || s->peer || s->listener || s->identity || s->pattern || s->scope.since_us > 0 ||
           s->scope.until_us < UINT64_MAX;
}

/* REG_STARTEND: the bytes may hold NUL, and no copy is needed. It counts in int. */
static bool matches_pattern(const struct select *s, const struct record *record)
{
    regmatch_t range = { .rm_so = 0, .rm_eo = (regoff_t)MIN(record->size, (size_t)INT_MAX) };

    return regexec(&s->regex, (const char *)record->data, 1, &range, REG_STARTEND) == 0;
}

/* The peer is given with or without its port. */
static bool is_peer(const char *peer, const struct record *record)
{
    return strcmp(peer, record->peer) == 0 || strcmp(peer, record->peer_name) == 0;
}

static bool is_identity(const char *identity, const struct record *record)
{
    return record->origin && strcmp(identity, record->origin->identity) == 0;
}

bool select_matches(const struct select *s, const struct log_item *item)
{
    return item->time_us >= s->scope.since_us && item->time_us <= s->scope.until_us &&
           (!s->id || strcmp(s->id, item->record.id) == 0) &&
           (!s->peer || is_peer(s->peer, &item->record)) &&
           (!s->listener || strcmp(s->listener, item->record.listener) == 0) &&
           (!s->identity || is_identity(s->identity, &item->record)) &&
           (!s->pattern || matches_pattern(s, &item->record));
}
