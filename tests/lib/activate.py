# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a program the way systemd starts one: sockets at descriptors 3 and up, LISTEN_PID its own.

usage: activate.py FD,FD,... PROGRAM [ARGUMENT...]

subprocess cannot do this: the descriptor on which it reports a failed exec may be number 3, and the process ID is
unknown before the fork (sd_listen_fds(3)). The program dies with its parent, so a killed test leaves nothing behind
(PR_SET_PDEATHSIG(2const)).
"""

import ctypes
import os
import signal
import sys

FIRST = 3  # SD_LISTEN_FDS_START
PR_SET_PDEATHSIG = 1


def place(numbers):
    """Moves the descriptors to FIRST and up, in order, and keeps them open across exec."""
    above = FIRST + len(numbers) + max(numbers, default=0)
    copies = []
    for i, number in enumerate(numbers):
        os.dup2(number, above + i)
        copies.append(above + i)
    for i, number in enumerate(copies):
        os.dup2(number, FIRST + i, inheritable=True)
    # Closes originals and copies, except those that are targets now.
    for number in set(numbers) | set(copies):
        if not FIRST <= number < FIRST + len(numbers):
            os.close(number)


def main():
    numbers = [int(n) for n in sys.argv[1].split(",") if n]
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    place(numbers)
    environment = dict(os.environ)
    if numbers:
        environment["LISTEN_FDS"] = str(len(numbers))
        environment["LISTEN_PID"] = str(os.getpid())
    os.execvpe(sys.argv[2], sys.argv[2:], environment)


if __name__ == "__main__":
    main()
