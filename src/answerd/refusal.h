/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A start that fails for the reason for which the last one failed.
 *
 * systemd starts the service for a client that waits at its socket, again and again while the client
 * waits. So a start that would fail once more for the same reason, within a minute, does not end:
 * it says nothing, and looks again until the reason is gone. A start that fails for another reason
 * says so and ends at once.
 *
 * The last reason is kept in $RUNTIME_DIRECTORY. Without it nothing waits.
 */
enum refusal {
    REFUSAL_SAY,   /* say why, and end; the reason is remembered */
    REFUSAL_AGAIN, /* a moment has passed: look again */
    REFUSAL_ENDED, /* told to end meanwhile; the reason is forgotten */
};

/* This start has come to fail, and why. */
enum refusal refusal_wait(const char *why);

/* It has not failed. */
void refusal_forget(void);
