/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answerd/config-check.h"
#include "answerd/config-file.h"
#include "answerd/config-key.h"
#include "answerd/config-lines.h"
#include "answerd/config-tls.h"
#include "base/macros.h"
#include "base/suggest.h"
#include "base/timer.h"
#include "net/address.h"

/* These two own memory, so special functions parse them. */
#define KEY_LISTEN "Listen"
#define KEY_REPLY  "Reply"

#define SHOWN_MAX 200 /* the most bytes of a value in an error message */

enum section {
    SECTION_NONE,
    SECTION_SERVER,
    SECTION_LOG,
    SECTION_LISTENER,
    SECTION_TLS,
    SECTION_REFUSED
};

struct reader {
    struct config *config;
    const char *file; /* NULL: the command line */
    unsigned line;
    int result;
    enum section section;             /* the section of the line */
    struct config_listener *listener; /* for SECTION_LISTENER */
    struct config_tls *tls;           /* for SECTION_TLS */
    const struct config_defaults *defaults;
    report_fn report;
    void *userdata;
};

_printf_(2, 3) static void complain(struct reader *r, const char *format, ...)
{
    char text[PATH_MAX], line[2 * PATH_MAX + 32];
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

/* The start of a value or name, as much as fits into an error message. */
static const char *shorten(const char *value, char shown[static SHOWN_MAX + 1])
{
    if (strlen(value) <= SHOWN_MAX)
        return value;
    (void)snprintf(shown, SHOWN_MAX + 1, "%.*s…", SHOWN_MAX - (int)strlen("…"), value);
    return shown;
}

/* The rule for FileDescriptorName= in systemd.socket(5): these names are matched with it. */
static bool name_valid(const char *name)
{
    size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (name[i] < ' ' || name[i] == 0x7f || name[i] == ':')
            return false;
    return n > 0;
}

/* Records the value and its place. name: the name of the key or option. 0 or -ENOMEM. */
static int note(const struct reader *r, const char *name, const char *value,
                struct config_value *ret)
{
    char *text = strdup(value);

    if (!text)
        return -ENOMEM;
    free(ret->text);
    *ret = (struct config_value){ .text = text,
                                  .from = r->file ?: name,
                                  .line = r->file ? r->line : 0 };
    return 0;
}

/* The name in a section's text, or NULL after a report. kind: the word before it. */
static const char *section_name(struct reader *r, const char *section, const char *kind)
{
    const char *name = section + strlen(kind),
               *of = strcmp(kind, "TLS ") == 0 ? "TLS section" : "listener";
    char shown[SHOWN_MAX + 1];

    name += strspn(name, " ");
    if (name_valid(name) && strlen(name) <= CONFIG_NAME_MAX)
        return name;
    if (name_valid(name))
        complain(r, "a %s's name has at most %d bytes: [%s]", of, CONFIG_NAME_MAX,
                 shorten(section, shown));
    else
        complain(r, "a %s's name has at least one character and no colon: [%s]", of,
                 shorten(section, shown));
    return NULL;
}

static void enter_listener(struct reader *r, const char *section)
{
    const char *name = section_name(r, section, "Listener ");

    if (!name)
        return;
    r->listener = config_find(r->config, name) ?: config_add(r->config, name, r->defaults);
    if (r->listener)
        r->section = SECTION_LISTENER;
    else
        r->result = -ENOMEM;
}

static void enter_tls(struct reader *r, const char *section)
{
    const char *name = section_name(r, section, "TLS ");

    if (!name)
        return;
    if (strcmp(name, "none") == 0) {
        complain(r, "no TLS section can have the name none: TLS=none means no TLS");
        return;
    }
    r->tls = config_find_tls(r->config, name);
    if (!r->tls) {
        r->tls = config_add_tls(r->config, name);
        if (!r->tls || note(r, name, name, &r->tls->place) < 0) {
            r->result = -ENOMEM;
            return;
        }
    }
    r->section = SECTION_TLS;
}

static void enter_section(struct reader *r, const char *section)
{
    static const char *const known[] = { "Server", "Log", "Listener NAME", "TLS NAME" };
    const char *near;

    r->section = SECTION_REFUSED;
    if (strcmp(section, "Server") == 0) {
        r->section = SECTION_SERVER;
    } else if (strcmp(section, "Log") == 0) {
        r->section = SECTION_LOG;
    } else if (strncmp(section, "Listener ", strlen("Listener ")) == 0) {
        enter_listener(r, section);
    } else if (strncmp(section, "TLS ", strlen("TLS ")) == 0) {
        enter_tls(r, section);
    } else {
        near = strncasecmp(section, "Listener", strlen("Listener")) == 0 ? "Listener default"
               : strncasecmp(section, "TLS", strlen("TLS")) == 0
                   ? "TLS NAME"
                   : suggest(section, known, ARRAY_SIZE(known));
        complain(r, "unknown section [%s]%s%s%s", section, near ? "; did you mean [" : "",
                 near ?: "", near ? "]?" : "");
    }
}

static int add_listen(struct reader *r, const char *value, const char **ret_error)
{
    struct config_listener *l = r->listener;
    struct config_value *listen;
    struct address address;
    int error;

    assert(l);
    error = address_parse(value, &address, ret_error);
    if (error < 0)
        return error;
    listen = reallocarray(l->listen, l->n_listen + 1, sizeof *listen);
    if (!listen)
        return -ENOMEM;
    l->listen = listen;
    listen[l->n_listen] = (struct config_value){ 0 };
    error = note(r, KEY_LISTEN, value, &listen[l->n_listen]);
    if (error == 0)
        l->n_listen++;
    return error;
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

static bool is_tls_file(const char *name)
{
    return strcmp(name, CONFIG_KEY_CERTIFICATE) == 0 || strcmp(name, CONFIG_KEY_KEY) == 0;
}

/* The section that has such a key, or NULL. */
static const char *home_of(const char *name)
{
    if (config_key_find(config_server_keys, name))
        return "Server";
    if (config_key_find(config_log_keys, name))
        return "Log";
    if (config_key_find(config_tls_keys, name) || is_tls_file(name))
        return "TLS NAME";
    return config_key_find(config_listener_keys, name) || strcmp(name, KEY_LISTEN) == 0 ||
                   strcmp(name, KEY_REPLY) == 0
               ? "Listener NAME"
               : NULL;
}

static void unknown_key(struct reader *r, const char *name, const struct config_key *keys)
{
    static const char *const sections[] = {
        [SECTION_SERVER] = "Server",
        [SECTION_LOG] = "Log",
        [SECTION_LISTENER] = "Listener",
        [SECTION_TLS] = "TLS",
    };
    static const char *const more[][2] = {
        [SECTION_LISTENER] = { KEY_LISTEN, KEY_REPLY },
        [SECTION_TLS] = { CONFIG_KEY_CERTIFICATE, CONFIG_KEY_KEY },
    };
    const char *names[32], *near;
    size_t n = 0;

    for (size_t i = 0; i < 2 && more[r->section][i]; i++)
        names[n++] = more[r->section][i];
    for (; keys->name && n < ARRAY_SIZE(names); keys++)
        names[n++] = keys->name;
    near = home_of(name);
    if (near) {
        complain(r, "unknown key %s= in [%s]; it belongs in [%s]", name, sections[r->section],
                 near);
        return;
    }
    near = suggest(name, names, n);
    complain(r, "unknown key %s= in [%s]%s%s%s", name, sections[r->section],
             near ? "; did you mean " : "", near ?: "", near ? "=?" : "");
}

static void set_listener_text(struct reader *r, const char *name, const char *value)
{
    char shown[SHOWN_MAX + 1];
    const char *error = "out of memory";
    size_t offset = 0;
    int result;

    assert(r->listener);
    if (strcmp(name, KEY_LISTEN) == 0)
        result = add_listen(r, value, &error);
    else
        result = set_reply(r->listener->settings, value, &error, &offset);
    if (result == 0 && strcmp(name, KEY_LISTEN) != 0)
        result = note(r, name, value, &r->listener->reply);
    if (result == -ENOMEM)
        r->result = result;
    else if (result < 0 && offset > 0)
        complain(r, "%s=%s: at character %zu: %s", name, shorten(value, shown), offset + 1, error);
    else if (result < 0)
        complain(r, "%s=%s: %s", name, shorten(value, shown), error);
}

/* name: the option or key, for messages. key: the key; it exists. */
static void set_value(struct reader *r, const char *name, const struct config_key *keys,
                      const char *key, const char *value, void *base, struct config_value *values)
{
    const struct config_key *found = config_key_find(keys, key);
    char shown[SHOWN_MAX + 1];
    const char *expected;
    int error = found->read(value, (char *)base + found->offset, &expected);

    if (error == 0)
        error = note(r, name, value, &values[found - keys]);
    if (error == -ENOMEM)
        r->result = error;
    else if (error < 0)
        complain(r, "%s=%s: not %s", name, shorten(value, shown), expected);
}

static void add_tls_file(struct reader *r, const char *name, const char *value)
{
    struct config_value noted = { 0 };
    char shown[SHOWN_MAX + 1];
    const char *expected;
    int result = note(r, name, value, &noted);

    assert(r->tls);
    if (result == 0)
        result = config_tls_add(r->tls, name, &noted, &expected);
    free(noted.text);
    if (result == -ENOMEM)
        r->result = result;
    else if (result < 0)
        complain(r, "%s=%s: not %s", name, shorten(value, shown), expected);
}

static void on_key(struct reader *r, const char *name, const char *value)
{
    const struct config_key *keys = config_server_keys;
    struct config_value *values = r->config->values;
    void *base = r->config;

    if (r->section == SECTION_NONE)
        complain(r, "%s= is outside any section; begin with [Server] or [Listener NAME]", name);
    if (r->section == SECTION_NONE || r->section == SECTION_REFUSED)
        return;
    if (r->section == SECTION_LISTENER) {
        assert(r->listener);
        if (strcmp(name, KEY_LISTEN) == 0 || strcmp(name, KEY_REPLY) == 0) {
            set_listener_text(r, name, value);
            return;
        }
        keys = config_listener_keys;
        values = r->listener->values;
        base = r->listener->settings;
    }
    if (r->section == SECTION_TLS) {
        assert(r->tls);
        if (is_tls_file(name)) {
            add_tls_file(r, name, value);
            return;
        }
        keys = config_tls_keys;
        values = r->tls->values;
        base = &r->tls->settings;
    }
    if (r->section == SECTION_LOG) {
        keys = config_log_keys;
        values = r->config->log_values;
        base = &r->config->log;
    }
    if (!config_key_find(keys, name))
        unknown_key(r, name, keys);
    else
        set_value(r, name, keys, name, value, base, values);
}

static void take_line(struct reader *r, const struct config_lines *lines, enum config_line kind)
{
    if (kind == LINE_SECTION)
        enter_section(r, lines->name);
    else if (kind == LINE_KEY)
        on_key(r, lines->name, lines->value);
    else
        complain(r, "%s", lines->wrong);
}

static void read_file(struct reader *r, const char *file)
{
    struct config_lines lines;
    enum config_line kind;
    int error;

    r->file = file;
    r->section = SECTION_NONE;
    error = config_lines_open(&lines, file);
    if (error < 0) {
        r->result = r->result ?: error;
        complain(r, "%s", strerror(-error));
        return;
    }
    while (r->result != -ENOMEM && (kind = config_lines_next(&lines)) != LINE_END) {
        r->line = lines.number;
        take_line(r, &lines, kind);
    }
    r->line = 0;
    if (lines.error < 0)
        complain(r, "cannot be read: %s", strerror(-lines.error));
    config_lines_close(&lines);
}

/* Reads all files, even after an error. */
static int read_files(struct reader *r, const char *file)
{
    int error = config_parts_find(file, &r->config->parts);

    if (error == -ENOMEM)
        return error;
    if (error < 0) {
        r->result = error;
        r->file = r->config->parts.n > 0 ? r->config->parts.files[0] : file;
        complain(r, "%s", strerror(-error));
        return error;
    }
    for (size_t i = 0; i < r->config->parts.n; i++)
        read_file(r, r->config->parts.files[i]);
    return r->result;
}

/* The command line overrides every section. */
static void apply_overrides(struct reader *r, const struct config_overrides *o)
{
    r->file = NULL;
    if (o->workers)
        set_value(r, "--workers", config_server_keys, "Workers", o->workers, r->config,
                  r->config->values);
    for (size_t i = 0; i < r->config->n_listeners && r->result == 0; i++) {
        struct config_listener *l = r->listener = &r->config->listeners[i];

        if (o->framing)
            set_value(r, "--framing", config_listener_keys, "Framing", o->framing, l->settings,
                      l->values);
        if (o->record)
            set_value(r, "--record", config_listener_keys, "Record", o->record, l->settings,
                      l->values);
        if (o->reply)
            set_listener_text(r, "--reply", o->reply);
    }
}

static void blame(void *userdata, const struct config_value *value, const char *text)
{
    struct reader *r = userdata;

    r->file = value->from;
    r->line = value->line;
    complain(r, "%s", text);
}

int config_load(const char *file, const struct config_overrides *overrides,
                const struct config_defaults *defaults, struct config **ret, report_fn report,
                void *userdata)
{
    struct config *c = calloc(1, sizeof *c);
    struct reader r = {
        .config = c,
        .defaults = defaults,
        .report = report,
        .userdata = userdata,
    };
    const struct config_blame b = { .tell = blame, .userdata = &r };
    int error;

    if (!c || !config_add(c, "default", defaults)) {
        config_free(c);
        report(userdata, "out of memory");
        return -ENOMEM;
    }
    c->max_connections_per_address = UINT64_MAX;
    c->drain_ms = 10 * 1000;
    log_settings_default(&c->log);
    c->log.mirror = defaults->record == RECORD_JOURNAL;
    error = file ? read_files(&r, file) : 0;
    if (error == 0) {
        apply_overrides(&r, overrides);
        error = r.result;
    }
    if (error == 0)
        error = config_check(c, &b) ?: config_tls_apply(c, &b);
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
