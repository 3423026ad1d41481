/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

/*
 * The interface to systemd: passed sockets, readiness, the watchdog.
 */

/* Whether a user started this process by hand: systemd neither waits for its notifications nor
 * reads its standard error. */
bool service_by_hand(void);

#define SERVICE_SOCKET_UNIT "answerd.socket"

/* Whether systemd holds the sockets of that unit, or will after the next boot. False if systemd
 * cannot be asked. May take a second. */
bool service_socket_unit_in_use(void);

struct service_socket {
    int fd;
    char *name; /* FileDescriptorName=; `default` for sockets without one */
};

/* The passed sockets: their number, 0 if there are none, and *ret, to free with
 * service_sockets_free(); or a negative errno. They are close-on-exec, and child processes will not
 * mistake them for their own. */
int service_sockets(struct service_socket **ret);
void service_sockets_free(struct service_socket *sockets, int n);

/* sd_notify(3). Does nothing if nobody listens. */
_printf_(1, 2) void service_notify(const char *format, ...);

/* A start or a reload does something that takes long, and makes progress: systemd waits longer for it,
 * and the watchdog is content. text: what it does, for STATUS=. */
void service_goes_on(const char *text);

/* The interval of the watchdog in ms; 0: none. */
uint64_t service_watchdog_ms(void);
