/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "answerd/config.h"
#include "net/address.h"

#define WANTED_DEFAULT "127.0.0.1:8080"

/*
 * The addresses to listen on, as written and resolved: those of --listen, else those of Listen=,
 * else 127.0.0.1:8080. Looking up a name can be as slow as DNS, so this is separate from opening
 * sockets. If [::] and 0.0.0.0 are named with the same port, [::] is IPv6 only.
 */
struct wanted_address {
    const char *section; /* borrowed from the configuration */
    const char *text;    /* likewise, or from the command line */
    struct sockaddr_any *all;
    int n;           /* the number of addresses; or a negative errno, and `error` explains */
    char error[128]; /* a copy: the text of strerror(3) may belong to the thread */
};

struct wanted {
    struct wanted_address *addresses;
    size_t n;
};

/* Sockets named outside the configuration. */
struct wanted_beside {
    const char *const *listen; /* the addresses of --listen */
    size_t n_listen;
    char *const *passed; /* sections with sockets from systemd, then NULL: their Listen= and
                            --listen have no effect */
};

/* 0 or -ENOMEM. An address that cannot be resolved is included, with its error. */
int wanted_look_up(const struct config *config, const struct wanted_beside *beside,
                   struct wanted *ret);
void wanted_free(struct wanted *w);

/* Whether another of the addresses is in the way of this one. The kernel's answer is no help if the
 * port was shared once: it remembers that (SO_REUSEPORT). */
bool wanted_conflicts(const struct wanted *w, const struct sockaddr_any *address);

/* Whether the address is in `wanted`. */
bool wanted_contains(const struct wanted *w, const struct sockaddr_any *address);

/* Frees wanted_beside.passed; NULL is fine. */
void wanted_free_passed(char **names);
