# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each system call of the daemon's life fails in turn, with each error that it may give there.

Left out is what cannot happen: EAGAIN from a socket that is not full, after which the kernel owes an edge that will
never come; EINTR from what does not block (signal(7)); and a close() that fails, which closes all the same.
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
SAMPLES = 6  # of the places where a system call is made, the first and last included

# System call, errors, and what the call has to be about where not all of them can fail so.
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
    """Which call by its thread, counted from 1, each system call of the table was, once the program itself ran."""
    counts, found, running = collections.Counter(), collections.defaultdict(set), False
    # A number counts for every thread (strace(1), "when"), and what the dynamic linker does is not the daemon's.
    early = collections.Counter()
    for line in trace:
        match = re.match(r"(\d+) +(\w+)\(", line)
        if not match:
            continue
        thread, name = match.groups()
        counts[thread, name] += 1
        running = running or "answerd.conf" in line and name == "openat"
        if not running:
            early[name] += 1
        for call, _, about in FAULTS if running else ():
            if call == name and about in line and counts[thread, name] > early[name]:
                found[name].add(counts[thread, name])
    return {name: sorted(numbers) for name, numbers in found.items()}


def sample(numbers):
    """Not more than SAMPLES of them, evenly spread."""
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
        # What is below the linker's numbers cannot be told from it: see the allocations' own test for memory.
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
        """No descriptor and no memory, and nothing is read before it was written."""
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
