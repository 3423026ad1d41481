/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ask-bench/message.h"
#include "ask-bench/options.h"
#include "base/command-line.h"
#include "base/escape.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/print.h"
#include "base/version.h"

#ifdef HAVE_JANSSON
#define WITH_JANSSON "+jansson"
#else
#define WITH_JANSSON       "-jansson"
#define BUILT_WITH_JANSSON "no jansson"
#endif

#ifdef HAVE_OPENSSL
#define WITH_OPENSSL " +openssl"
#else
#define WITH_OPENSSL       " -openssl"
#define BUILT_WITH_OPENSSL "no openssl"
#endif

#define DEFAULT_CONNECTIONS 50
#define DEFAULT_DURATION_US UINT64_C(10000000)
#define DEFAULT_SIZE        16
#define DEFAULT_TIMEOUT_US  UINT64_C(10000000)
#define PIPELINE_MAX        65536
#define PIPELINE_BYTES_MAX  (UINT64_C(256) * 1024 * 1024)
#define RATE_MAX            10000000

static const char usage[] =
    "Usage: ask-bench [OPTION…] ADDRESS\n"
    "Load-test a message server with many clients, and report the results.\n"
    "\n"
    "  -c, --connections=N     concurrent connections (50; up to 1000000)\n"
    "  -d, --duration=SPAN     length of the run, once all are connected (10s)\n"
    "  -n, --messages=N        total number of messages, instead of a duration\n"
    "  -p, --pipeline=N        messages in flight on each connection (1)\n"
    "  -s, --size=BYTES        size of a message (16)\n"
    "  -m, --message=TEXT      text to send as every message\n"
    "  -f, --framing=NAME      line (default), length, netstring or chunk\n"
    "  -r, --rate=N            total messages a second, on a schedule (open loop)\n"
    "  -t, --timeout=SPAN      time limit for connecting and for each reply (10s)\n"
    "      --verify=WHAT       frames (default), or echo: replies repeat the messages\n"
    "      --expect=REGEX      count replies that do not match as errors\n"
    "      --ramp=N            open N connections a second\n"
    "      --hold              connect, send one message, then stay idle;\n"
    "                          with -n N: send N times\n"
    "      --churn             open a new connection for every message\n"
    "      --source=ADDR[-ADDR]\n"
    "                          local addresses to connect from\n"
    "      --tls               connect with TLS\n"
    "      --ca=FILE           trust these certificates, not those of the system\n"
    "      --cert=FILE         the client's certificate\n"
    "      --key=FILE          its key, if it is in a file of its own\n"
    "      --sni=NAME          name of the server in its certificate\n"
    "      --insecure          do not verify the server's certificate\n"
    "      --tls-resume        make short handshakes after the first connection\n"
    "  -w, --workers=N         number of processes that share the work\n"
    "      --json=FILE         write the result as JSON (- for standard output)\n"
    "      --report=FILE       write the result as an HTML page\n"
    "      --histogram=FILE    write the latencies in HdrHistogram's format\n"
    "      --assert=EXPR       fail unless EXPR holds, as in 'p99<5ms' or 'errors==0'\n"
    "      --progress          report progress once a second, even without a terminal\n"
    "      --check-tcp         do not run; list the limits that would stop the run\n"
    "  -h, --help              show this help\n"
    "  -V, --version           show the version\n"
    "\n"
    "ADDRESS is HOST:PORT, :PORT, [V6]:PORT, /path, unix:/path or @abstract.\n"
    "See ask-bench(1).\n";

enum {
    OPT_RAMP = 256,
    OPT_HOLD,
    OPT_CHURN,
    OPT_SOURCE,
    OPT_JSON,
    OPT_REPORT,
    OPT_CHECK_TCP,
    OPT_HISTOGRAM,
    OPT_ASSERT,
    OPT_VERIFY,
    OPT_PROGRESS,
    OPT_EXPECT,
    OPT_TLS,
    OPT_CA,
    OPT_CERT,
    OPT_KEY,
    OPT_SNI,
    OPT_INSECURE,
    OPT_TLS_RESUME,
};

static const struct option long_options[] = {
    { "connections", required_argument, NULL, 'c' },
    { "duration", required_argument, NULL, 'd' },
    { "messages", required_argument, NULL, 'n' },
    { "pipeline", required_argument, NULL, 'p' },
    { "size", required_argument, NULL, 's' },
    { "message", required_argument, NULL, 'm' },
    { "framing", required_argument, NULL, 'f' },
    { "rate", required_argument, NULL, 'r' },
    { "timeout", required_argument, NULL, 't' },
    { "workers", required_argument, NULL, 'w' },
    { "verify", required_argument, NULL, OPT_VERIFY },
    { "expect", required_argument, NULL, OPT_EXPECT },
    { "ramp", required_argument, NULL, OPT_RAMP },
    { "hold", no_argument, NULL, OPT_HOLD },
    { "churn", no_argument, NULL, OPT_CHURN },
    { "source", required_argument, NULL, OPT_SOURCE },
    { "tls", no_argument, NULL, OPT_TLS },
    { "ca", required_argument, NULL, OPT_CA },
    { "cert", required_argument, NULL, OPT_CERT },
    { "key", required_argument, NULL, OPT_KEY },
    { "sni", required_argument, NULL, OPT_SNI },
    { "insecure", no_argument, NULL, OPT_INSECURE },
    { "tls-resume", no_argument, NULL, OPT_TLS_RESUME },
    { "json", required_argument, NULL, OPT_JSON },
    { "report", required_argument, NULL, OPT_REPORT },
    { "check-tcp", no_argument, NULL, OPT_CHECK_TCP },
    { "histogram", required_argument, NULL, OPT_HISTOGRAM },
    { "assert", required_argument, NULL, OPT_ASSERT },
    { "progress", no_argument, NULL, OPT_PROGRESS },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { 0 },
};

static int _printf_(1, 2) complain(const char *format, ...)
{
    va_list args;

    (void)fputs("ask-bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputs(". Try --help.\n", stderr);
    return -EINVAL;
}

static int number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value;

    if (parse_u64(text, &value) < 0 || value < min || value > max)
        return complain("--%s takes a number from %" PRIu64 " to %" PRIu64 ", not '%s'", name, min,
                        max, text);
    *ret = value;
    return 0;
}

static int span(const char *name, const char *text, bool infinity, uint64_t *ret)
{
    uint64_t value;

    if (parse_span(text, &value) < 0 || value == 0 || (value == SPAN_INFINITY && !infinity))
        return complain("--%s takes a time span such as 500ms, 30s or 5min, not '%s'", name, text);
    *ret = value;
    return 0;
}

static int size_option(const char *text, uint64_t *ret)
{
    uint64_t value;

    if (parse_size(text, &value) < 0 || value > MESSAGE_SIZE_MAX)
        return complain("--size takes up to 16M bytes, not '%s'", text);
    *ret = value;
    return 0;
}

static int assert_option(struct options *o, const char *text)
{
    const char *error;

    if (o->n_assertions == ARRAY_SIZE(o->assertions))
        return complain("--assert may be given at most %d times", ASSERTIONS_MAX);
    if (assertion_parse(text, &o->assertions[o->n_assertions], &error) < 0)
        return complain("--assert='%s': %s", text, error);
    o->n_assertions++;
    return 0;
}

static int verify_option(struct options *o, const char *text)
{
    o->verify_echo = strcmp(text, "echo") == 0;
    if (!o->verify_echo && strcmp(text, "frames") != 0)
        return complain("--verify takes frames or echo, not '%s'", text);
    return 0;
}

static int expect_option(struct options *o, const char *text)
{
    char reason[256];
    int r;

    if (o->expect_text)
        return complain("--expect may be given only once");
    r = regcomp(&o->expect, text, REG_EXTENDED);
    if (r != 0) {
        (void)regerror(r, &o->expect, reason, sizeof reason);
        return complain("--expect='%s': %s", text, reason);
    }
    o->expect_text = text;
    return 0;
}

static int source_option(struct options *o, const char *text)
{
    const char *error;

    if (sources_parse(text, &o->sources, &error) < 0)
        return complain("--source=%s: %s", text, error);
    return 0;
}

static int json_option(struct options *o, const char *text)
{
#ifdef HAVE_JANSSON
    o->json = text;
    return 0;
#else
    (void)o;
    (void)text;
    return complain("--json: this ask-bench was built without JSON");
#endif
}

static int tls_option(struct options *o)
{
#ifdef HAVE_OPENSSL
    o->tls = true;
    return 0;
#else
    (void)o;
    return complain("--tls: this ask-bench was built without OpenSSL");
#endif
}

/* The options that need --tls. Returns -EINVAL for any other. */
static int take_tls(struct options *o, int option, const char *arg)
{
    switch (option) {
    case OPT_TLS:
        return tls_option(o);
    case OPT_CA:
        o->tls_settings.ca = arg;
        return 0;
    case OPT_CERT:
        o->tls_settings.certificate = arg;
        return 0;
    case OPT_KEY:
        o->tls_settings.key = arg;
        return 0;
    case OPT_SNI:
        o->tls_settings.name = arg;
        return 0;
    case OPT_INSECURE:
        o->tls_settings.insecure = true;
        return 0;
    case OPT_TLS_RESUME:
        o->tls_settings.resumes = true;
        return 0;
    default:
        return -EINVAL; /* command_line_next() has reported the error */
    }
}

static int take(struct options *o, int option, const char *arg)
{
    switch (option) {
    case 'c':
        return number("connections", arg, 1, CONNECTIONS_MAX, &o->connections);
    case 'd':
        return span("duration", arg, true, &o->duration_us);
    case 'n':
        return number("messages", arg, 1, UINT64_MAX / 2, &o->messages);
    case 'p':
        return number("pipeline", arg, 1, PIPELINE_MAX, &o->pipeline);
    case 's':
        return size_option(arg, &o->size);
    case 'm':
        o->text = arg;
        return 0;
    case 'f':
        if (framing_parse(arg, &o->framing) < 0)
            return complain("--framing takes line, length, netstring or chunk, not '%s'", arg);
        return 0;
    case 'r':
        return number("rate", arg, 1, RATE_MAX, &o->rate);
    case 't':
        return span("timeout", arg, false, &o->timeout_us);
    case 'w':
        return number("workers", arg, 1, CONNECTIONS_MAX, &o->workers);
    case OPT_VERIFY:
        return verify_option(o, arg);
    case OPT_EXPECT:
        return expect_option(o, arg);
    case OPT_RAMP:
        return number("ramp", arg, 1, RATE_MAX, &o->ramp);
    case OPT_HOLD:
        o->hold = true;
        return 0;
    case OPT_CHURN:
        o->churn = true;
        return 0;
    case OPT_SOURCE:
        return source_option(o, arg);
    case OPT_JSON:
        return json_option(o, arg);
    case OPT_REPORT:
        o->report = arg;
        return 0;
    case OPT_CHECK_TCP:
        o->check_tcp = true;
        return 0;
    case OPT_HISTOGRAM:
        o->histogram = arg;
        return 0;
    case OPT_ASSERT:
        return assert_option(o, arg);
    case OPT_PROGRESS:
        o->progress = true;
        return 0;
    default:
        return take_tls(o, option, arg);
    }
}

static int check_message(struct options *o, bool sized)
{
    if (o->text && sized)
        return complain("--size and --message cannot be used together");
    if (!sized)
        o->size = o->text ? strlen(o->text) : DEFAULT_SIZE;
    if (o->text && o->framing == FRAMING_LINE && strchr(o->text, '\n'))
        return complain("--message may not contain a newline in line framing");
    if (o->text && o->framing == FRAMING_LINE && o->size > 0 && o->text[o->size - 1] == '\r')
        return complain("--message may not end with a CR in line framing");
    if (o->size == 0 && o->framing == FRAMING_CHUNK)
        return complain("an empty message cannot be sent in chunk framing");
    if (o->framing == FRAMING_CHUNK && o->pipeline > 1)
        return complain("chunk framing needs --pipeline=1");
    if (o->pipeline * MAX(o->size, UINT64_C(1)) > PIPELINE_BYTES_MAX)
        return complain("--pipeline times --size is over 256M");
    return 0;
}

static int check_mode(const struct options *o)
{
    if (o->hold && (o->rate > 0 || o->churn || o->pipeline > 1))
        return complain("--hold cannot be used with --rate, --churn or --pipeline");
    if (o->hold && o->messages > 1 && o->duration_us == SPAN_INFINITY)
        return complain("--hold with --messages needs a finite --duration");
    if (o->churn && o->pipeline > 1)
        return complain("--churn cannot be used with --pipeline");
    if (o->churn && o->ramp > 0)
        return complain("--churn cannot be used with --ramp; use --rate");
    if (o->workers > o->connections)
        return complain("more --workers than --connections");
    if (o->rate > 0 && o->workers > o->rate)
        return complain("more --workers than messages a second");
    if (o->address.family == AF_UNIX && o->sources.count > 0)
        return complain("--source is for TCP");
    return 0;
}

/* Without --tls, the user may believe in a protection that is not there. */
static int check_tls(const struct options *o)
{
    const struct tls_client_settings *t = &o->tls_settings;
    const char *useless = t->ca            ? "ca"
                          : t->certificate ? "cert"
                          : t->key         ? "key"
                          : t->name        ? "sni"
                          : t->insecure    ? "insecure"
                          : t->resumes     ? "tls-resume"
                                           : NULL;

    if (!o->tls)
        return useless ? complain("--%s needs --tls", useless) : 0;
    if (t->key && !t->certificate)
        return complain("--key needs --cert");
    if (o->address.family == AF_UNIX && !t->name && !t->insecure)
        return complain("%s: --tls needs --sni, since a UNIX socket has no host name", o->target);
    return 0;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static bool is_utf8(const char *text)
{
    size_t n = strlen(text), one;

    for (; n > 0; text += one, n -= one) {
        one = utf8_sequence((const uint8_t *)text, n);
        if (one == 0)
            return false;
    }
    return true;
}

static int check_outputs(const struct options *o)
{
    if (same(o->json, o->report) || same(o->json, o->histogram) || same(o->report, o->histogram))
        return complain("--json, --report and --histogram need different files");
    if (o->json && !is_utf8(o->target))
        return complain("--json needs an address in UTF-8");
    if (o->json && o->expect_text && !is_utf8(o->expect_text))
        return complain("--json needs an --expect in UTF-8");
    return 0;
}

static int check(struct options *o, bool sized)
{
    const char *error;
    int r;

    r = check_message(o, sized);
    if (r < 0)
        return r;
    if (address_parse(o->target, &o->address, &error) < 0)
        return complain("%s: %s", o->target, error);
    if (strncmp(o->target, "*:", 2) == 0)
        return complain("%s: * means any address; give the host to connect to", o->target);
    r = check_mode(o);
    if (r >= 0)
        r = check_tls(o);
    if (r >= 0)
        r = check_outputs(o);
    if (r < 0)
        return r;
    o->mode = o->hold ? MODE_HOLD : o->rate > 0 ? MODE_OPEN : MODE_CLOSED;
    if (o->duration_us == 0)
        o->duration_us = o->messages > 0 && !o->hold ? SPAN_INFINITY : DEFAULT_DURATION_US;
    return 1;
}

int options_parse(struct options *o, int argc, char *argv[])
{
    char error[COMMAND_LINE_ERROR_MAX];
    bool sized = false;
    int option, r;

    *o = (struct options){
        .connections = DEFAULT_CONNECTIONS,
        .pipeline = 1,
        .timeout_us = DEFAULT_TIMEOUT_US,
    };
    optind = 0;
    while ((option = command_line_next(argc, argv, ":c:d:n:p:s:m:f:r:t:w:hV", long_options,
                                       error)) >= 0) {
        if (option == '?')
            (void)fprintf(stderr, "ask-bench: %s\n", error);
        if (option == 'h' || option == 'V')
            return option == 'h' ? print_text(usage)
                                 : version_print("ask-bench", WITH_JANSSON WITH_OPENSSL,
                                                 BUILT_WITH_JANSSON ", " BUILT_WITH_OPENSSL);
        sized |= option == 's';
        r = take(o, option, optarg);
        if (r < 0)
            return r;
    }
    if (argc - optind != 1)
        return complain(optind == argc ? "ADDRESS is missing" : "only one ADDRESS may be given");
    o->target = argv[optind];
    return check(o, sized);
}
