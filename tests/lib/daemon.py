# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts answerd for a test, waits for its messages, and makes sure that it ends.

    daemon = Daemon(self, ["--listen=127.0.0.1:0"])
    net.exchange(daemon.address(), b"hello\\n")
    daemon.stop()

The program is $ANSWERD, which `make check` sets. $ANSWERD_WRAPPER or `wrapper=` puts a command in front, such as
valgrind.
"""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import net

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
ACTIVATE = os.path.join(HERE, "activate.py")


def program(name="answerd"):
    """The built program of that name: $ANSWERD, $ASK or $ASK_BENCH, else from ./build or from here."""
    named = os.environ.get(name.upper().replace("-", "_"))
    if named:
        return named
    for folder in (os.environ.get("top_builddir", ""), os.path.join(TOP, "build"), TOP):
        path = os.path.join(folder, name)
        if folder and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"{name} is not built; set {name.upper()} to the program")


def sanitized():
    """Whether the daemon is built with a sanitizer, which keeps freed memory: its size means nothing then."""
    return _calls(rb"__(asan|tsan)_init")


def measured():
    """Whether the daemon is built for coverage."""
    return _calls(rb"__gcov_exit")


def _calls(pattern):
    with open(program(), "rb") as file:
        return bool(re.search(pattern, file.read()))


class Output:
    """The lines that a process writes to a pipe. A thread reads them, so the process never waits."""

    def __init__(self, stream):
        self._lines = []
        self._ended = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._thread.start()

    def _read(self, stream):
        with stream:
            for line in stream:
                with self._change:
                    self._lines.append(line.rstrip(b"\n").decode(errors="backslashreplace"))
                    self._change.notify_all()
        with self._change:
            self._ended = True
            self._change.notify_all()

    @property
    def lines(self):
        with self._change:
            return list(self._lines)

    def wait_for(self, pattern, count=1, timeout=net.TIMEOUT):
        """The first `count` lines in which the regular expression is found, as match objects."""
        deadline = time.monotonic() + timeout
        with self._change:
            while True:
                found = [m for m in (re.search(pattern, line) for line in self._lines) if m]
                if len(found) >= count:
                    return found[:count]
                left = deadline - time.monotonic()
                if self._ended or left <= 0:
                    why = "the output ended" if self._ended else f"not in {timeout} s"
                    text = "\n".join(self._lines[-50:])
                    raise AssertionError(f"{why}: {len(found)} of {count} lines like {pattern!r}\n{text}")
                self._change.wait(left)

    def wait_end(self, timeout=net.TIMEOUT):
        """Returns all lines, once the writing end is closed."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise AssertionError(f"the output did not end in {timeout} s")
        return self.lines


class Notify:
    """A NOTIFY_SOCKET. Collects sd_notify(3) messages, each as a dict."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self.messages = []

    def _receive(self, deadline):
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        data = self._socket.recv(1 << 16).decode(errors="backslashreplace")
        self.messages.append(dict(line.partition("=")[::2] for line in data.splitlines()))

    def wait_for(self, key, value=None, after=0, timeout=net.TIMEOUT):
        """The first message from number `after` on with this key (and value, if given)."""
        deadline = time.monotonic() + timeout
        at = after
        while True:
            for message in self.messages[at:]:
                if key in message and value in (None, message[key]):
                    return message
            at = len(self.messages)
            try:
                self._receive(deadline)
            except (socket.timeout, BlockingIOError):
                wanted = key if value is None else f"{key}={value}"
                raise AssertionError(f"no {wanted} in {timeout} s, only {self.messages[after:]}") from None

    def all(self):
        """All messages that have come so far."""
        try:
            while True:
                self._receive(0)
        except (socket.timeout, BlockingIOError):
            return self.messages

    def close(self):
        self._socket.close()


class Daemon:
    """A running answerd. Killed at the end of the test if it still runs."""

    def __init__(self, test, options=("--listen=127.0.0.1:0",), config=None, listeners=1, env=None,
                 journal=None, sockets=None, notify=False, ready=True, wrapper=None, preexec=None):
        """Starts it and, unless `ready` is False, waits until it accepts.

        config     text of a configuration file, which --config then names
        listeners  how many `listening on` lines to wait for
        journal    a journald.Journal to record into; without one, --record=none unless told otherwise
        sockets    [(socket, name or None), ...] to pass as systemd does; see activate()
        notify     True for a NOTIFY_SOCKET; readiness is then READY=1
        wrapper    a command to put in front, as a list
        preexec    called in the child before exec, for resource limits
        """
        self.directory = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        test.addCleanup(self._clean_up)
        self.status = None
        self.notify = Notify(self.directory) if notify else None
        self.config_path = os.path.join(self.directory, "answerd.conf")
        self._sockets = list(sockets or [])
        self._process = subprocess.Popen(
            self._command(options, config, journal, wrapper), env=self._environment(env, journal),
            pass_fds=[s.fileno() for s, _ in self._sockets], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.directory, preexec_fn=preexec)
        self.stdout = Output(self._process.stdout)
        self.stderr = Output(self._process.stderr)
        self.addresses = []
        if ready:
            self.wait_ready(0 if self._sockets else listeners)

    @classmethod
    def activate(cls, test, sockets, options=(), **rest):
        """Starts it with listening sockets and a NOTIFY_SOCKET, as systemd does for a socket unit.

        sockets is [(socket, name), ...]; a None for all names leaves out LISTEN_FDNAMES.
        """
        rest.setdefault("notify", True)
        daemon = cls(test, options, sockets=sockets, **rest)
        daemon.addresses = [s.getsockname() for s, _ in sockets]
        return daemon

    def _command(self, options, config, journal, wrapper):
        command = [sys.executable, "-SE", ACTIVATE, ",".join(str(s.fileno()) for s, _ in self._sockets)]
        command += wrapper or shlex.split(os.environ.get("ANSWERD_WRAPPER", ""))
        command.append(program())
        # Without this, the machine's own configuration would be read.
        self.write_config(config or "")
        command.append("--config=" + self.config_path)
        # Without this, messages would go into the machine's journal.
        if journal is None and not any(o.startswith("--record") for o in options) \
                and "Record" not in (config or ""):
            command.append("--record=none")
        return command + list(options)

    def _environment(self, extra, journal):
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "JOURNAL_", "INVOCATION_"))}
        environment["ANSWERD_JOURNAL_SOCKET"] = \
            journal.socket_path if journal else os.path.join(self.directory, "no-journal")
        if self.notify:
            environment["NOTIFY_SOCKET"] = self.notify.path
        names = [name for _, name in self._sockets]
        if any(name is not None for name in names):
            environment["LISTEN_FDNAMES"] = ":".join(name or "unknown" for name in names)
        environment.update(extra or {})
        return environment

    def wait_ready(self, listeners=1, timeout=net.TIMEOUT):
        """Waits for READY=1, or for as many `listening on ADDRESS` lines, and keeps the addresses."""
        if self.notify:
            self.notify.wait_for("READY", "1", timeout=timeout)
        if listeners:
            found = self.stderr.wait_for(r"listening on (\S+)", listeners, timeout)
            self.addresses = [net.parse_address(m.group(1)) for m in found]

    def write_config(self, text):
        """Replaces the configuration file for a later reload. A reload under way reads the old or the new file."""
        with open(self.config_path + ".new", "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.replace(self.config_path + ".new", self.config_path)

    def reload(self, text=None):
        """Replaces the configuration, if a text is given, sends SIGHUP, and returns the report.

        For a daemon started by hand, which reports on standard error.
        """
        if text is not None:
            self.write_config(text)
        pattern = r"answerd: (reload(?:ed| refused).*)"
        before = sum(1 for line in self.stderr.lines if re.search(pattern, line))
        self.signal(signal.SIGHUP)
        return self.stderr.wait_for(pattern, before + 1)[-1].group(1)

    @property
    def pid(self):
        return self._process.pid

    def workers(self):
        """The thread IDs of its workers by name, without threads of a sanitizer."""
        found = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/comm", encoding="ascii") as file:
                name = file.read().strip()
            if name.startswith("worker-"):
                found[name] = int(task)
        return found

    def address(self, number=0):
        return self.addresses[number]

    def connect(self, number=0, timeout=net.TIMEOUT):
        return net.connect(self.addresses[number], timeout)

    def stopped_reading(self, client, number=0):
        """Whether it leaves the data of a TCP client in the kernel; see net.stopped_reading()."""
        return net.stopped_reading(self.pid, self.addresses[number], client)

    def signal(self, number):
        self._process.send_signal(number)

    def running(self):
        return self._process.poll() is None

    def wait(self, timeout=net.TIMEOUT):
        """Waits for its end. Returns the exit status, negative for a signal."""
        self.status = self._process.wait(timeout=timeout)
        return self.status

    def stop(self, status=0, timeout=net.TIMEOUT):
        """Sends SIGTERM and checks the exit status. A failure shows its output."""
        self.signal(signal.SIGTERM)
        self.expect_exit(status, timeout)

    def expect_exit(self, status, timeout=net.TIMEOUT):
        got = self.wait(timeout)
        said = "\n".join(self.stderr.wait_end())
        assert got == status, f"exit status {got}, not {status}:\n{said}"
        return said

    def kill(self):
        """Sends SIGKILL and waits."""
        self.signal(signal.SIGKILL)
        self.wait()

    def _clean_up(self):
        if self.running():
            self._process.kill()
        self._process.wait()
        if self.notify:
            self.notify.close()
        for name in os.listdir(self.directory):
            os.unlink(os.path.join(self.directory, name))
        os.rmdir(self.directory)
