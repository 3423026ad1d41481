/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/config-file.h"
#include "answerd/config-key.h"
#include "base/macros.h"
#include "base/suggest.h"
#include "base/timer.h"
#include "net/address.h"

/*
 * inih reads the file by lines through our reader, for two reasons: it then knows the number of the
 * line that each key stands in, and it can refuse what inih would misread, which are lines longer
 * than its buffer (read as two) and indented lines (added to the value before).
 */

#define LINE_LIMIT (INI_MAX_LINE - 2) /* without LF and NUL */

/* These two own memory, and are read by functions of their own. */
#define KEY_LISTEN "Listen"
#define KEY_REPLY  "Reply"

enum section { SECTION_NONE, SECTION_SERVER, SECTION_LISTENER, SECTION_REFUSED };

struct reader {
    struct config *config;
    const char *file; /* NULL: what is wrong is on the command line */
    FILE *stream;
    unsigned line;
    int result;
    enum section section;             /* what the line belongs to */
    struct config_listener *listener; /* of SECTION_LISTENER */
    const struct config_defaults *defaults;
    report_fn report;
    void *userdata;
};

_printf_(2, 3) static void complain(struct reader *r, const char *format, ...)
{
    char text[512], line[PATH_MAX + 544];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (r->line > 0)
        (void)snprintf(line, sizeof line, "%s:%u: %s", r->file, r->line, text);
    else
        (void)snprintf(line, sizeof line, "%s%s%s", r->file ?: "", r->file ? ": " : "", text);
    r->report(r->userdata, line);
    if (r->result == 0)
        r->result = -EINVAL;
}

/* systemd.socket(5)'s rule for FileDescriptorName=, since that is what these names are matched
 * with. */
static bool name_valid(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (name[i] < ' ' || name[i] == 0x7f || name[i] == ':')
            return false;
    return n > 0;
}

static void enter_section(struct reader *r, const char *section)
{
    static const char *const known[] = { "Server", "Listener NAME" };
    const char *name = section + strlen("Listener ");

    r->section = SECTION_REFUSED;
    if (strcmp(section, "Server") == 0) {
        r->section = SECTION_SERVER;
        return;
    }
    if (strncmp(section, "Listener ", strlen("Listener ")) != 0) {
        const char *near = suggest(section, known, ARRAY_SIZE(known));

        complain(r, "unknown section [%s]%s%s%s", section, near ? "; did you mean [" : "",
                 near ?: "", near ? "]?" : "");
        return;
    }
    name += strspn(name, " ");
    if (!name_valid(name)) {
        complain(r, "a listener's name is one or more characters without colon: [%s]", section);
        return;
    }
    r->listener = config_find(r->config, name) ?: config_add(r->config, name, r->defaults);
    if (r->listener)
        r->section = SECTION_LISTENER;
    else
        r->result = -ENOMEM;
}

static int add_listen(struct config_listener *l, const char *value, const char **ret_error)
{
    struct address address;
    char **listen;
    int r;

    r = address_parse(value, &address, ret_error);
    if (r < 0)
        return r;
    listen = reallocarray(l->listen, l->n_listen + 1, sizeof *listen);
    if (!listen)
        return -ENOMEM;
    l->listen = listen;
    listen[l->n_listen] = strdup(value);
    if (!listen[l->n_listen])
        return -ENOMEM;
    l->n_listen++;
    return 0;
}

static int set_reply(struct settings *s, const char *value, const char **ret_error,
                     size_t *ret_offset)
{
    struct template *reply;
    int r;

    s->rules.mute = strcmp(value, "none") == 0;
    r = template_compile(value, &reply, ret_error, ret_offset);
    if (r < 0)
        return r;
    template_free(s->reply);
    s->rules.reply = s->reply = reply;
    return 0;
}

static void unknown_key(struct reader *r, const char *name, const struct config_key *keys)
{
    const char *names[32] = { KEY_LISTEN, KEY_REPLY }, *near;
    size_t n = r->section == SECTION_LISTENER ? 2 : 0;

    for (; keys->name && n < ARRAY_SIZE(names); keys++)
        names[n++] = keys->name;
    near = suggest(name, names, n);
    complain(r, "unknown key %s= in [%s]%s%s%s", name,
             r->section == SECTION_LISTENER ? "Listener" : "Server", near ? "; did you mean " : "",
             near ?: "", near ? "=?" : "");
}

static void set_listener_text(struct reader *r, const char *name, const char *value)
{
    const char *error = "out of memory";
    size_t offset = 0;
    int result;

    if (strcmp(name, KEY_LISTEN) == 0)
        result = add_listen(r->listener, value, &error);
    else
        result = set_reply(r->listener->settings, value, &error, &offset);
    if (result == -ENOMEM)
        r->result = result;
    else if (result < 0 && offset > 0)
        complain(r, "%s=%s: at character %zu: %s", name, value, offset + 1, error);
    else if (result < 0)
        complain(r, "%s=%s: %s", name, value, error);
}

/* inih's handler for one key; of the section it says only the first 49 characters, so ours counts.
 * Returns 1 always: what is wrong has been reported with its line, and the rest is to be read. */
static int on_key(void *user, _unused_ const char *section, const char *name, const char *value)
{
    struct reader *r = user;
    const struct config_key *keys = config_server_keys, *key;
    void *base = r->config;
    const char *expected;

    if (r->section == SECTION_NONE)
        complain(r, "%s= stands before any section; begin with [Server] or [Listener NAME]", name);
    if (r->section == SECTION_NONE || r->section == SECTION_REFUSED)
        return 1;
    if (r->section == SECTION_LISTENER) {
        if (strcmp(name, KEY_LISTEN) == 0 || strcmp(name, KEY_REPLY) == 0) {
            set_listener_text(r, name, value);
            return 1;
        }
        keys = config_listener_keys;
        base = r->listener->settings;
    }
    key = config_key_find(keys, name);
    if (!key)
        unknown_key(r, name, keys);
    else if (key->read(value, (char *)base + key->offset, &expected) < 0)
        complain(r, "%s=%s: not %s", name, value, expected);
    return 1;
}

/* What inih would take silently, or refuse without a reason. Returns what is wrong, or NULL. */
static const char *check_line(const char *line)
{
    size_t n = strcspn(line, "\r\n"), indent = strspn(line, " \t");

    if (indent == n || strchr("#;", line[indent]))
        return NULL;
    if (indent > 0)
        return "a line may not begin with a space";
    if (line[0] == '[') {
        const char *end = memchr(line, ']', n);

        return !end                                  ? "] is missing"
               : end[1 + strspn(end + 1, " \t\r\n")] ? "nothing may follow ]"
                                                     : NULL;
    }
    if (!strpbrk(line, "=:"))
        return "neither [SECTION], KEY=VALUE nor # comment";
    if (strstr(line, " ;") || strstr(line, "\t;"))
        return "no comment may follow a value; in a reply, write \\x3b for a semicolon after a "
               "space";
    return NULL;
}

/* fgets() that counts lines, and sees NUL bytes. False at the end; *ret_wrong is what is wrong with
 * the line's form, or NULL. */
static bool next_line(struct reader *r, char *text, int size, const char **ret_wrong)
{
    static char too_long[64];
    int n = 0, c = 0;

    while (n < size - 1 && c != '\n' && (c = getc(r->stream)) != EOF)
        text[n++] = (char)c;
    text[n] = '\0';
    if (n == 0)
        return false;
    r->line++;
    if (c == '\n' || (c == EOF && n <= LINE_LIMIT)) {
        *ret_wrong =
            memchr(text, '\0', (size_t)n) ? "there is a NUL byte in this line" : check_line(text);
        return true;
    }
    /* The rest of the line must not be taken for a line. */
    while (c != EOF && c != '\n')
        c = getc(r->stream);
    (void)snprintf(too_long, sizeof too_long, "a line has at most %d bytes", LINE_LIMIT);
    *ret_wrong = too_long;
    return true;
}

/* inih's reader. A line that is refused is given to inih as an empty one. */
static char *read_line(char *text, int size, void *user)
{
    struct reader *r = user;
    const char *wrong;

    if (!next_line(r, text, size, &wrong))
        return NULL;
    if (wrong) {
        complain(r, "%s", wrong);
        strcpy(text, "\n");
    }
    /* A section without keys never reaches the handler, but its name is checked, and its listener
     * exists. */
    if (text[0] == '[') {
        char section[INI_MAX_LINE];

        (void)snprintf(section, sizeof section, "%.*s", (int)strcspn(text + 1, "]"), text + 1);
        enter_section(r, section);
    }
    return text;
}

static int read_file(struct reader *r)
{
    r->stream = fopen(r->file, "re");
    if (!r->stream) {
        int error = -errno;

        complain(r, "%s", strerror(-error));
        return error;
    }
    (void)ini_parse_stream(read_line, r, on_key, r);
    if (ferror(r->stream)) {
        r->line = 0;
        complain(r, "cannot be read: %s", strerror(errno));
    }
    (void)fclose(r->stream);
    r->line = 0;
    return r->result;
}

static void override(struct reader *r, const char *option, const struct config_key *keys,
                     const char *name, const char *value, void *base)
{
    const struct config_key *key = config_key_find(keys, name);
    const char *expected;

    if (value && key->read(value, (char *)base + key->offset, &expected) < 0)
        complain(r, "%s=%s: not %s", option, value, expected);
}

/* The command line wins over every section. */
static void apply_overrides(struct reader *r, const struct config_overrides *o)
{
    r->file = NULL;
    override(r, "--workers", config_server_keys, "Workers", o->workers, r->config);
    for (size_t i = 0; i < r->config->n_listeners && r->result == 0; i++) {
        r->listener = &r->config->listeners[i];
        override(r, "--framing", config_listener_keys, "Framing", o->framing,
                 r->listener->settings);
        override(r, "--record", config_listener_keys, "Record", o->record, r->listener->settings);
        if (o->reply)
            set_listener_text(r, "--reply", o->reply);
    }
}

int config_load(const char *file, const struct config_overrides *overrides,
                const struct config_defaults *defaults, struct config **ret, report_fn report,
                void *userdata)
{
    struct config *c = calloc(1, sizeof *c);
    struct reader r = {
        .config = c,
        .file = file,
        .defaults = defaults,
        .report = report,
        .userdata = userdata,
    };
    int error;

    if (!c || !config_add(c, "default", defaults)) {
        config_free(c);
        report(userdata, "out of memory");
        return -ENOMEM;
    }
    c->max_connections_per_address = UINT64_MAX;
    c->drain_ms = 10 * 1000;
    error = file ? read_file(&r) : 0;
    if (error == 0) {
        apply_overrides(&r, overrides);
        error = r.result;
    }
    for (size_t i = 0; i < c->n_listeners && error == 0; i++)
        error = settings_prepare(c->listeners[i].settings);
    if (error < 0) {
        if (error == -ENOMEM)
            report(userdata, "out of memory");
        config_free(c);
        return error;
    }
    *ret = c;
    return 0;
}
