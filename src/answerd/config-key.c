/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-key.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/timer.h"
#include "protocol/proxy-header.h"

#define SIZE_LIMIT    (UINT64_C(256) * 1024 * 1024) /* of a message; of unsent replies */
#define WORKERS_LIMIT 1024
#define SEGMENT_MIN   (UINT64_C(64) * 1024)
#define SEGMENT_MAX   (UINT64_C(1) << 30)

/* Every message that MaxMessageSize= allows fits into a record of the log. */
_Static_assert(SIZE_LIMIT + LOG_RECORD_BESIDE <= LOG_RECORD_MAX, "SIZE_LIMIT");

static int refuse(const char **ret_expected, const char *expected)
{
    *ret_expected = expected;
    return -EINVAL;
}

static int read_count(const char *value, void *at, const char **ret_expected)
{
    uint64_t count = UINT64_MAX;
    int r = strcmp(value, "infinity") == 0 ? 0 : parse_u64(value, &count);

    if (r < 0 || count == 0)
        return refuse(ret_expected, "a number from 1, or infinity");
    *(uint64_t *)at = count;
    return 0;
}

static int read_workers(const char *value, void *at, const char **ret_expected)
{
    uint64_t count = 0;
    int r = strcmp(value, "auto") == 0 ? 0 : parse_u64(value, &count);

    if (r < 0 || count > WORKERS_LIMIT || (count == 0 && strcmp(value, "auto") != 0))
        return refuse(ret_expected, "a number from 1 to 1024, or auto");
    *(unsigned *)at = (unsigned)count;
    return 0;
}

static int read_size(const char *value, void *at, const char **ret_expected)
{
    uint64_t size;
    int r = parse_size(value, &size);

    if (r < 0 || size == 0 || size > SIZE_LIMIT)
        return refuse(ret_expected, "a size from 1 to 256M, like 64K");
    *(size_t *)at = size;
    return 0;
}

static int read_memory(const char *value, void *at, const char **ret_expected)
{
    uint64_t size = UINT64_MAX;
    int r = strcmp(value, "infinity") == 0 ? 0 : parse_size(value, &size);

    if (r < 0 || size == 0)
        return refuse(ret_expected, "a size like 64M, or infinity");
    *(uint64_t *)at = size;
    return 0;
}

/* Rounds up to milliseconds, the unit of timers. zero: the advice for a value of 0. */
static int take_span(const char *value, void *at, const char **ret_expected, const char *zero)
{
    uint64_t us;
    int r = parse_span(value, &us);

    if (r < 0)
        return refuse(ret_expected, "a time span like 500ms, 30s, 5min or infinity");
    if (us == 0)
        return refuse(ret_expected, zero);
    *(uint64_t *)at = us == SPAN_INFINITY ? TIMER_NEVER : DIV_ROUND_UP(us, UINT64_C(1000));
    return 0;
}

static int read_timeout(const char *value, void *at, const char **ret_expected)
{
    return take_span(value, at, ret_expected,
                     "a time span above 0; infinity switches this timeout off");
}

static int read_age(const char *value, void *at, const char **ret_expected)
{
    return take_span(value, at, ret_expected,
                     "a time span above 0; infinity keeps records of any age");
}

static int read_drain(const char *value, void *at, const char **ret_expected)
{
    return take_span(value, at, ret_expected,
                     "a time span above 0; 1ms is the shortest, infinity waits forever");
}

static int read_framing(const char *value, void *at, const char **ret_expected)
{
    if (framing_parse(value, at) == 0)
        return 0;
    return refuse(ret_expected, "line, length, netstring or chunk");
}

static int read_record(const char *value, void *at, const char **ret_expected)
{
    if (record_mode_parse(value, at) == 0)
        return 0;
    return refuse(ret_expected, "journal, log, stderr or none");
}

static int read_refuse(const char *value, void *at, const char **ret_expected)
{
    bool http = strcmp(value, "http") == 0;

    if (!http && strcmp(value, "none") != 0)
        return refuse(ret_expected, "http or none");
    *(bool *)at = http;
    return 0;
}

/* nothing: the word for no list. */
static int read_prefixes(const char *value, void *at, const char *nothing)
{
    struct prefix_list **list = at, *new = NULL;

    if (strcmp(value, nothing) != 0 && prefix_list_parse(value, &new) < 0)
        return -EINVAL;
    free(*list);
    *list = new;
    return 0;
}

#define ADDRESSES "addresses like 192.0.2.7 10.0.0.0/8 2001:db8::/32 unix"

static int read_allow(const char *value, void *at, const char **ret_expected)
{
    return read_prefixes(value, at, "any") < 0 ? refuse(ret_expected, "any, or " ADDRESSES) : 0;
}

static int read_others(const char *value, void *at, const char **ret_expected)
{
    return read_prefixes(value, at, "none") < 0 ? refuse(ret_expected, "none, or " ADDRESSES) : 0;
}

static int read_proxy(const char *value, void *at, const char **ret_expected)
{
    static const struct {
        const char *name;
        unsigned versions;
    } known[] = {
        { "off", 0 }, { "v1", PROXY_V1 }, { "v2", PROXY_V2 }, { "any", PROXY_V1 | PROXY_V2 }
    };

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (strcmp(value, known[i].name) == 0) {
            *(unsigned *)at = known[i].versions;
            return 0;
        }
    return refuse(ret_expected, "off, v1, v2 or any");
}

static int read_rate(const char *value, void *at, const char **ret_expected)
{
    uint64_t rate = 0;
    int r = strcmp(value, "infinity") == 0 ? 0 : parse_u64(value, &rate);

    if (r < 0 || rate > 1000000 || (rate == 0 && strcmp(value, "infinity") != 0))
        return refuse(ret_expected, "messages a second, from 1 to 1000000, or infinity");
    /* Rounded down: a second allows at least the rate asked for, and at most 1 in 1000 more. */
    *(uint64_t *)at = rate ? UINT64_C(1000000000) / rate : 0;
    return 0;
}

static int read_directory(const char *value, void *at, const char **ret_expected)
{
    char **directory = at, *copy = value[0] == '/' ? strdup(value) : NULL;

    if (!copy)
        return refuse(ret_expected, "an absolute path");
    free(*directory);
    *directory = copy;
    return 0;
}

static int read_segment_size(const char *value, void *at, const char **ret_expected)
{
    uint64_t size;
    int r = parse_size(value, &size);

    if (r < 0 || size < SEGMENT_MIN || size > SEGMENT_MAX)
        return refuse(ret_expected, "a size from 64K to 1G");
    *(uint64_t *)at = size;
    return 0;
}

static int read_keep_free(const char *value, void *at, const char **ret_expected)
{
    uint64_t size;

    if (parse_size(value, &size) < 0)
        return refuse(ret_expected, "a size like 1G, or 0");
    *(uint64_t *)at = size;
    return 0;
}

static int read_sync(const char *value, void *at, const char **ret_expected)
{
    if (strcmp(value, "always") == 0)
        *(uint64_t *)at = 0;
    else if (take_span(value, at, ret_expected, "") < 0 || *(uint64_t *)at == TIMER_NEVER)
        return refuse(ret_expected, "always, or a time span above 0, like 100ms");
    return 0;
}

static int read_when_full(const char *value, void *at, const char **ret_expected)
{
    bool wait = strcmp(value, "wait") == 0;

    if (!wait && strcmp(value, "rotate") != 0)
        return refuse(ret_expected, "rotate or wait");
    *(bool *)at = wait;
    return 0;
}

static int read_mirror(const char *value, void *at, const char **ret_expected)
{
    bool journal = strcmp(value, "journal") == 0;

    if (!journal && strcmp(value, "none") != 0)
        return refuse(ret_expected, "journal or none");
    *(bool *)at = journal;
    return 0;
}

/* Owns memory: a copy of the value replaces the text. */
static int replace(char **text, const char *value)
{
    char *copy = strdup(value);

    if (!copy)
        return -ENOMEM;
    free(*text);
    *text = copy;
    return 0;
}

static int read_text(const char *value, void *at, const char **ret_expected)
{
    return value[0] ? replace(at, value) : refuse(ret_expected, "a list of names");
}

#define PATH "a path with a slash"

/* A name without a slash is a credential's (systemd.exec(5), LoadCredential=). */
int config_find_file(const char *value, char **ret, const char **ret_expected)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    char *path;

    if (!value[0])
        return refuse(ret_expected, PATH ", or a credential's name");
    if (strchr(value, '/'))
        folder = NULL;
    else if (!folder)
        return refuse(ret_expected, PATH ", or a credential: $CREDENTIALS_DIRECTORY is not set; "
                                         "set it to the directory of the files");
    if (asprintf(&path, "%s%s%s", folder ?: "", folder ? "/" : "", value) < 0)
        return -ENOMEM;
    *ret = path;
    return 0;
}

static int read_file(const char *value, void *at, const char **ret_expected)
{
    char **path = at, *found = NULL;
    int r = strcmp(value, "none") == 0 ? 0 : config_find_file(value, &found, ret_expected);

    if (r < 0)
        return r;
    free(*path);
    *path = found;
    return 0;
}

/* Any name. It is looked up when all sections are known. */
static int read_section(const char *value, _unused_ void *at, const char **ret_expected)
{
    return value[0] ? 0 : refuse(ret_expected, "none, or the NAME of a [TLS NAME] section");
}

#define BETWEEN_NAMES " \t"
#define PROTOCOL_MAX  255 /* RFC 7301 */

/* The array and the names behind it are one allocation. */
static int read_protocols(const char *value, void *at, const char **ret_expected)
{
    size_t size = strlen(value) + 1, n = 0, longest = 0;
    char ***protocols = at, **all, *names;

    all = malloc((size / 2 + 2) * sizeof *all + size);
    if (!all)
        return -ENOMEM;
    names = memcpy(all + size / 2 + 2, value, size);
    for (char *name; (name = strtok_r(NULL, BETWEEN_NAMES, &names)); n++) {
        all[n] = name;
        longest = MAX(longest, strlen(name));
    }
    all[n] = NULL;
    if (n == 0 || longest > PROTOCOL_MAX) {
        free(all);
        return refuse(ret_expected, "none, or names of protocols of up to 255 bytes each");
    }
    free(*protocols);
    *protocols = all;
    if (n == 1 && strcmp(all[0], "none") == 0) {
        *protocols = NULL;
        free(all);
    }
    return 0;
}

/* names: for the values 0 and so on of an enum, then NULL. */
static int read_choice(const char *value, void *at, const char *const *names)
{
    for (int i = 0; names[i]; i++)
        if (strcmp(value, names[i]) == 0) {
            *(int *)at = i;
            return 0;
        }
    return -EINVAL;
}

static int read_client_certificate(const char *value, void *at, const char **ret_expected)
{
    static const char *const names[] = { [TLS_CLIENT_NONE] = "none",
                                         [TLS_CLIENT_REQUEST] = "request",
                                         [TLS_CLIENT_REQUIRE] = "require",
                                         NULL };

    return read_choice(value, at, names) < 0 ? refuse(ret_expected, "none, request or require") : 0;
}

static int read_identity(const char *value, void *at, const char **ret_expected)
{
    static const char *const names[] = {
        [TLS_IDENTITY_CN] = "cn",           [TLS_IDENTITY_DNS] = "san-dns",
        [TLS_IDENTITY_URI] = "san-uri",     [TLS_IDENTITY_EMAIL] = "san-email",
        [TLS_IDENTITY_SUBJECT] = "subject", NULL
    };

    if (read_choice(value, at, names) < 0)
        return refuse(ret_expected, "cn, san-dns, san-uri, san-email or subject");
    return 0;
}

static int read_version(const char *value, void *at, const char **ret_expected)
{
    static const char *const names[] = { [TLS_1_2] = "1.2", [TLS_1_3] = "1.3", NULL };

    return read_choice(value, at, names) < 0 ? refuse(ret_expected, "1.2 or 1.3") : 0;
}

const struct config_key config_server_keys[] = {
    { "DrainTimeout", "10s", offsetof(struct config, drain_ms), read_drain },
    { "MaxConnections", "what LimitNOFILE= allows", offsetof(struct config, max_connections),
      read_count },
    { "MaxConnectionsPerAddress", "infinity", offsetof(struct config, max_connections_per_address),
      read_count },
    { "MemoryLimit", "a quarter of the memory", offsetof(struct config, memory_limit),
      read_memory },
    { "Workers", "auto", offsetof(struct config, workers), read_workers },
    { NULL, NULL, 0, NULL },
};

const struct config_key config_listener_keys[] = {
    { "Allow", "any", offsetof(struct settings, allow), read_allow },
    { "Deny", "none", offsetof(struct settings, deny), read_others },
    { "Framing", "line", offsetof(struct settings, rules.framing), read_framing },
    { "IdleTimeout", "infinity", offsetof(struct settings, idle_ms), read_timeout },
    { "MaxMessageSize", "64K", offsetof(struct settings, rules.max_message), read_size },
    { "MessageTimeout", "30s", offsetof(struct settings, message_ms), read_timeout },
    { "OutputLimit", "256K", offsetof(struct settings, output_limit), read_size },
    { "Proxy", "off", offsetof(struct settings, proxy), read_proxy },
    { "ProxyFrom", "none", offsetof(struct settings, proxy_from), read_others },
    { "RateLimit", "infinity", offsetof(struct settings, rules.message_cost_ns), read_rate },
    { "Record", "journal", offsetof(struct settings, record), read_record },
    { "Refuse", "none", offsetof(struct settings, rules.refuse_http), read_refuse },
    { "TLS", "none", 0, read_section },
    { "WriteTimeout", "30s", offsetof(struct settings, write_ms), read_timeout },
    { NULL, NULL, 0, NULL },
};

const struct config_key config_log_keys[] = {
    { "Directory", LOG_DIRECTORY, offsetof(struct log_settings, directory), read_directory },
    { "KeepFree", "a seventh of the disk, at most 4G", offsetof(struct log_settings, keep_free),
      read_keep_free },
    { "MaxAge", "infinity", offsetof(struct log_settings, max_age_ms), read_age },
    { "MaxUse", "a tenth of the disk, at most 4G", offsetof(struct log_settings, max_use),
      read_memory },
    { "Mirror", "journal", offsetof(struct log_settings, mirror), read_mirror },
    { "SegmentSize", "64M", offsetof(struct log_settings, segment_size), read_segment_size },
    { "Sync", "always", offsetof(struct log_settings, sync_ms), read_sync },
    { "WhenFull", "rotate", offsetof(struct log_settings, wait), read_when_full },
    { NULL, NULL, 0, NULL },
};

const struct config_key config_tls_keys[] = {
    { "ALPN", "none", offsetof(struct tls_settings, alpn), read_protocols },
    { "CipherSuites", "those of OpenSSL", offsetof(struct tls_settings, cipher_suites), read_text },
    { "Ciphers", TLS_CIPHERS, offsetof(struct tls_settings, ciphers), read_text },
    { "ClientCA", "none", offsetof(struct tls_settings, client_ca), read_file },
    { "ClientCertificate", "require with ClientCA=, otherwise none",
      offsetof(struct tls_settings, client_certificate), read_client_certificate },
    { "Groups", "those of OpenSSL", offsetof(struct tls_settings, groups), read_text },
    { "HandshakeTimeout", "10s", offsetof(struct tls_settings, handshake_ms), read_timeout },
    { "Identity", "cn", offsetof(struct tls_settings, identity), read_identity },
    { "MaxHandshakes", "4096", offsetof(struct tls_settings, max_handshakes), read_count },
    { "MinVersion", "1.2", offsetof(struct tls_settings, min_version), read_version },
    { "Revoked", "none", offsetof(struct tls_settings, revoked), read_file },
    { NULL, NULL, 0, NULL },
};

const struct config_key *config_key_find(const struct config_key *keys, const char *name)
{
    for (; keys->name; keys++)
        if (strcmp(keys->name, name) == 0)
            return keys;
    return NULL;
}
