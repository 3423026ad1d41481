/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A start that fails for the same reason as the last one.
 *
 * systemd starts the service for a client that waits at its socket, again and again while the
 * client waits. So if a start fails again for the same reason within a minute, it does not end. It
 * stays silent and tries again until the reason is gone. A start that fails for another reason
 * reports it and ends at once.
 *
 * The last reason is kept in $RUNTIME_DIRECTORY. Without that folder no start waits.
 */
enum refusal {
    REFUSAL_SAY,   /* report the reason and end; the reason is remembered */
    REFUSAL_AGAIN, /* a moment has passed: try again */
    REFUSAL_ENDED, /* a signal ended the wait; the reason is forgotten */
};

/* This start fails for this reason. */
enum refusal refusal_wait(const char *why);

/* This start has succeeded. */
void refusal_forget(void);
