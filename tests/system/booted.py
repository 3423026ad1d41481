# SPDX-License-Identifier: LGPL-2.1-or-later
"""A booted container with this tree installed, and helpers for its tests."""

import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import journal_export
import net
import nspawn

PORT = 8080
MESSAGE_ID = "bb76528fac9d4b059a11d46c1196ef46"


def build_folder():
    return os.environ.get("top_builddir") or os.path.join(daemon.TOP, "build")


class Booted:
    """The container, its answerd, and its journal."""

    def __init__(self, install=True):
        self.container = nspawn.Container()
        self.run = self.container.run
        self.connect = self.container.connect
        self.close = self.container.close
        try:
            if install:
                self.install()
            self.container.boot()
            self.run("journalctl --update-catalog")
        except BaseException:
            self.close()
            raise

    def install(self):
        done = subprocess.run(["make", "-s", "-C", build_folder(), "install", "DESTDIR=" + self.container.root],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, text=True)
        if done.returncode != 0:
            raise AssertionError("make install failed:\n" + done.stdout)

    def show(self, unit, name):
        """A property of a unit."""
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def main_pid(self):
        return int(self.show("answerd.service", "MainPID"))

    def drop_in(self, unit, text):
        """Adds settings to a unit. An empty text removes them."""
        path = f"/etc/systemd/system/{unit}.d/test.conf"
        if text:
            self.container.write(path, text)
        else:
            self.run(f"rm -f {path}")
        self.run("systemctl daemon-reload")

    def ask(self, message, timeout=net.TIMEOUT):
        """Sends one message on its own connection. Returns the reply."""
        with self.connect(PORT, timeout=timeout) as sock:
            sock.sendall(message + b"\n")
            return net.recv_line(sock, timeout)

    def burst(self, count, mark):
        """Sends that many messages on one connection and reads all replies."""
        with self.connect(PORT, timeout=60) as sock:
            for first in range(0, count, 100):
                sock.sendall(b"".join(b"%s %d\n" % (mark, n) for n in range(first, first + 100)))
                net.recv_exactly(sock, len(b"ok\n") * 100, 60)

    def entries(self, *matches, fields=None):
        """The entries of the journal, once journald has read its queue."""
        self.run("journalctl --sync")
        options = ["--output-fields=" + ",".join(fields)] if fields else ["--all"]
        arguments = " ".join(f"'{a}'" for a in [*options, *matches])
        return journal_export.parse(self.run(f"journalctl -q -o export {arguments}", binary=True))

    def messages(self, *matches):
        """All messages in the journal."""
        found = self.entries("MESSAGE_ID=" + MESSAGE_ID, *matches, fields=["ANSWERD_DATA"])
        return [e.one("ANSWERD_DATA") for e in found]


def start(install=True):
    """For setUpModule(): one container for all tests of the file."""
    system = Booted(install)
    unittest.addModuleCleanup(system.close)
    return system
