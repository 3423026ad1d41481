/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/*
 * What answerd and systemd say to each other: passed sockets, readiness, the watchdog.
 */

/* Whether a person started this process: systemd neither waits for its notifications nor reads its
 * standard error. */
bool service_by_hand(void);

#define SERVICE_SOCKET_UNIT "answerd.socket"

/* Whether systemd holds the sockets of that unit, or will from the next boot on. False where it cannot
 * be asked. May take a second. */
bool service_socket_unit_in_use(void);

struct service_socket {
    int fd;
    char *name; /* FileDescriptorName=; `default` for sockets that were given none */
};

/* The sockets that were passed: their number, with *ret to be freed with service_sockets_free(), 0
 * without; or a negative errno. They are close-on-exec, and children will not take them for
 * theirs. */
int service_sockets(struct service_socket **ret);
void service_sockets_free(struct service_socket *sockets, int n);

/* sd_notify(3); does nothing where nobody listens. */
_printf_(1, 2) void service_notify(const char *format, ...);

/* How often the watchdog wants to hear something, ms; 0: never. */
uint64_t service_watchdog_ms(void);
