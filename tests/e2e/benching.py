# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs ask-bench and independent servers for its tests."""

import json
import os
import signal
import subprocess
import sys

from daemon import Output, program

HERE = os.path.dirname(os.path.abspath(__file__))


class Server:
    """A running bench_server.py."""

    def __init__(self, test, mode="echo", address="127.0.0.1:0", tls=()):
        """tls: the files of bench_server.py's CERTIFICATE and CA."""
        self._process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "bench_server.py"), mode, address, *tls],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        test.addCleanup(self._clean_up)
        self.output = Output(self._process.stdout)
        self.address = self.output.wait_for(r"listening on (\S+)", timeout=30)[0].group(1)

    def signal(self, number):
        self._process.send_signal(number)

    def seen(self):
        """Ends the server. Returns its counts."""
        self.signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        return json.loads(self.output.wait_end()[-1])

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _clean_up(self):
        if self._process.poll() is None:
            self.kill()


class Running:
    """A running ask-bench that writes JSON to standard output."""

    def __init__(self, test, *options, preexec=None):
        self._process = subprocess.Popen([program("ask-bench"), "--json=-", *options],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, preexec_fn=preexec)
        test.addCleanup(self._clean_up)
        self.stdout = Output(self._process.stdout)
        self.stderr = Output(self._process.stderr)

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def pending(self, number):
        """Whether a signal is pending for the process (proc(5), ShdPnd)."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            mask = next(line for line in status if line.startswith("ShdPnd:")).split()[1]
        return bool(int(mask, 16) & 1 << number - 1)

    def wait_running(self, count=1):
        """Waits for progress lines that show replies."""
        return self.stderr.wait_for(r"connections  [1-9].*p50", count, timeout=60)

    def result(self, status=0):
        """status: the expected exit status, or a tuple of allowed ones."""
        got = self._process.wait(timeout=120)
        said = "\n".join(self.stderr.wait_end())
        assert got in (status if isinstance(status, tuple) else (status,)), f"exit status {got}, not {status}:\n{said}"
        return json.loads("\n".join(self.stdout.wait_end()))

    def _clean_up(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def bench(test, *options, status=0, preexec=None):
    return Running(test, *options, preexec=preexec).result(status)


def run(*options):
    return subprocess.run([program("ask-bench"), *options], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
