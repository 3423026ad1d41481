# SPDX-License-Identifier: LGPL-2.1-or-later
"""No byte of a client's replies reaches another, even if two clients' records and an error of one share a batch."""

import array
import fcntl
import os
import shutil
import tempfile
import termios
import unittest

import net
import tap
from daemon import Daemon
from journal_socket import JournalSocket

DELAY_MS = 500
CONFIG = f"""
[Server]
Workers=1
[Listener recorded]
Listen={{0}}/recorded
Record=journal
Framing=netstring
[Listener timed]
Listen={{0}}/timed
Record=none
IdleTimeout={DELAY_MS // 2}ms
"""
ERROR = b"24:error: malformed message,"
# Delays the daemon after each read, whether or not it got data.
SLOW_READER = ["env", "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0", "strace", "-D", "-f",
               "-qq", "-o", "/dev/null", "-e", "trace=recvfrom,recvmsg,readv", "-e",
               f"inject=recvfrom,recvmsg,readv:delay_exit={DELAY_MS * 1000}"]


def unread(client):
    """The bytes that the daemon has not read, on a UNIX socket (unix(7), SIOCOUTQ)."""
    size = array.array("i", [0])
    fcntl.ioctl(client, termios.TIOCOUTQ, size)
    return size[0]


class Apart(unittest.TestCase):
    def setUp(self):
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        self.directory = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.directory)
        self.journal = JournalSocket(self)
        self.daemon = Daemon(self, [], config=CONFIG.format(self.directory), listeners=2, journal=self.journal,
                             wrapper=SLOW_READER)

    def connect(self, number):
        client = self.daemon.connect(number)
        self.addCleanup(client.close)
        return client

    def wait_read(self, client):
        net.wait_until(lambda: unread(client) == 0, interval=0.001, what="it to be read")

    def test_an_error_in_the_same_batch(self):
        """A's message and B's are read in one turn. A timer is due in it, and before that the daemon looks at input
        once more.

        Only then does it find A's malformed frame, after B's message.
        """
        first, second = self.connect(0), self.connect(0)
        # Connected long enough for the daemon's loop to know it.
        for client in first, second:
            client.sendall(b"5:hello,")
            self.assertEqual(net.recv_exactly(client, 5), b"2:ok,")
        timed = self.connect(1)
        timed.sendall(b"x\n")
        self.wait_read(timed)
        # The daemon is delayed meanwhile, so both are seen together, after the idle time.
        first.sendall(b"1:a,")
        second.sendall(b"1:b,")
        self.wait_read(second)
        first.sendall(b"!")
        self.assertEqual(net.recv_until_eof(first), b"2:ok," + ERROR)
        second.sendall(b"4:last,")
        self.assertEqual(net.recv_exactly(second, 10), b"2:ok," * 2)
        self.assertEqual(self.journal.wait_for(5)[2:], [b"a", b"b", b"last"])
        self.daemon.stop()


if __name__ == "__main__":
    tap.main()
