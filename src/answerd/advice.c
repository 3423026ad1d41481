/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answerd/advice.h"
#include "answerd/config-key.h"
#include "answerd/journal-limit.h"
#include "answerd/service.h"
#include "base/macros.h"
#include "net/address.h"

#define UNIT SERVICE_SOCKET_UNIT

_printf_(3, 4) static void tell(report_fn report, void *userdata, const char *format, ...)
{
    char line[PATH_MAX + 1024];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    report(userdata, line);
}

/* The address in the form of ListenStream=, which resolves no names (systemd.socket(5)). text has
 * passed address_parse(). */
static const char *as_stream(const char *text)
{
    const char *colon = strrchr(text, ':');

    if (strncmp(text, "unix:", 5) == 0)
        return text + 5;
    if (text[0] == '/' || text[0] == '@')
        return text;
    if (!colon || !isdigit((unsigned char)colon[1]))
        return "ADDRESS:PORT";
    if (text[0] == ':' || strncmp(text, "*:", 2) == 0)
        return colon + 1;
    return text[0] == '[' || text[strspn(text, "0123456789.")] == ':' ? text : "ADDRESS:PORT";
}

static void advise(const struct config_listener *l, const struct config_value *v, report_fn report,
                   void *userdata)
{
    const char *name = l->settings->name;
    bool is_default = strcmp(name, "default") == 0;
    const char *unit = is_default ? UNIT : "UNIT";
    char which[CONFIG_NAME_MAX + 64] = "";

    if (!is_default)
        (void)snprintf(which, sizeof which, ". UNIT is the socket unit with FileDescriptorName=%s",
                       name);
    tell(report, userdata,
         "%s:%u: Listen=%s has no effect: systemd passes the sockets of [Listener %s]. Run "
         "\"systemctl edit %s\", write \"[Socket]\", \"ListenStream=\" and \"ListenStream=%s\" on "
         "separate lines, then run \"systemctl restart %s\"%s",
         v->from, v->line, v->text, name, unit, as_stream(v->text), unit, which);
}

void advise_on_listen(const struct config *c, char *const *passed, report_fn report, void *userdata)
{
    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];
        bool has_sockets = false;

        for (char *const *name = passed; *name && !has_sockets; name++)
            has_sockets = strcmp(*name, l->settings->name) == 0;
        for (size_t j = 0; has_sockets && j < l->n_listen; j++)
            advise(l, &l->listen[j], report, userdata);
    }
}

void advise_on_proxy(const struct config *c, report_fn report, void *userdata)
{
    const struct config_key *key = config_key_find(config_listener_keys, "ProxyFrom");

    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];
        const struct config_value *v = &l->values[key - config_listener_keys];

        if (l->settings->proxy_from && !l->settings->proxy)
            tell(report, userdata, "%s:%u: ProxyFrom=%s has no effect without Proxy=", v->from,
                 v->line, v->text);
    }
}

void advise_on_record(const struct config *c, report_fn report, void *userdata)
{
    const struct config_key *key = config_key_find(config_listener_keys, "Record");

    for (size_t i = 0; i < c->n_listeners; i++)
        if (c->listeners[i].settings->record == RECORD_STDERR &&
            !c->listeners[i].values[key - config_listener_keys].text) {
            report(userdata, "this machine has no journal: messages are only printed, and a reply "
                             "promises nothing");
            return;
        }
}

/* The tables of a journal file take at most a sixteenth of it. */
void advise_on_size(const struct config *c, report_fn report, void *userdata)
{
    const struct config_key *key = config_key_find(config_listener_keys, "MaxMessageSize");
    uint64_t file = 0;

    for (size_t i = 0; i < c->n_listeners; i++) {
        const struct config_listener *l = &c->listeners[i];
        const struct config_value *v = &l->values[key - config_listener_keys];

        if (!v->text || l->settings->record != RECORD_JOURNAL)
            continue;
        file = file ?: journal_file_limit("");
        if (l->settings->rules.max_message > file - file / 16)
            tell(report, userdata,
                 "%s:%u: MaxMessageSize=%s is too large for this journal: its files have at most "
                 "%" PRIu64 " bytes each, and a message that does not fit is answered but lost. "
                 "Set a smaller MaxMessageSize=, or raise SystemMaxFileSize= in journald.conf "
                 "(RuntimeMaxFileSize= for a volatile journal)",
                 v->from, v->line, v->text, file);
    }
}
