/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ask/options.h"
#include "ask/render-json.h"
#include "base/command-line.h"
#include "base/macros.h"
#include "base/parse.h"

#define TIMEOUT_DEFAULT_US (UINT64_C(30) * 1000000)
#define REPLY_MAX_DEFAULT  (UINT64_C(16) << 20)

/* A reply is held in memory as a whole, and regexec() uses int. */
#define REPLY_MAX_MAX (UINT64_C(1) << 30)

const char ask_options_help[] =
    "Usage: ask [OPTION…] ADDRESS [MESSAGE…]\n"
    "Send messages to ADDRESS (HOST:PORT, :PORT, [V6]:PORT, /path or @abstract) and\n"
    "print the replies. Without MESSAGE, prompt on a terminal or send stdin's lines.\n"
    "\n"
    "  -f, --framing=NAME   line (default), length, netstring or chunk\n"
    "  -t, --timeout=SPAN   time limit for connecting and for each reply (30s)\n"
    "  -n, --count=N        send all MESSAGEs N times, then print a summary\n"
    "  -i, --interval=SPAN  wait between MESSAGEs; without -n, repeat until Ctrl-C\n"
    "      --retry=N        reconnect up to N times and resend unanswered messages\n"
    "  -q, --quiet          print no replies; the exit status shows the result\n"
    "      --expect=REGEX   exit with status 1 if a reply does not match\n"
    "      --json, --hex    print each reply as a JSON line, or as a hex dump\n"
    "      --max-reply=SIZE longest reply to accept (16M)\n"
    "  -4, -6               use only IPv4, or only IPv6\n"
    "      --tls            use TLS, and verify the server's certificate\n"
    "      --ca=FILE, --insecure  trust only the CAs in FILE, or trust any server\n"
    "      --sni=NAME       the name in the server's certificate, if not HOST\n"
    "      --cert=FILE, --key=FILE  this client's certificate, and its key\n"
    "  -h, --help           show this help\n"
    "  -V, --version        show the version\n"
    "\n"
    "Exit status: 0 all answered and matched; 1 a reply was a refusal, was cut off\n"
    "or did not match; 2 usage; 3 cannot connect; 4 timeout; 5 connection ended.\n";

enum {
    OPTION_EXPECT = 0x100,
    OPTION_JSON,
    OPTION_HEX,
    OPTION_MAX_REPLY,
    OPTION_RETRY,
    OPTION_TLS,
    OPTION_CA,
    OPTION_CERT,
    OPTION_KEY,
    OPTION_SNI,
    OPTION_INSECURE,
};

static const struct option long_options[] = {
    { "framing", required_argument, NULL, 'f' },
    { "timeout", required_argument, NULL, 't' },
    { "count", required_argument, NULL, 'n' },
    { "interval", required_argument, NULL, 'i' },
    { "expect", required_argument, NULL, OPTION_EXPECT },
    { "quiet", no_argument, NULL, 'q' },
    { "retry", required_argument, NULL, OPTION_RETRY },
    { "json", no_argument, NULL, OPTION_JSON },
    { "hex", no_argument, NULL, OPTION_HEX },
    { "max-reply", required_argument, NULL, OPTION_MAX_REPLY },
    { "tls", no_argument, NULL, OPTION_TLS },
    { "ca", required_argument, NULL, OPTION_CA },
    { "cert", required_argument, NULL, OPTION_CERT },
    { "key", required_argument, NULL, OPTION_KEY },
    { "sni", required_argument, NULL, OPTION_SNI },
    { "insecure", no_argument, NULL, OPTION_INSECURE },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { 0 },
};

_printf_(2, 3) static int wrong(char *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, OPTIONS_ERROR_MAX, format, args);
    va_end(args);
    return -EINVAL;
}

static int parse_time(const char *name, const char *text, uint64_t *ret_us, char *error)
{
    if (parse_span(text, ret_us) < 0)
        return wrong(error, "--%s: '%s' is not a time span like 500ms, 30s, 5min or infinity", name,
                     text);
    return 0;
}

static int parse_count(const char *text, struct options *o, char *error)
{
    uint64_t count;

    if (parse_u64(text, &count) < 0 || count == 0 || count == COUNT_ENDLESS)
        return wrong(error, "--count: '%s' is not a number from 1", text);
    o->count = count;
    o->repeat = true;
    return 0;
}

static int parse_max_reply(const char *text, struct options *o, char *error)
{
    uint64_t size;

    if (parse_size(text, &size) < 0 || size == 0 || size > REPLY_MAX_MAX)
        return wrong(error, "--max-reply: '%s' is not a size from 1 to 1G, like 64K", text);
    o->reply_max = size;
    return 0;
}

static int parse_expect(const char *text, struct options *o, char *error)
{
    char reason[256];
    int r;

    if (o->expect_text)
        return wrong(error, "--expect: may be given only once");
    r = regcomp(&o->expect, text, REG_EXTENDED);
    if (r != 0) {
        (void)regerror(r, &o->expect, reason, sizeof reason);
        return wrong(error, "--expect: '%s': %s", text, reason);
    }
    o->expect_text = text;
    return 0;
}

static int set_form(enum form form, struct options *o, char *error)
{
    if (form == FORM_JSON && !render_has_json())
        return wrong(error, "--json: this ask was built without JSON");
    if (o->form != FORM_TEXT && o->form != form)
        return wrong(error, "--json and --hex cannot be used together");
    o->form = form;
    return 0;
}

static int set_family(int family, struct options *o, char *error)
{
    if (o->family != AF_UNSPEC && o->family != family)
        return wrong(error, "-4 and -6 cannot be used together");
    o->family = family;
    return 0;
}

/* -EINVAL: it is none of these. command_line_next() has reported the error. */
static int parse_tls_option(int option, struct options *o)
{
    switch (option) {
    case OPTION_TLS:
        o->tls = true;
        return 0;
    case OPTION_CA:
        o->tls_settings.ca = optarg;
        return 0;
    case OPTION_CERT:
        o->tls_settings.certificate = optarg;
        return 0;
    case OPTION_KEY:
        o->tls_settings.key = optarg;
        return 0;
    case OPTION_SNI:
        o->tls_settings.name = optarg;
        return 0;
    case OPTION_INSECURE:
        o->tls_settings.insecure = true;
        return 0;
    default:
        return -EINVAL;
    }
}

static int parse_option(int option, struct options *o, char *error)
{
    switch (option) {
    case 'f':
        if (framing_parse(optarg, &o->framing) < 0)
            return wrong(error, "--framing: '%s' is not line, length, netstring or chunk", optarg);
        return 0;
    case 't':
        if (parse_time("timeout", optarg, &o->timeout_us, error) < 0)
            return -EINVAL;
        return o->timeout_us > 0 ? 0 : wrong(error, "--timeout: must be longer than 0");
    case 'n':
        return parse_count(optarg, o, error);
    case 'i':
        o->repeat = true;
        return parse_time("interval", optarg, &o->interval_us, error);
    case OPTION_EXPECT:
        return parse_expect(optarg, o, error);
    case OPTION_RETRY:
        if (parse_u64(optarg, &o->retries) < 0)
            return wrong(error, "--retry: '%s' is not a number", optarg);
        return 0;
    case 'q':
        o->quiet = true;
        return 0;
    case OPTION_JSON:
        return set_form(FORM_JSON, o, error);
    case OPTION_HEX:
        return set_form(FORM_HEX, o, error);
    case OPTION_MAX_REPLY:
        return parse_max_reply(optarg, o, error);
    case '4':
        return set_family(AF_INET, o, error);
    case '6':
        return set_family(AF_INET6, o, error);
    case 'h':
        o->action = ACTION_HELP;
        return 0;
    case 'V':
        o->action = ACTION_VERSION;
        return 0;
    default:
        return parse_tls_option(option, o);
    }
}

/* The framing limits what can be sent. Check before sending anything. */
static int check_messages(const struct options *o, char *error)
{
    for (size_t i = 0; i < o->n_messages; i++) {
        if (o->framing == FRAMING_LINE && strchr(o->messages[i], '\n'))
            return wrong(error, "a message with a line break needs --framing=length or netstring");
        if (o->framing == FRAMING_CHUNK && !o->messages[i][0])
            return wrong(error, "an empty message cannot be sent with --framing=chunk");
    }
    if (o->repeat && o->n_messages == 0)
        return wrong(error, "--count and --interval need a MESSAGE to repeat");
    return 0;
}

/* A literal address has one family and names one host. */
static int check_host(const struct options *o, char *error)
{
    bool v4 = inet_pton(AF_INET, o->address.host, &(struct in_addr){ 0 }) == 1;
    bool v6 = strchr(o->address.host, ':') != NULL;

    if (strncmp(o->address_text, "*:", 2) == 0)
        return wrong(error, "%s: * means any address; give the host to connect to",
                     o->address_text);
    if (o->address.family == AF_UNIX && o->family != AF_UNSPEC)
        return wrong(error, "%s: -4 and -6 need HOST:PORT", o->address_text);
    if (v6 && o->family == AF_INET)
        return wrong(error, "%s: -4 cannot be used with an IPv6 address", o->address_text);
    if (v4 && o->family == AF_INET6)
        return wrong(error, "%s: -6 cannot be used with an IPv4 address", o->address_text);
    return 0;
}

/* Without --tls, the user may believe in a protection that is not there. */
static int check_tls(const struct options *o, char *error)
{
    const struct tls_client_settings *t = &o->tls_settings;
    const char *useless = t->ca            ? "--ca"
                          : t->certificate ? "--cert"
                          : t->key         ? "--key"
                          : t->name        ? "--sni"
                          : t->insecure    ? "--insecure"
                                           : NULL;

    if (!o->tls)
        return useless ? wrong(error, "%s needs --tls", useless) : 0;
    if (t->key && !t->certificate)
        return wrong(error, "--key needs --cert");
    if (o->address.family == AF_UNIX && !t->name && !t->insecure)
        return wrong(error, "%s: --tls needs --sni=NAME, since a UNIX socket has no host name",
                     o->address_text);
    return 0;
}

static int parse_arguments(int argc, char **argv, struct options *o, char *error)
{
    const char *reason = NULL;

    if (argc == 0)
        return wrong(error, "ADDRESS is missing. Try --help.");
    o->address_text = argv[0];
    if (address_parse(argv[0], &o->address, &reason) < 0)
        return wrong(error, "%s: %s", argv[0], reason);
    if (check_host(o, error) < 0 || check_tls(o, error) < 0)
        return -EINVAL;
    o->messages = argv + 1;
    o->n_messages = (size_t)argc - 1;
    return check_messages(o, error);
}

int ask_options_parse(int argc, char **argv, struct options *ret,
                      char error[static OPTIONS_ERROR_MAX])
{
    _cleanup_(ask_options_deinit) struct options o = {
        .family = AF_UNSPEC,
        .framing = FRAMING_LINE,
        .timeout_us = TIMEOUT_DEFAULT_US,
        .count = COUNT_ENDLESS,
        .reply_max = REPLY_MAX_DEFAULT,
    };
    int option, r;

    optind = 0; /* glibc: start over, for callers that parse more than once (getopt(3)) */
    for (;;) {
        option = command_line_next(argc, argv, ":f:t:n:i:q46hV", long_options, error);
        if (option < 0)
            break;
        r = parse_option(option, &o, error);
        if (r < 0)
            return r;
        if (o.action != ACTION_ASK)
            break;
    }
    if (o.action == ACTION_ASK) {
        r = parse_arguments(argc - optind, argv + optind, &o, error);
        if (r < 0)
            return r;
    }
    *ret = o;
    o.expect_text = NULL;
    return 0;
}

void ask_options_deinit(struct options *o)
{
    if (o->expect_text)
        regfree(&o->expect);
    o->expect_text = NULL;
}
