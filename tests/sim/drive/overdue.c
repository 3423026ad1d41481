/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "../calls.h"
#include "overdue.h"

static char text[128];
static char stack[65536]; /* that of a fiber is small */

static void on_overdue(int number)
{
    (void)number;
    (void)!__real_write(STDOUT_FILENO, text, strlen(text));
    _exit(EXIT_FAILURE);
}

void overdue_watch(const char *what, unsigned seconds)
{
    struct sigaction action = { .sa_handler = on_overdue, .sa_flags = SA_ONSTACK };
    struct itimerval limit = { .it_value.tv_sec = (time_t)seconds };
    stack_t alternative = { .ss_sp = stack, .ss_size = sizeof stack };
    int r;

    (void)snprintf(text, sizeof text, "%s: it does not end\n", what);
    r = sigaltstack(&alternative, NULL) | sigaction(SIGVTALRM, &action, NULL) |
        setitimer(ITIMER_VIRTUAL, &limit, NULL);
    assert(r == 0);
    (void)r;
}
