/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answerd/listeners.h"
#include "answerd/service.h"
#include "base/macros.h"
#include "net/socket.h"

struct wanting {
    const struct listeners *have;
    const struct wanted *wanted;
    struct listeners want;
    report_fn report;
    void *userdata;
};

_printf_(3, 4) static void tell(report_fn report, void *userdata, const char *format, ...)
{
    char line[ADDRESS_TEXT_MAX + CONFIG_NAME_MAX + 256];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    report(userdata, line);
}

static int add(struct listeners *ls, struct listener *l)
{
    struct listener **items = reallocarray(ls->items, ls->n + 1, sizeof *items);

    if (!items)
        return -ENOMEM;
    ls->items = items;
    ls->items[ls->n++] = l;
    return 0;
}

static bool contains(const struct listeners *ls, const struct listener *l)
{
    for (size_t i = 0; i < ls->n; i++)
        if (ls->items[i] == l)
            return true;
    return false;
}

void listeners_free(struct listeners *ls)
{
    for (size_t i = 0; i < ls->n; i++)
        listener_free(ls->items[i]);
    free(ls->items);
    *ls = (struct listeners){ 0 };
}

static int adopt_one(struct listeners *ls, const struct service_socket *socket, report_fn report,
                     void *userdata)
{
    struct listener *l = NULL;
    int r;

    if (strlen(socket->name) > CONFIG_NAME_MAX) {
        tell(report, userdata,
             "the name of descriptor %d, passed by systemd, has more than %d bytes; set a shorter "
             "FileDescriptorName=",
             socket->fd, CONFIG_NAME_MAX);
        return -ENAMETOOLONG;
    }
    r = listener_adopt(socket->fd, socket->name, &l);
    if (r == -ENOTSUP)
        tell(report, userdata,
             "descriptor %d (%s), passed by systemd, is not a listening stream socket; use "
             "ListenStream= and Accept=no",
             socket->fd, socket->name);
    else if (r < 0)
        tell(report, userdata, "descriptor %d (%s), passed by systemd: %s", socket->fd,
             socket->name, strerror(-r));
    if (r < 0)
        return r;
    r = add(ls, l);
    if (r < 0) {
        listener_free(l);
        report(userdata, "out of memory");
    }
    return r;
}

int listeners_adopt(struct listeners *ls, report_fn report, void *userdata)
{
    struct service_socket *sockets = NULL;
    int n = service_sockets(&sockets), r = 0;

    if (n < 0) {
        tell(report, userdata, "the sockets passed by systemd cannot be used: %s", strerror(-n));
        return n;
    }
    for (int i = 0; i < n && r == 0; i++)
        r = adopt_one(ls, &sockets[i], report, userdata);
    service_sockets_free(sockets, n);
    if (r < 0)
        listeners_free(ls);
    return r;
}

/* The listener in `ls` that was opened for this address and is not in `except`, which may be NULL.
 * name: NULL for any section. */
static struct listener *find_open(const struct listeners *ls, const struct listeners *except,
                                  const char *name, const struct sockaddr_any *address)
{
    for (size_t i = 0; i < ls->n; i++) {
        struct listener *l = ls->items[i];

        if (!l->inherited && (!name || strcmp(l->name, name) == 0) &&
            address_equal(&l->asked, address) && !(except && contains(except, l)))
            return l;
    }
    return NULL;
}

/* If an address is named twice, one socket is enough; a host's names may repeat an address, too.
 * Port 0 is a different port each time. */
static bool same_socket(const struct sockaddr_any *address)
{
    return address->sa.sa_family == AF_UNIX || sockaddr_port(&address->sa) != 0;
}

/* Lets a new socket share its port with open sockets that will be closed, or takes that back. True
 * if there are such sockets. */
static bool share_port(const struct wanting *w, const struct sockaddr_any *address, bool share)
{
    uint16_t port = sockaddr_port(&address->sa);
    bool any = false;

    for (size_t i = 0; i < w->have->n && port != 0; i++) {
        struct listener *l = w->have->items[i];

        if (!l->inherited && sockaddr_port(&l->asked.sa) == port &&
            !wanted_contains(w->wanted, &l->asked))
            any |= socket_share_port(l->fd, share) == 0;
    }
    return any;
}

static int open_new(const struct wanting *w, const char *name, const struct sockaddr_any *address,
                    struct listener **ret)
{
    int r = listener_open(address, name, false, ret);

    if (r == -EADDRINUSE && !wanted_conflicts(w->wanted, address) && share_port(w, address, true)) {
        r = listener_open(address, name, true, ret);
        (void)share_port(w, address, false);
    }
    return r;
}

static int want_address(struct wanting *w, const char *name, const struct sockaddr_any *address)
{
    struct listener *l;
    int r;

    if (same_socket(address) && find_open(&w->want, NULL, name, address))
        return 0;
    l = find_open(w->have, &w->want, name, address);
    if (l)
        return add(&w->want, l);
    if (same_socket(address) && find_open(&w->want, NULL, NULL, address))
        return -EADDRINUSE;
    /* If an address moves to another section, both sections need it for a while. */
    l = same_socket(address) ? find_open(w->have, &w->want, NULL, address) : NULL;
    r = l ? listener_share(l, name, &l) : open_new(w, name, address, &l);
    if (r < 0)
        return r;
    r = add(&w->want, l);
    if (r < 0)
        listener_free(l);
    return r;
}

static const char *refusal(int error)
{
    return error == -EISDIR   ? "it is a directory"
           : error == -EEXIST ? "the file exists and is not a socket"
                              : strerror(-error);
}

/* A host's name may have addresses that this machine lacks. One that works is enough. */
static int want_all(struct wanting *w, const struct wanted_address *a)
{
    int r = a->n, done = 0;

    if (a->n < 0) {
        tell(w->report, w->userdata, "cannot listen on %s: %s", a->text, a->error);
        return a->n;
    }
    for (int i = 0; i < a->n; i++) {
        r = want_address(w, a->section, &a->all[i]);
        if (r == 0)
            done++;
        else if (r != -EADDRNOTAVAIL && r != -EAFNOSUPPORT)
            break;
    }
    if (r < 0 && (done == 0 || (r != -EADDRNOTAVAIL && r != -EAFNOSUPPORT))) {
        tell(w->report, w->userdata, "cannot listen on %s: %s", a->text, refusal(r));
        return r;
    }
    return 0;
}

/* A passed socket belongs to the section of its name. */
static int want_inherited(struct wanting *w, const struct config *config)
{
    for (size_t i = 0; i < w->have->n; i++) {
        struct listener *l = w->have->items[i];

        if (!l->inherited)
            continue;
        if (!config_find(config, l->name)) {
            tell(w->report, w->userdata,
                 "the configuration has no section [Listener %s], but systemd passed the socket %s "
                 "with that name",
                 l->name, l->address);
            return -ESRCH;
        }
        if (add(&w->want, l) < 0) {
            w->report(w->userdata, "out of memory");
            return -ENOMEM;
        }
    }
    return 0;
}

int listeners_want(const struct listeners *have, const struct config *config,
                   const struct wanted *wanted, struct listeners *ret, report_fn report,
                   void *userdata)
{
    struct wanting w = { .have = have, .wanted = wanted, .report = report, .userdata = userdata };
    int r;

    r = want_inherited(&w, config);
    for (size_t i = 0; i < wanted->n && r == 0; i++)
        r = want_all(&w, &wanted->addresses[i]);
    if (r < 0) {
        listeners_revert(have, &w.want);
        return r;
    }
    *ret = w.want;
    return 0;
}

char **listeners_passed(const struct listeners *ls)
{
    char **names = calloc(ls->n + 1, sizeof *names);
    size_t n = 0;

    for (size_t i = 0; names && i < ls->n; i++) {
        if (!ls->items[i]->inherited)
            continue;
        names[n] = strdup(ls->items[i]->name);
        if (!names[n++]) {
            wanted_free_passed(names);
            return NULL;
        }
    }
    return names;
}

void listeners_revert(const struct listeners *have, struct listeners *want)
{
    for (size_t i = 0; i < want->n; i++)
        if (!contains(have, want->items[i]))
            listener_free(want->items[i]);
    free(want->items);
    *want = (struct listeners){ 0 };
}

/* Makes `l` the sole owner of a shared socket. The other listener will only close it. */
static void take_over(struct listener *l, const struct listeners *have)
{
    struct listener *other = find_open(have, NULL, NULL, &l->asked);

    l->shared = false;
    if (other)
        other->shared = true;
}

void listeners_commit(struct listeners *have, struct listeners *want, struct listener **retired)
{
    for (size_t i = 0; i < want->n; i++)
        if (want->items[i]->shared)
            take_over(want->items[i], have);
    for (size_t i = 0; i < have->n; i++)
        if (!contains(want, have->items[i])) {
            have->items[i]->next = *retired;
            *retired = have->items[i];
        }
    free(have->items);
    *have = *want;
    *want = (struct listeners){ 0 };
}

struct worker_plan *listeners_plan(const struct listeners *ls, const struct config *config)
{
    struct worker_plan *plan = calloc(1, sizeof *plan + ls->n * sizeof(struct acceptor *));

    for (; plan && plan->n < ls->n; plan->n++) {
        struct listener *l = ls->items[plan->n];
        struct acceptor *a =
            acceptor_new(l->fd, l->address, config_find(config, l->name)->settings);

        if (!a) {
            worker_plan_free(plan);
            return NULL;
        }
        plan->acceptors[plan->n] = a;
    }
    return plan;
}
