/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "answerd/config.h"
#include "net/address.h"

#define WANTED_DEFAULT "127.0.0.1:8080"

/*
 * The addresses that are to be listened on, as they are written and looked up: those of --listen,
 * else those of Listen=, else 127.0.0.1:8080. Looking up a host's name may take as long as DNS
 * does, so that this is apart from opening sockets. [::] named beside 0.0.0.0 with the same port is
 * IPv6 alone.
 */
struct wanted_address {
    const char *section; /* borrowed from the configuration */
    const char *text;    /* likewise, or from the command line */
    struct sockaddr_any *all;
    int n;           /* addresses; or a negative errno, and `error` says what is wrong */
    char error[128]; /* a copy, since strerror(3) may keep its text with the thread */
};

struct wanted {
    struct wanted_address *addresses;
    size_t n;
};

/* What stands beside the configuration. */
struct wanted_beside {
    const char *const *listen; /* of --listen */
    size_t n_listen;
    char *const *passed; /* sections with sockets from systemd, ending with NULL: their Listen=, and
                            --listen, do not count */
};

/* 0 or -ENOMEM. An address that cannot be found is among them, with its error. */
int wanted_look_up(const struct config *config, const struct wanted_beside *beside,
                   struct wanted *ret);
void wanted_free(struct wanted *w);

/* Whether another of them cannot be listened on beside this address. The kernel's own answer counts
 * for nothing where a port was shared once: it remembers that (SO_REUSEPORT). */
bool wanted_conflicts(const struct wanted *w, const struct sockaddr_any *address);

/* Whether the address is among them. */
bool wanted_contains(const struct wanted *w, const struct sockaddr_any *address);

/* Frees wanted_beside.passed; NULL is fine. */
void wanted_free_passed(char **names);
