# SPDX-License-Identifier: LGPL-2.1-or-later
"""Data from peers while their connections end, by a stop or IdleTimeout=: it is recorded, and every reply has its
record."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import time
import unittest

import net
import tap
from daemon import Daemon
from journal_socket import JournalSocket

RATE = 2000  # messages a second
MISSING = 10  # messages that the kernel took before it reported the end
ATTEMPTS = 3  # other load on the machine may delay the daemon while it closes
CLIENTS = 10
WINDOW = 8


class Heedless(threading.Thread):
    """Sends numbered messages at a steady pace until the kernel takes no more. Never reads."""

    def __init__(self, test, daemon, number):
        super().__init__(daemon=True)
        self._client = daemon.connect(number)
        test.addCleanup(self._client.close)
        if not isinstance(daemon.address(number), str):
            # Otherwise the sender's own kernel would delay messages.
            self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent = []
        self.start()

    def run(self):
        begun = time.monotonic()
        try:
            while True:
                message = b"%d" % len(self.sent)
                self._client.sendall(message + b"\n")
                self.sent.append(message)
                time.sleep(max(begun + len(self.sent) / RATE - time.monotonic(), 0))
        except OSError:
            pass


class Heedful(threading.Thread):
    """Keeps some messages in flight, reads the replies, and stops sending once these end."""

    def __init__(self, test, daemon, number, name):
        super().__init__(daemon=True)
        self._client = daemon.connect(number)
        test.addCleanup(self._client.close)
        self._name, self._sent = name, 0
        self.replies, self.end = b"", None
        self.start()

    def _send(self):
        self._client.sendall(b"%d-%d\n" % (self._name, self._sent))
        self._sent += 1

    def run(self):
        for _ in range(WINDOW):
            self._send()
        try:
            while data := self._client.recv(1 << 16):
                self.replies += data
                while self._sent < self.replies.count(b"\n") + WINDOW:
                    self._send()
            self.end = "end of stream"
        except BrokenPipeError:
            # It sent once more, after a reply that came just before the end.
            self.replies += net.recv_until_eof(self._client)
            self.end = "end of stream"
        except OSError as error:
            self.end = str(error)


class Last(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, settings="", framing="line"):
        self.journal = JournalSocket(self)
        path = os.path.join(tempfile.mkdtemp(dir=self.folder), "socket")
        config = (f"[Server]\nWorkers=1\n[Listener default]\nListen=127.0.0.1:0\nListen={path}\nRecord=journal\n"
                  f"Framing={framing}\n{settings}\n")
        return Daemon(self, [], config=config, listeners=2, journal=self.journal)

    def recorded(self):
        """The messages, once the daemon has ended."""
        self.journal.close_reader()
        return self.journal.records()


class Stop(Last):
    def missing(self, number):
        """The number of messages without a record after a stop. No record is missing before the last one."""
        daemon = self.start()
        peer = Heedless(self, daemon, number)
        self.journal.wait_for(100)
        daemon.stop()
        peer.join(timeout=net.TIMEOUT)
        self.assertFalse(peer.is_alive(), "it sends still")
        records = self.recorded()
        self.assertGreaterEqual(len(records), 100)
        self.assertEqual(records, peer.sent[:len(records)])
        return len(peer.sent) - len(records)

    def expect_few_missing(self, number):
        found = []
        while len(found) < ATTEMPTS and (not found or found[-1] > MISSING):
            found.append(self.missing(number))
        self.assertLessEqual(found[-1], MISSING, found)

    def test_peers_that_do_not_read(self):
        self.expect_few_missing(0)

    def test_unix_peers_that_do_not_read(self):
        self.expect_few_missing(1)

    def expect_records(self, number):
        daemon = self.start("Reply={message}")
        peers = [Heedful(self, daemon, number, name) for name in range(CLIENTS)]
        self.journal.wait_for(1000)
        daemon.stop()
        for peer in peers:
            peer.join(timeout=net.TIMEOUT)
        records = self.recorded()
        self.assertEqual(len(set(records)), len(records))
        for name, peer in enumerate(peers):
            self.assertEqual(peer.end, "end of stream")
            replies = peer.replies.split(b"\n")
            self.assertEqual(replies.pop(), b"")
            own = [r for r in records if r.startswith(b"%d-" % name)]
            self.assertEqual(replies, own[:len(replies)])

    def test_peers_that_read(self):
        self.expect_records(0)

    def test_unix_peers_that_read(self):
        self.expect_records(1)

    def test_what_comes_behind_the_last_reply(self):
        """It is recorded and gets no reply."""
        for number in range(2):
            daemon = self.start()
            client = daemon.connect(number)
            self.addCleanup(client.close)
            daemon.signal(signal.SIGSTOP)
            client.sendall(b"whole\nbeg")
            daemon.signal(signal.SIGTERM)
            daemon.signal(signal.SIGCONT)
            self.assertEqual(net.recv_until_eof(client), b"ok\n")
            client.sendall(b"un\nlate\nlast")
            client.close()
            daemon.expect_exit(0)
            self.assertEqual(self.recorded(), [b"whole", b"begun", b"late", b"last"])

    def test_a_message_that_does_not_end(self):
        """It delays nothing for long, and is discarded."""
        daemon = self.start()
        client = daemon.connect()
        self.addCleanup(client.close)
        daemon.signal(signal.SIGSTOP)
        client.sendall(b"whole\nbegun")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(net.recv_until_eof(client), b"ok\n")
        daemon.expect_exit(0)
        self.assertEqual(self.recorded(), [b"whole"])
        daemon.stderr.wait_for(r"127\.0\.0\.1:\d+: discarded 5 bytes")

    def test_a_peer_that_stays(self):
        """It has its reply and sends nothing: the wait is shorter than inside a message."""
        for number in range(2):
            daemon = self.start()
            client = daemon.connect(number)
            self.addCleanup(client.close)
            daemon.signal(signal.SIGSTOP)
            client.sendall(b"whole\n")
            daemon.signal(signal.SIGTERM)
            begun = time.monotonic()
            daemon.signal(signal.SIGCONT)
            daemon.expect_exit(0)
            self.assertLess(time.monotonic() - begun, 2)
            self.assertEqual(net.recv_until_eof(client), b"ok\n")

    def test_the_journal_is_waited_for(self):
        """Data after the end waits for the journal, too."""
        daemon = self.start()
        client = daemon.connect()
        self.addCleanup(client.close)
        daemon.signal(signal.SIGSTOP)
        client.sendall(b"whole\nbeg")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(net.recv_until_eof(client), b"ok\n")
        self.journal.pause()
        messages = [b"begun"] + [b"%d" % n for n in range(1000)]
        client.sendall(b"un\n" + b"".join(m + b"\n" for m in messages[1:]))
        client.close()
        daemon.stderr.wait_for("the journal has taken nothing")
        self.journal.resume()
        daemon.expect_exit(0)
        self.assertEqual(self.recorded(), [b"whole"] + messages)

    def test_behind_an_error(self):
        """After a framing error nothing is a message."""
        daemon = self.start(framing="netstring")
        client = daemon.connect()
        self.addCleanup(client.close)
        daemon.signal(signal.SIGSTOP)
        client.sendall(b"5:whole,5:beg")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(net.recv_until_eof(client), b"2:ok,")
        client.sendall(b"un?1:a,1:b,")
        client.close()
        daemon.expect_exit(0)
        self.assertEqual(self.recorded(), [b"whole"])
        daemon.stderr.wait_for(r"127\.0\.0\.1:\d+: discarded 16 bytes")


class Idle(Last):
    def test_what_comes_when_the_time_is_over(self):
        for number in range(2):
            daemon = self.start("IdleTimeout=200ms")
            client = daemon.connect(number)
            self.addCleanup(client.close)
            client.sendall(b"beg")
            self.assertEqual(net.recv_until_eof(client), b"")
            client.sendall(b"un\nlate\n")
            client.close()
            self.assertEqual(self.journal.wait_for(2), [b"begun", b"late"])
            daemon.stop()


if __name__ == "__main__":
    tap.main()
