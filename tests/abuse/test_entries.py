# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entries that are too large for a datagram, or for a kernel short of memory: they go as files, each as its own."""

import shutil
import unittest

import net
import tap
from daemon import Daemon
from witness import JournalSocket, strace

CONFIG = """
[Server]
Workers=1
[Listener default]
Listen=127.0.0.1:0
Record=journal
MaxMessageSize=1M
"""
# Below it the kernel's want of memory is waited out; a datagram may be three times as large.
LARGE = 70000


@unittest.skipUnless(shutil.which("strace"), "strace is needed")
class Entries(unittest.TestCase):
    def setUp(self):
        self.journal = JournalSocket(self)

    def daemon(self, *injected, **rest):
        options = [option for what in injected for option in ("-e", "inject=" + what)]
        return Daemon(self, [], config=CONFIG, journal=self.journal, wrapper=strace("-o", "/dev/null", *options), **rest)

    def expect_entries(self, messages):
        net.wait_until(lambda: len(self.journal.records()) >= len(messages), what="the entries")
        self.assertEqual([m[:20] for m in self.journal.records()], [m[:20] for m in messages])
        self.assertEqual(self.journal.records(), messages)

    def test_a_file_belongs_to_its_entry(self):
        """One cannot go, neither as a datagram nor as a file, and then goes as a datagram. The next goes as a file."""
        daemon = self.daemon("sendmmsg:error=ENOBUFS:when=1+2", "sendmsg:error=EAGAIN:when=1")
        messages = [b"%d" % i + b"." * LARGE for i in range(4)]
        with daemon.connect() as client:
            for message in messages:
                client.sendall(message + b"\n")
                self.assertEqual(net.recv_line(client), b"ok\n")
        self.expect_entries(messages)
        daemon.stop()


if __name__ == "__main__":
    tap.main()
