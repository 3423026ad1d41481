# SPDX-License-Identifier: LGPL-2.1-or-later
"""Replies that wait for a journal that takes nothing: what else happens to their connection meanwhile."""

import os
import socket
import tempfile
import unittest

import journald
import net
from daemon import Daemon

CONFIG = """
[Listener default]
Listen=127.0.0.1:0
Record=journal
MessageTimeout=2s
IdleTimeout=2s

[Listener plain]
Listen=127.0.0.1:0
Record=none
MessageTimeout=2s
"""
ERROR = b"error: message not complete in time\n"


def read_to_end(client):
    data = b""
    while True:
        part = client.recv(4096)
        if not part:
            return data
        data += part


class HeldReplies(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ad", dir="/tmp")
        self.addCleanup(self.directory.cleanup)
        path = os.path.join(self.directory.name, "journal")
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.journal.close)
        self.journal.bind(path)
        self.daemon = Daemon(self, [], config=CONFIG, listeners=2, env={"ANSWERD_JOURNAL_SOCKET": path})

    def connect(self, number):
        client = net.connect(self.daemon.addresses[number])
        self.addCleanup(client.close)
        return client

    def fill_journal(self, client):
        """Asks until no reply comes: each message complete, and the next one begun."""
        client.sendall(b"beg")
        for _ in range(journald.places()):
            client.sendall(b"un\nbeg")
            self.assertEqual(client.recv(100), b"ok\n")
        client.sendall(b"un\nbeg")
        self.daemon.stderr.wait_for(r"the journal has taken nothing")

    def test_no_error_overtakes_a_held_reply(self):
        held, other = self.connect(0), self.connect(1)
        self.fill_journal(held)
        # Its error says that the time allowed is over for the first client too.
        other.sendall(b"begun")
        self.assertEqual(read_to_end(other), ERROR)

        self.journal.setblocking(False)
        for _ in range(3):
            self.journal.recv(1 << 16)
        self.assertEqual(read_to_end(held), b"ok\n" + ERROR)


if __name__ == "__main__":
    unittest.main()
