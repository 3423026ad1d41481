# SPDX-License-Identifier: LGPL-2.1-or-later
"""Accepting continues without descriptors, and after every error of accept4(2)."""

import errno
import os
import resource
import select
import shutil
import struct
import subprocess
import tempfile
import time
import unittest

import net
from daemon import Daemon
from witness import answers, log_lines, preload, strace

CLIENTS = 200
DESCRIPTORS = 64
# "accept() passes already-pending network errors on the new socket as an error code" (accept(2)), and the errors for
# lack of a resource.
OF_THE_CONNECTION = ("ECONNABORTED", "EPROTO", "ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET", "EHOSTUNREACH",
                     "EOPNOTSUPP", "ENETUNREACH", "EPERM", "EINTR")
OF_THE_MACHINE = ("EMFILE", "ENFILE", "ENOBUFS", "ENOMEM")


def served(clients):
    """The clients that have a reply by now."""
    done = []
    for client in clients:
        try:
            client.setblocking(False)
            if client.recv(3):
                done.append(client)
        except BlockingIOError:
            pass
    return done


def expect_idle(test, daemon):
    """Less than 5 % of a processor over three seconds. The time itself is needed to measure that."""
    begun, used = time.monotonic(), net.cpu_seconds(daemon.pid)
    net.wait_until(lambda: time.monotonic() - begun >= 3, what="time to go by", interval=0.1)
    share = (net.cpu_seconds(daemon.pid) - used) / (time.monotonic() - begun)
    test.assertLess(share, 0.05)


class OutOfDescriptors(unittest.TestCase):
    def crowd(self, daemon):
        clients = [daemon.connect() for _ in range(CLIENTS)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"hello\n")
        return clients

    def test_clients_above_the_limit_wait(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=1"],
                        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)))
        begun = time.monotonic()
        waiting = self.crowd(daemon)
        daemon.stderr.wait_for("accepting pauses until a connection ends")
        first = []

        def settled():
            more = served(set(waiting) - set(first))
            first.extend(more)
            return first and not more

        net.wait_until(settled, interval=0.2)
        self.assertLess(len(first), DESCRIPTORS)
        expect_idle(self, daemon)
        # It logs this, at most once a second.
        said = log_lines(daemon, "accepting pauses until a connection ends")
        self.assertTrue(0 < len(said) <= time.monotonic() - begun + 1, said)
        # Each closed connection frees a place, and another client gets it within a second.
        waiting = [c for c in waiting if c not in first]
        while waiting:
            first.pop(0).close()
            more = net.wait_until(lambda: served(waiting), 1 + net.LATE, "a place that became free to be taken")
            waiting = [c for c in waiting if c not in more]
            first += more
        daemon.stop()

    def test_a_limit_that_shrinks(self):
        """The daemon has reserved descriptors. They are taken away while it runs (prlimit(2)), then given back."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=1"])
        limits = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        held = net.fd_count(daemon.pid)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (held, limits[1]))
        waiting = self.crowd(daemon)
        daemon.stderr.wait_for("accepting pauses: " + os.strerror(errno.EMFILE))
        expect_idle(self, daemon)
        self.assertFalse(served(waiting))
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, limits)
        begun = time.monotonic()
        for client in waiting:
            client.settimeout(net.TIMEOUT)
            self.assertEqual(client.recv(3), b"ok\n")
        self.assertLess(time.monotonic() - begun, 1 + net.LATE)
        daemon.stop()


@unittest.skipUnless(shutil.which("strace"), "strace is needed")
class AcceptErrors(unittest.TestCase):
    def check(self, error, when):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=1"],
                        wrapper=strace("-o", "/dev/null", "-e", "trace=accept4",
                                        "-e", f"inject=accept4:error={error}:when={when}"))
        for _ in range(3):
            self.assertTrue(answers(daemon.address()))
        daemon.stop()
        return daemon.stderr.lines

    def test_errors_of_the_connection(self):
        for error in OF_THE_CONNECTION:
            with self.subTest(error=error):
                lines = self.check(error, "1..3")
                said = [x for x in lines if os.strerror(getattr(errno, error)) in x]
                # EINTR is not logged. Other errors are logged once a second, and the daemon may live longer than that.
                self.assertEqual(bool(said), error != "EINTR", lines)

    def test_errors_of_the_machine(self):
        for error in OF_THE_MACHINE:
            with self.subTest(error=error):
                lines = self.check(error, "1..2")
                self.assertTrue([x for x in lines if "accepting pauses" in x], lines)


class OutOfWatches(unittest.TestCase):
    """The kernel watches no more sockets for this user (epoll(7), max_user_watches)."""

    def test_clients_wait(self):
        library = preload(self, "few-watches.so")
        # Two of the main thread, one of the worker, one of the listener, and six for clients.
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=1"],
                        wrapper=["env", "LD_PRELOAD=" + library, "FEW_WATCHES=10"])
        waiting = []
        for _ in range(20):
            waiting.append(daemon.connect())
            self.addCleanup(waiting[-1].close)
            waiting[-1].sendall(b"hello\n")
        daemon.stderr.wait_for(r"accepting pauses: .*fs\.epoll\.max_user_watches")
        expect_idle(self, daemon)
        first = served(waiting)
        # The place of the listener may be taken, too, while it cannot accept.
        self.assertTrue(6 <= len(first) <= 7, len(first))
        waiting = [c for c in waiting if c not in first]
        # No client is cut off, and none is accepted that cannot be served.
        self.assertEqual(select.select(waiting, [], [], 0)[0], [])
        self.assertFalse(log_lines(daemon, "could not take a connection"))
        while waiting:
            first.pop(0).close()
            more = net.wait_until(lambda: served(waiting), what="a place that became free to be taken")
            waiting = [c for c in waiting if c not in more]
            first += more
        daemon.stop()


class Paused(unittest.TestCase):
    """A worker could not accept. Others do, and it resumes for a reason, not after some time.

    The clock of the daemon stands still, so no timer expires.
    """

    PLACES = 16

    def start(self, server):
        library = preload(self, "shift-clock.so")
        directory = tempfile.TemporaryDirectory(prefix="ap", dir="/tmp")
        self.addCleanup(directory.cleanup)
        path = os.path.join(directory.name, "shift")
        with open(path, "wb") as file:
            file.write(struct.pack("qq", 0, 0))
        self.daemon = Daemon(self, [], config=f"[Server]\nWorkers=2\n{server}\n[Listener default]\nListen=127.0.0.1:0\n",
                             wrapper=["env", "LD_PRELOAD=" + library, "SHIFT_CLOCK=" + path])
        with open(path, "r+b") as file:
            file.write(struct.pack("qq", 0, time.clock_gettime_ns(time.CLOCK_MONOTONIC)))

    def ask(self):
        """A client that asks. Returns once the daemon has handled it. Each client wakes a sleeping worker."""
        client = self.daemon.connect()
        self.addCleanup(client.close)
        client.sendall(b"hello\n")
        net.wait_until(lambda: net.asleep(self.daemon.pid), what="the workers to sleep", interval=0.001)
        return client

    def test_a_place_that_becomes_free_on_any_worker_is_taken(self):
        self.start(f"MaxConnections={self.PLACES}")
        # Enough for each worker to have some.
        first = [self.ask() for _ in range(self.PLACES)]
        for number, client in enumerate(first):
            self.assertEqual(net.recv_exactly(client, 3), b"ok\n", number)
        for number, client in enumerate(first):
            waiting = self.ask()
            self.assertFalse(served([waiting]))
            client.close()
            net.wait_until(lambda: served([waiting]), what=f"place {number} to be taken")
        self.daemon.stop()

    @unittest.skipUnless(shutil.which("strace"), "strace is needed")
    def test_the_others_are_woken(self):
        for name in "worker-0", "worker-1":
            with self.subTest(name):
                self.start("")
                self.fail_in(self.daemon.workers()[name])
                # Connections that it cannot accept wait until the next one wakes another worker.
                for client in [self.ask() for _ in range(10)]:
                    self.assertEqual(net.recv_exactly(client, 3), b"ok\n")
                self.daemon.stop()

    def fail_in(self, thread):
        """Only this thread has no descriptors for accepting."""
        tracer = subprocess.Popen(["strace", "-qq", "-o", "/dev/null", "-e", "trace=accept4",
                                   "-e", "inject=accept4:error=EMFILE", "-p", str(thread)],
                                  stdin=subprocess.DEVNULL)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.terminate)

        def traced():
            with open(f"/proc/{self.daemon.pid}/task/{thread}/status", encoding="ascii") as status:
                return "TracerPid:\t0\n" not in status.read()

        net.wait_until(traced, what="the thread to be traced")


if __name__ == "__main__":
    unittest.main()
