# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stops one thread of a process while the others run, as a bug in it would.

A signal stops all threads or none. ptrace(2) stops only the thread that it is attached to. The process can still be
killed.
"""

import ctypes
import os

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_DETACH = 17
PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WALL = 0x40000000  # Threads too (waitpid(2)).


def _ptrace(request, thread):
    LIBC.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    if LIBC.ptrace(request, thread, None, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace of thread {thread}: {os.strerror(number)}")


def threads(pid):
    """The threads of a process, the main one first."""
    return sorted((int(name) for name in os.listdir(f"/proc/{pid}/task")), key=lambda t: (t != pid, t))


class Hang:
    """`with Hang(thread):` stops the thread. Afterwards it continues, if it still exists."""

    def __init__(self, thread):
        self.thread = thread
        self._dead = False

    def __enter__(self):
        _ptrace(PTRACE_SEIZE, self.thread)
        _ptrace(PTRACE_INTERRUPT, self.thread)
        _, status = os.waitpid(self.thread, WALL)
        assert os.WIFSTOPPED(status), status
        return self

    def dead(self):
        """Whether the thread was killed. It must be asked: a traced thread stays a zombie, and with it the process,
        until its tracer has waited for it."""
        if not self._dead:
            pid, status = os.waitpid(self.thread, WALL | os.WNOHANG)
            self._dead = pid != 0 and not os.WIFSTOPPED(status)
        return self._dead

    def __exit__(self, *_):
        if not self.dead():
            _ptrace(PTRACE_DETACH, self.thread)
