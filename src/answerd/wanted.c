/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/wanted.h"

static const char default_section[] = "default";

static int add(struct wanted *w, const char *section, const char *text)
{
    struct wanted_address *addresses = reallocarray(w->addresses, w->n + 1, sizeof *addresses), *a;
    struct address address;
    const char *error = "out of memory";

    if (!addresses)
        return -ENOMEM;
    w->addresses = addresses;
    a = &addresses[w->n++];
    *a = (struct wanted_address){ .section = section, .text = text };
    a->n = address_parse(text, &address, &error);
    if (a->n == 0)
        a->n = address_resolve(&address, AF_UNSPEC, true, &a->all, &error);
    if (a->n < 0)
        (void)snprintf(a->error, sizeof a->error, "%s", error);
    return 0;
}

static bool passed(const struct wanted_beside *beside, const char *section)
{
    for (char *const *name = beside->passed; *name; name++)
        if (strcmp(*name, section) == 0)
            return true;
    return false;
}

static int add_configured(struct wanted *w, const struct config *config,
                          const struct wanted_beside *beside)
{
    int r = 0;

    for (size_t i = 0; i < config->n_listeners; i++) {
        const struct config_listener *l = &config->listeners[i];

        for (size_t j = 0; j < l->n_listen && r == 0 && !passed(beside, l->settings->name); j++)
            r = add(w, l->settings->name, l->listen[j].text);
    }
    return r;
}

static bool has_all_ipv4(const struct wanted *w, uint16_t port)
{
    struct sockaddr_any all = { .size = sizeof(struct sockaddr_in) };
    struct sockaddr_in *in = (struct sockaddr_in *)&all.sa;

    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    return wanted_contains(w, &all);
}

/* Only for [::] as written. :PORT means every address and looks the same to the kernel. */
static void settle_families(struct wanted *w)
{
    for (size_t i = 0; i < w->n; i++)
        for (int j = 0; w->addresses[i].text[0] == '[' && j < w->addresses[i].n; j++) {
            struct sockaddr_any *address = w->addresses[i].all + j;
            const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->sa;
            uint16_t port;

            assert(w->addresses[i].all);
            port = sockaddr_port(&address->sa);

            address->ipv6_alone = address->sa.sa_family == AF_INET6 &&
                                  IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr) && port != 0 &&
                                  has_all_ipv4(w, port);
        }
}

int wanted_look_up(const struct config *config, const struct wanted_beside *beside,
                   struct wanted *ret)
{
    struct wanted w = { 0 };
    bool any_passed = *beside->passed;
    int r = 0;

    if (beside->n_listen == 0 || any_passed)
        r = add_configured(&w, config, beside);
    for (size_t i = 0; i < beside->n_listen && r == 0 && !any_passed; i++)
        r = add(&w, default_section, beside->listen[i]);
    if (r == 0 && w.n == 0 && !any_passed)
        r = add(&w, default_section, WANTED_DEFAULT);
    if (r < 0) {
        wanted_free(&w);
        return r;
    }
    settle_families(&w);
    *ret = w;
    return 0;
}

static bool is_wildcard(const struct sockaddr_any *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->sa;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address->sa;

    return address->sa.sa_family == AF_INET ? in->sin_addr.s_addr == htonl(INADDR_ANY)
                                            : IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
}

static bool takes_ipv4(const struct sockaddr_any *address)
{
    return address->sa.sa_family == AF_INET || (is_wildcard(address) && !address->ipv6_alone);
}

/* Two addresses with the same port, one of which includes the other. */
static bool overlap(const struct sockaddr_any *a, const struct sockaddr_any *b)
{
    if (a->sa.sa_family == b->sa.sa_family)
        return is_wildcard(a) || is_wildcard(b);
    return takes_ipv4(a) && takes_ipv4(b);
}

bool wanted_conflicts(const struct wanted *w, const struct sockaddr_any *address)
{
    uint16_t port = sockaddr_port(&address->sa);

    for (size_t i = 0; i < w->n; i++)
        for (int j = 0; j < w->addresses[i].n; j++) {
            const struct sockaddr_any *other = &w->addresses[i].all[j];

            if (port != 0 && sockaddr_port(&other->sa) == port && !address_equal(other, address) &&
                overlap(other, address))
                return true;
        }
    return false;
}

bool wanted_contains(const struct wanted *w, const struct sockaddr_any *address)
{
    for (size_t i = 0; i < w->n; i++)
        for (int j = 0; j < w->addresses[i].n; j++)
            if (address_equal(&w->addresses[i].all[j], address))
                return true;
    return false;
}

void wanted_free(struct wanted *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->addresses[i].all);
    free(w->addresses);
    *w = (struct wanted){ 0 };
}

void wanted_free_passed(char **names)
{
    for (char **name = names; names && *name; name++)
        free(*name);
    free(names);
}
