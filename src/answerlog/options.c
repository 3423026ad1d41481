/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answerlog/options.h"
#include "answerlog/when.h"
#include "base/macros.h"
#include "base/parse.h"

#define DIRECTORY      LOCALSTATEDIR "/lib/answerd"
#define LINES_FOLLOWED 10

const char answerlog_options_help[] =
    "Usage: answerlog [OPTION…] [DIRECTORY]\n"
    "Print the records that answerd keeps in DIRECTORY\n"
    "(default: " DIRECTORY ").\n"
    "\n"
    "  -n, --lines=N          the last N, or all; with -f the last 10 by default\n"
    "  -f, --follow           wait for more, and print them as they come\n"
    "  -r, --reverse          newest first\n"
    "  -S, --since=TIME       from this time on\n"
    "  -U, --until=TIME       up to this time\n"
    "      --id=ID            the record with this ID\n"
    "      --peer=ADDRESS     from this peer, with or without its port\n"
    "      --identity=NAME    from the client with this verified name\n"
    "      --listener=NAME    from this listener\n"
    "  -g, --grep=REGEX       messages that match this extended regular expression\n"
    "  -o, --output=FORM      short (default), short-iso, cat, json, export or data\n"
    "      --verify           check everything, and say what is damaged\n"
    "      --disk-usage       print how much space the log takes\n"
    "      --vacuum-size=SIZE remove old segments until SIZE is left\n"
    "      --vacuum-time=SPAN remove segments with no record younger than SPAN\n"
    "  -h, --help             show this help\n"
    "  -V, --version          show the version\n"
    "\n"
    "TIME is '2026-11-26 12:00:00', 12:00, yesterday, -1h, '1h ago' or @SECONDS.\n"
    "Exit status: 0; 1 damaged or nothing matched; 2 usage; 3 cannot open or read.\n";

enum {
    OPTION_ID = 0x100,
    OPTION_PEER,
    OPTION_IDENTITY,
    OPTION_LISTENER,
    OPTION_VERIFY,
    OPTION_DISK_USAGE,
    OPTION_VACUUM_SIZE,
    OPTION_VACUUM_TIME,
};

static const struct option long_options[] = {
    { "lines", required_argument, NULL, 'n' },
    { "follow", no_argument, NULL, 'f' },
    { "reverse", no_argument, NULL, 'r' },
    { "since", required_argument, NULL, 'S' },
    { "until", required_argument, NULL, 'U' },
    { "id", required_argument, NULL, OPTION_ID },
    { "peer", required_argument, NULL, OPTION_PEER },
    { "identity", required_argument, NULL, OPTION_IDENTITY },
    { "listener", required_argument, NULL, OPTION_LISTENER },
    { "grep", required_argument, NULL, 'g' },
    { "output", required_argument, NULL, 'o' },
    { "verify", no_argument, NULL, OPTION_VERIFY },
    { "disk-usage", no_argument, NULL, OPTION_DISK_USAGE },
    { "vacuum-size", required_argument, NULL, OPTION_VACUUM_SIZE },
    { "vacuum-time", required_argument, NULL, OPTION_VACUUM_TIME },
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { 0 },
};

static const char *const forms[] = {
    [FORM_SHORT] = "short", [FORM_SHORT_ISO] = "short-iso", [FORM_CAT] = "cat",
    [FORM_JSON] = "json",   [FORM_EXPORT] = "export",       [FORM_DATA] = "data",
};

_printf_(2, 3) static int wrong(char *error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(error, OPTIONS_ERROR_MAX, format, args);
    va_end(args);
    return -EINVAL;
}

static int parse_lines(struct options *o, char *error)
{
    if (strcmp(optarg, "all") == 0)
        o->lines = LINES_ALL;
    else if (parse_u64(optarg, &o->lines) < 0 || o->lines == LINES_ALL)
        return wrong(error, "--lines: '%s' is neither a number nor all", optarg);
    return 0;
}

static int parse_when(const char *name, uint64_t now_us, uint64_t *ret_us, char *error)
{
    if (when_parse(optarg, now_us, ret_us) < 0)
        return wrong(error, "--%s: '%s' is not a time like '2026-11-26 12:00', yesterday or -1h",
                     name, optarg);
    return 0;
}

static int parse_pattern(struct select *s, char *error)
{
    char reason[256];

    if (s->pattern)
        return wrong(error, "--grep: may be given only once");
    if (select_pattern(s, optarg, reason, sizeof reason) < 0)
        return wrong(error, "--grep: '%s': %s", optarg, reason);
    return 0;
}

static int parse_form(struct options *o, char *error)
{
    for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
        if (strcmp(optarg, forms[i]) == 0) {
            o->form = (enum form)i;
            return 0;
        }
    return wrong(error, "--output: '%s' is none of short, short-iso, cat, json, export and data",
                 optarg);
}

static int set_action(struct options *o, enum action action, char *error)
{
    if (o->action != ACTION_SHOW && o->action != action)
        return wrong(error, "--verify, --disk-usage and --vacuum-... exclude each other");
    o->action = action;
    return 0;
}

static int parse_vacuum(int option, struct options *o, char *error)
{
    if (option == OPTION_VACUUM_SIZE && parse_size(optarg, &o->vacuum_size) < 0)
        return wrong(error, "--vacuum-size: '%s' is not a size like 500M", optarg);
    if (option == OPTION_VACUUM_TIME && parse_span(optarg, &o->vacuum_time_us) < 0)
        return wrong(error, "--vacuum-time: '%s' is not a time span like 2weeks", optarg);
    return set_action(o, ACTION_VACUUM, error);
}

static int parse_filter(int option, uint64_t now_us, struct select *s, char *error)
{
    switch (option) {
    case 'S':
        return parse_when("since", now_us, &s->scope.since_us, error);
    case 'U':
        return parse_when("until", now_us, &s->scope.until_us, error);
    case 'g':
        return parse_pattern(s, error);
    case OPTION_ID:
        if (select_id(s, optarg) < 0)
            return wrong(error, "--id: '%s' is not an ID like 4be14d98f7f2f0d1-3-1", optarg);
        return 0;
    case OPTION_PEER:
        if (!select_is_peer(optarg))
            return wrong(error,
                         "--peer: '%s' is not an address like 192.0.2.7, 192.0.2.7:4711, "
                         "[2001:db8::7]:4711 or pid=1234,uid=1000",
                         optarg);
        s->peer = optarg;
        return 0;
    case OPTION_IDENTITY:
        s->identity = optarg;
        return 0;
    case OPTION_LISTENER:
        s->listener = optarg;
        return 0;
    default:
        return -EINVAL; /* command_line_next() has said what is wrong */
    }
}

static int parse_option(int option, uint64_t now_us, struct options *o, char *error)
{
    switch (option) {
    case 'n':
        return parse_lines(o, error);
    case 'f':
        o->follow = true;
        return 0;
    case 'r':
        o->reverse = true;
        return 0;
    case 'o':
        return parse_form(o, error);
    case OPTION_VERIFY:
        return set_action(o, ACTION_VERIFY, error);
    case OPTION_DISK_USAGE:
        return set_action(o, ACTION_DISK_USAGE, error);
    case OPTION_VACUUM_SIZE:
    case OPTION_VACUUM_TIME:
        return parse_vacuum(option, o, error);
    case 'h':
        o->action = ACTION_HELP;
        return 0;
    case 'V':
        o->action = ACTION_VERSION;
        return 0;
    default:
        return parse_filter(option, now_us, &o->select, error);
    }
}

static int check(int argc, char **argv, bool lines_given, struct options *o, char *error)
{
    const struct reader_scope *scope = &o->select.scope;

    if (argc > 1)
        return wrong(error, "only one DIRECTORY can be given. Try --help.");
    if (o->follow && o->reverse)
        return wrong(error, "--follow and --reverse exclude each other");
    if (o->follow && scope->until_us < UINT64_MAX)
        return wrong(error, "--follow and --until exclude each other");
    if (scope->since_us > scope->until_us)
        return wrong(error, "--since is later than --until");
    if (o->action != ACTION_SHOW && (select_is_given(&o->select) || o->follow || o->reverse ||
                                     lines_given || o->form != FORM_SHORT))
        return wrong(error, "--verify, --disk-usage and --vacuum-... print no records");
    if (argc == 1)
        o->directory = argv[0];
    if (o->follow && !lines_given && scope->since_us == 0)
        o->lines = LINES_FOLLOWED;
    return 0;
}

int answerlog_options_parse(int argc, char **argv, uint64_t now_us, struct options *ret,
                            char error[static OPTIONS_ERROR_MAX])
{
    struct options o = {
        .directory = DIRECTORY,
        .lines = LINES_ALL,
        .vacuum_size = UINT64_MAX,
        .vacuum_time_us = SPAN_INFINITY,
    };
    bool lines_given = false;
    int option, r = 0;

    select_init(&o.select);
    optind = 0; /* glibc: start anew, for a caller that parses more than once (getopt(3)) */
    while (r == 0 && o.action != ACTION_HELP && o.action != ACTION_VERSION) {
        option = command_line_next(argc, argv, ":n:frS:U:g:o:hV", long_options, error);
        if (option < 0)
            break;
        lines_given = lines_given || option == 'n';
        r = parse_option(option, now_us, &o, error);
    }
    if (r == 0 && o.action != ACTION_HELP && o.action != ACTION_VERSION)
        r = check(argc - optind, argv + optind, lines_given, &o, error);
    if (r < 0) {
        answerlog_options_deinit(&o);
        return r;
    }
    *ret = o;
    return 0;
}

void answerlog_options_deinit(struct options *o)
{
    select_deinit(&o->select);
}

void options_complain(const struct options *o, int error)
{
    if (ferror(stdout))
        (void)fprintf(stderr, "answerlog: standard output: %s\n", strerror(-error));
    else if (error == -ENODATA)
        (void)fprintf(stderr, "answerlog: %s: no log is here\n", o->directory);
    else
        (void)fprintf(stderr, "answerlog: %s: %s\n", o->directory, strerror(-error));
}
