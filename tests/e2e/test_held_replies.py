# SPDX-License-Identifier: LGPL-2.1-or-later
"""Replies that wait for a blocked journal: other events on their connection meanwhile."""

import fcntl
import os
import signal
import socket
import struct
import tempfile
import termios
import threading
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


class Journal(unittest.TestCase):
    """The journal is a socket that nobody reads."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ad", dir="/tmp")
        self.addCleanup(self.directory.cleanup)
        path = os.path.join(self.directory.name, "journal")
        self.journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.journal.close)
        self.journal.bind(path)
        self.path = path

    def start(self, config, listeners):
        self.daemon = Daemon(self, [], config=config, listeners=listeners, env={"ANSWERD_JOURNAL_SOCKET": self.path})

    def read_journal(self):
        while self.journal.recv(1 << 16):
            pass

    def connect(self, number):
        client = net.connect(self.daemon.addresses[number])
        self.addCleanup(client.close)
        return client


class HeldReplies(Journal):
    def fill_journal(self, client):
        """Asks until no reply comes. Each message is complete, with the start of the next."""
        client.sendall(b"beg")
        for _ in range(journald.places()):
            client.sendall(b"un\nbeg")
            self.assertEqual(client.recv(100), b"ok\n")
        client.sendall(b"un\nbeg")
        self.daemon.stderr.wait_for(r"the journal has taken nothing")

    def test_no_error_overtakes_a_held_reply(self):
        self.start(CONFIG, 2)
        held, other = self.connect(0), self.connect(1)
        self.fill_journal(held)
        # Its error tells that the first client has had its time, too.
        other.sendall(b"begun")
        self.assertEqual(read_to_end(other), ERROR)

        self.journal.setblocking(False)
        for _ in range(3):
            self.journal.recv(1 << 16)
        self.assertEqual(read_to_end(held), b"ok\n" + ERROR)


class OutputLimit(Journal):
    LIMIT = 8192
    # Three messages fit into a read, which is no larger than the limit. Their replies just fit into the limit.
    MESSAGE = struct.pack("!I", 2700) + bytes(2700)
    COUNT = 30

    def taken(self, client, sent):
        """The number of bytes that the daemon has read, of that many."""
        unsent = struct.unpack("i", fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)))[0]
        return sent - unsent - net.unread(self.daemon.pid, self.daemon.address(), client)

    def test_replies_that_wait_for_their_records_count(self):
        self.start(f"[Server]\nWorkers=1\n[Listener default]\nListen=127.0.0.1:0\nRecord=journal\nFraming=length\n"
                   f"Reply={{message}}\nOutputLimit={self.LIMIT}\n", 1)
        client = self.connect(0)
        # The journal is full, but the daemon has not noticed.
        for _ in range(journald.places()):
            client.sendall(struct.pack("!I", 1) + b"x")
            self.assertEqual(net.recv_exactly(client, 5), struct.pack("!I", 1) + b"x")
        self.daemon.signal(signal.SIGSTOP)
        client.sendall(self.MESSAGE * self.COUNT)
        self.daemon.signal(signal.SIGCONT)
        self.daemon.stderr.wait_for("the journal has taken nothing")
        taken = self.taken(client, len(self.MESSAGE) * self.COUNT)
        self.assertGreaterEqual(taken, self.LIMIT)
        # The bytes up to the limit, and one read that had room.
        self.assertLessEqual(taken, 2 * self.LIMIT)
        # Reading resumes by itself.
        reader = threading.Thread(target=self.read_journal, daemon=True)
        reader.start()
        self.assertEqual(net.recv_exactly(client, len(self.MESSAGE) * self.COUNT), self.MESSAGE * self.COUNT)
        self.daemon.stop()
        self.journal.shutdown(socket.SHUT_RD)
        reader.join()


if __name__ == "__main__":
    unittest.main()
