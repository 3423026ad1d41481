# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each system call in the daemon's life fails in turn, with each of its possible errors.

Impossible failures are left out: EAGAIN from a socket that is not full, because the edge that the kernel then owes
never comes; EINTR from a call that does not block (signal(7)); and a failing close(), which closes all the same.
"""

import collections
import concurrent.futures
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import tap
from life import Life
from witness import sanitized, strace

AT_ONCE = 2
SAMPLES = 6  # sampled places of a system call, including the first and the last

# System call, errors, and a pattern for its arguments if not all such calls can fail.
FAULTS = (
    ("accept4", ("ECONNABORTED", "EMFILE", "ENOBUFS"), ""),
    ("bind", ("EADDRINUSE", "ENOMEM"), ""),
    ("clone3", ("EAGAIN", "ENOMEM"), ""),
    ("connect", ("ECONNREFUSED", "ENOENT"), ""),
    ("epoll_create1", ("EMFILE", "ENOMEM"), ""),
    ("epoll_ctl", ("ENOMEM", "ENOSPC"), "EPOLL_CTL_ADD"),
    ("epoll_wait", ("EINTR",), ""),
    ("eventfd2", ("EMFILE", "ENOMEM"), ""),
    ("fcntl", ("EPERM",), "F_ADD_SEALS"),
    ("getsockname", ("ENOBUFS",), ""),
    ("listen", ("EADDRINUSE",), ""),
    ("memfd_create", ("EMFILE", "ENOMEM"), ""),
    ("mmap", ("ENOMEM",), "MAP_ANONYMOUS"),
    ("openat", ("EMFILE", "ENFILE", "ENOMEM"), "answerd.conf"),
    ("read", ("EIO",), "answerd.conf"),
    ("recvfrom", ("EINTR", "ECONNRESET", "ENOMEM", "ETIMEDOUT"), "TCP:"),
    ("sendmmsg", ("EINTR", "ENOBUFS", "ENOMEM", "ECONNREFUSED", "ENOTCONN"), ""),
    ("sendmsg", ("EINTR", "ENOBUFS", "ETOOMANYREFS"), "SCM_RIGHTS"),
    ("sendto", ("EINTR", "EPIPE", "ECONNRESET", "ENOBUFS", "ENOMEM"), "TCP:"),
    ("setsockopt", ("ENOMEM",), ""),
    ("shutdown", ("ENOTCONN",), ""),
    ("signalfd4", ("EMFILE", "ENOMEM"), ""),
    ("socket", ("EMFILE", "ENOBUFS"), ""),
)


def places(trace):
    """The number of each system call in its thread, from 1, once the program itself runs."""
    counts, found, running = collections.Counter(), collections.defaultdict(set), False
    # A number counts in every thread (strace(1), "when"), and calls of the dynamic linker are not the daemon's.
    early = collections.Counter()
    for line in trace:
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match:
            continue
        thread, name = match.groups()
        counts[thread, name] += 1
        running = running or name == "epoll_create1"  # the first thing that the daemon does by itself
        if not running:
            early[name] += 1
        for call, _, about in FAULTS if running else ():
            if call == name and about in line and counts[thread, name] > early[name]:
                found[name].add(counts[thread, name])
    return {name: sorted(numbers) for name, numbers in found.items()}


def sample(numbers):
    """At most SAMPLES of them, evenly spaced."""
    if len(numbers) <= SAMPLES:
        return numbers
    return sorted({numbers[round(i * (len(numbers) - 1) / (SAMPLES - 1))] for i in range(SAMPLES)})


class SystemCalls(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="as", dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def disturb(self, call, error, number):
        wrapper = strace("-o", "/dev/null", "-e", "trace=" + call, "-e", f"inject={call}:error={error}:when={number}")
        try:
            Life(self, wrapper, tries=3).live()
        except Exception as problem:
            raise AssertionError(f"{call}() number {number} with {error}: {problem}") from problem

    def test_each_fails_in_turn(self):
        if not shutil.which("strace"):
            self.skipTest("strace is needed")
        trace = os.path.join(self.directory, "trace")
        Life(self, strace("-yy", "-o", trace)).live()
        with open(trace, encoding="utf-8", errors="replace") as file:
            found = places(file)
        # Calls with numbers below the linker's last one look like the linker's. For memory see test_allocations.py.
        self.assertLessEqual({c for c, _, _ in FAULTS} - set(found), {"mmap", "read"})
        jobs, failures = [], []
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            for call, errors, _ in FAULTS:
                jobs += [pool.submit(self.disturb, call, error, number)
                         for error in errors for number in sample(found.get(call, []))]
            for job in jobs:
                if job.exception():
                    failures.append(str(job.exception()))
        print(f"# {len(FAULTS)} system calls, {len(jobs)} faults")
        self.assertFalse(failures, "\n".join(failures))

    def test_nothing_is_left_open(self):
        """It leaks no descriptor and no memory, and reads nothing before writing it."""
        if not shutil.which("valgrind"):
            self.skipTest("valgrind is needed")
        if sanitized():
            self.skipTest("valgrind and sanitizers exclude each other")
        log = os.path.join(self.directory, "valgrind")
        Life(self, ["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                    "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99", "--track-fds=yes",
                    "--log-file=" + log], workers=2).live()
        with open(log, encoding="utf-8") as file:
            text = file.read()
        left = re.findall(r"Open (?:file descriptor|AF_\w+ socket).*\n==\d+== +(?!<inherited| )(.*)", text)
        self.assertFalse(left, text)


if __name__ == "__main__":
    tap.main()
