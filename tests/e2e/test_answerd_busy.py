# SPDX-License-Identifier: LGPL-2.1-or-later
"""A journal that is busy or blocked: which clients wait, which are still cut off, and what is sent meanwhile."""

import socket
import struct
import threading
import time
import unittest

import journald
import net
import tap
from daemon import Daemon
from load import Load

LISTENER = "[Server]\nWorkers=1\n[Listener default]\nListen=127.0.0.1:0\nRecord=journal\n"


def framed(message):
    return struct.pack(">I", len(message)) + message


class Flood:
    """Sends one message over and over from a thread and reads the replies, until the end."""

    def __init__(self, sock, message):
        self._sock, self._stopping = sock, threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(message,), daemon=True),
                         threading.Thread(target=self._receive, daemon=True)]
        for thread in self._threads:
            thread.start()

    def _send(self, message):
        try:
            while not self._stopping.is_set():
                self._sock.sendall(message)
        except OSError:
            pass  # shut down by stop()

    def _receive(self):
        try:
            while self._sock.recv(1 << 16):
                pass
        except OSError:
            pass

    def stop(self):
        self._stopping.set()
        self._sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


class Busy(unittest.TestCase):
    def setUp(self):
        self.journal = journald.Journal(self)

    def daemon(self, settings):
        return Daemon(self, [], config=LISTENER + settings, journal=self.journal)

    def connect(self, daemon):
        sock = daemon.connect()
        self.addCleanup(sock.close)
        return sock

    def test_messages_larger_than_any_datagram(self):
        """Above 4 MiB the kernel has no contiguous memory for the datagram, whatever the send buffer allows."""
        daemon = self.daemon("MaxMessageSize=16M\n")
        large, other = self.connect(daemon), self.connect(daemon)
        for size in 3000000, 5000000, 9000000:
            large.sendall(b"x" * size + b"\n")
            self.assertEqual(net.recv_line(large), b"ok\n")
            other.sendall(b"small\n")
            self.assertEqual(net.recv_line(other), b"ok\n")
        sizes = [len(entry.one("ANSWERD_DATA")) for entry in self.journal.wait_for(6, "ANSWERD_LISTENER=default")]
        self.assertEqual(sizes, [3000000, 5, 5000000, 5, 9000000, 5])
        daemon.stop()

    def test_one_that_fills_every_batch(self):
        """Four messages make two reads and fill a batch: the sender gets no more than its share."""
        daemon = self.daemon("Framing=length\n")
        flood = Flood(self.connect(daemon), framed(b"x" * 65532) * 16)
        self.addCleanup(flood.stop)
        quiet = self.connect(daemon)
        for _ in range(20):
            quiet.sendall(framed(b"q"))
            self.assertEqual(net.recv_exactly(quiet, 6), framed(b"ok"))

    def test_an_unfinished_message_runs_out_under_load(self):
        """The sender has to wait now and then, as all do, but that time counts."""
        daemon = self.daemon("MessageTimeout=1s\n")
        with Load(daemon.connect, clients=8, burst=64) as load:
            load.wait_answered(1000)
            slow = self.connect(daemon)
            slow.settimeout(0.1)
            begun, said = time.monotonic(), b""
            while not said and time.monotonic() - begun < net.TIMEOUT:
                slow.sendall(b"x")
                try:
                    said = slow.recv(100)
                except socket.timeout:
                    pass
        self.assertEqual(said, b"error: message not complete in time\n")
        daemon.stop()

    def test_replies_go_out_while_their_connection_waits(self):
        daemon = self.daemon("Framing=length\nReply={message}\nOutputLimit=16M\n")
        message, n = framed(b"x" * 60000), 120
        slow = socket.socket()
        self.addCleanup(slow.close)
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        slow.settimeout(net.TIMEOUT)
        slow.connect(daemon.address())
        slow.sendall(message * n)
        self.journal.wait_for(n, "ANSWERD_LISTENER=default")
        self.journal.pause()
        # The queue of the journal fills. Then every client with something to record waits.
        filler = self.connect(daemon)
        filler.sendall(framed(b"f") * 2000)
        slow.sendall(message)
        self.assertEqual(net.recv_exactly(slow, n * len(message)), message * n)
        self.journal.resume()
        self.assertEqual(net.recv_exactly(slow, len(message)), message)
        self.assertEqual(net.recv_exactly(filler, 2000 * 5), framed(b"f") * 2000)
        daemon.stop()


if __name__ == "__main__":
    tap.main()
