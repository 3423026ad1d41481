# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real systemd-journald for a test, in its own folder, without systemd as PID 1.

The test binds the socket and journald inherits it. So stopping, killing and restarting journald affects its clients
exactly as with systemd's socket unit. It runs as a journal namespace and touches no kernel log, audit log or /var/log
of the machine.

The queue of the socket holds net.unix.max_dgram_qlen datagrams. The kernel copies this number to a socket when it is
made (unix(7)): 10 by default, 512 if systemd has set it.
"""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import journal_export
import net

PROGRAM = "/lib/systemd/systemd-journald"
ACTIVATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "activate.py")
QUEUE = "/proc/sys/net/unix/max_dgram_qlen"
SYNCHRONIZE = b'{"method":"io.systemd.Journal.Synchronize"}\0'


def require():
    """Skips the test if there is no journald to run."""
    if not os.access(PROGRAM, os.X_OK) or not shutil.which("journalctl"):
        raise unittest.SkipTest("systemd-journald and journalctl are needed")


def places():
    """The number of datagrams in a full queue: one more than its limit (unix_recvq_full())."""
    with open(QUEUE, encoding="ascii") as file:
        return int(file.read()) + 1


class Journal:
    """A running journald. Set ANSWERD_JOURNAL_SOCKET to `socket_path`."""

    def __init__(self, test=None, logs=None):
        """Starts it. With `test`, it is closed at the end of that test. `logs`: where to write."""
        require()
        # sun_path has 108 bytes: not below a long TMPDIR.
        self.directory = tempfile.mkdtemp(prefix="aj", dir="/tmp")
        self.run = os.path.join(self.directory, "run")
        self.logs = logs or os.path.join(self.directory, "logs")
        os.mkdir(self.run)
        os.makedirs(self.logs, exist_ok=True)
        self.socket_path = os.path.join(self.run, "socket")
        self._log = open(os.path.join(self.directory, "journald.log"), "ab")
        self._process = self._socket = self._varlink = None
        if test is not None:
            test.addCleanup(self.close)
        self.create_socket()
        self.start()

    def create_socket(self):
        """Binds the socket for journald. A running journald keeps reading the old one."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.socket_path)

    def remove_socket(self):
        """Ends journald and removes its socket: senders see EPIPE or ECONNREFUSED, then ENOENT.

        Returns the entries left in the socket, which journald will never read.
        """
        self.stop()
        # No more entries arrive from here on: those read below are all that were taken.
        self._socket.shutdown(socket.SHUT_RD)
        self._socket.setblocking(False)
        left = []
        with contextlib.suppress(BlockingIOError):
            while data := self._socket.recv(1 << 20):
                left.append(data)
        self._socket.close()
        self._socket = None
        os.unlink(self.socket_path)
        return left

    def start(self):
        """Starts journald on the bound socket. Returns once it accepts requests."""
        environment = {
            "PATH": os.environ["PATH"],
            "RUNTIME_DIRECTORY": self.run,
            "LOGS_DIRECTORY": self.logs,
        }
        varlink = os.path.join(self.run, "io.systemd.journal")
        if os.path.exists(varlink):
            os.unlink(varlink)
        self._process = subprocess.Popen(
            [sys.executable, "-SE", ACTIVATE, str(self._socket.fileno()), PROGRAM, "answerd-test"],
            pass_fds=[self._socket.fileno()], env=environment, stdin=subprocess.DEVNULL,
            stdout=self._log, stderr=self._log)
        self._varlink = net.wait_until(self._connect_varlink, what="journald to come up")

    def _connect_varlink(self):
        if self._process.poll() is not None:
            raise AssertionError(f"journald ended at once, status {self._process.returncode}")
        try:
            # Kept open: a journald of a namespace exits after 30 s without work, but not while it has a client.
            return net.connect(os.path.join(self.run, "io.systemd.journal"))
        except (FileNotFoundError, ConnectionRefusedError):
            return None

    @property
    def pid(self):
        return self._process.pid

    def _end(self, number):
        self._varlink.close()
        self._process.send_signal(number)
        # SIGKILL ends a stopped process. SIGTERM needs it to continue.
        self._process.send_signal(signal.SIGCONT)
        status = self._process.wait(timeout=net.TIMEOUT)
        self._process = None
        return status

    def stop(self):
        """Sends SIGTERM and waits. journald first reads its queue."""
        if self._process is not None:
            self._end(signal.SIGTERM)

    def kill(self):
        """Sends SIGKILL and waits. The socket stays, with its queue."""
        self._end(signal.SIGKILL)

    def restart(self):
        """Like `systemctl restart systemd-journald`: the socket stays open."""
        self.stop()
        self.start()

    def pause(self):
        """SIGSTOP: the queue fills, and senders get EAGAIN."""
        self._process.send_signal(signal.SIGSTOP)
        net.wait_until(lambda: self._state() == "T", what="journald to stop")

    def full(self):
        """Whether the queue of its socket is full. Then a connected socket is not writable (unix_dgram_poll())."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            probe.connect(self.socket_path)
            return not select.select([], [probe], [], 0)[1]

    def pause_until_full(self):
        """SIGSTOP, then waits until senders have filled the queue."""
        self.pause()
        net.wait_until(self.full, what="the journal's queue to fill up")

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def _state(self):
        with open(f"/proc/{self._process.pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]

    def sync(self, timeout=60.0):
        """Returns when journald has read and written everything queued before the call.

        True if it confirmed this; False if it refused (it talks to root only).
        """
        try:
            self._varlink.sendall(SYNCHRONIZE)
            reply = net.recv_exactly(self._varlink, len(b'{"parameters":{}}\0'), timeout)
        except OSError:
            return False
        if b"error" in reply:
            raise AssertionError(f"journald would not synchronize: {reply!r}")
        return True

    def export(self, *matches):
        """The output of `journalctl -o export` over all files, in journal order."""
        done = subprocess.run(
            ["journalctl", "--directory=" + self.logs, "--all", "--quiet", "-o", "export", *matches],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise AssertionError(f"journalctl: {done.stderr.decode()}")
        return done.stdout

    def entries(self, *matches):
        """The matching entries, such as `entries("ANSWERD_PEER=127.0.0.1")`; all entries without a match.

        Entries that journald has not read from its socket are missing: see sync() and wait_for().
        """
        return journal_export.parse(self.export(*matches))

    def wait_for(self, count, *matches, timeout=60.0):
        """The matching entries, once there are at least `count`."""
        found = []

        def enough():
            nonlocal found
            self.sync(timeout)
            found = self.entries(*matches)
            return len(found) >= count

        try:
            net.wait_until(enough, timeout, interval=0.1)
        except AssertionError:
            raise AssertionError(f"{len(found)} of {count} entries in {timeout} s") from None
        return found

    def close(self):
        """Ends journald and removes its folder."""
        self.stop()
        if self._socket is not None:
            self._socket.close()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)
