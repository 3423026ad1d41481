# SPDX-License-Identifier: LGPL-2.1-or-later
"""TLS peers that renew keys or renegotiate without end, and streams that end without close_notify."""

import socket
import ssl
import struct
import unittest

import net
import tap
from journal_socket import JournalSocket
from secure import VERSIONS, Secure, ask, context, flood
from witness import log_lines, sanitized

GROWTH = 1 << 20
CPU_SECONDS = 0.5  # five handshakes and 32 key updates each need a tenth of it
TOO_MANY = "cut off: the TLS stream is broken: too many handshake messages"


class Floods(unittest.TestCase):
    def flooded(self, kind):
        """The peer is cut off at once, with one event. Others hardly notice."""
        secure = Secure(self)
        daemon = secure.daemon
        with daemon.connect(1) as plain, secure.connect() as established:
            ask(plain)
            ask(established)
            flood(self, daemon, kind).wait(net.TIMEOUT)  # the first one makes the allocator's arenas grow
            held, memory, cpu = net.fd_count(daemon.pid), net.rss_bytes(daemon.pid), net.cpu_seconds(daemon.pid)
            for _ in range(5):
                peer = flood(self, daemon, kind)
                ask(plain)
                ask(established)
                self.assertEqual(peer.wait(net.TIMEOUT), 0)
            cpu = net.cpu_seconds(daemon.pid) - cpu
            net.wait_until(lambda: net.fd_count(daemon.pid) <= held, what="the descriptors to be free")
            with secure.connect() as another:
                ask(another)
            growth = net.rss_bytes(daemon.pid) - memory
        print(f"# {kind}: {cpu:.2f} s of CPU for five, {growth / 1024:.0f} KiB more memory")
        if not sanitized():
            self.assertLess(cpu, CPU_SECONDS)
            self.assertLess(growth, GROWTH)
        # Events have a rate limit.
        self.assertGreaterEqual(len(log_lines(daemon, TOO_MANY)), 1)
        self.assertLessEqual(len(log_lines(daemon, TOO_MANY)), 6)
        daemon.stop()

    def test_key_updates(self):
        self.flooded("key-updates")

    def test_key_updates_that_want_an_answer(self):
        self.flooded("key-requests")

    def test_key_updates_by_a_peer_that_reads_nothing(self):
        self.flooded("key-deaf")

    def test_renegotiations(self):
        self.flooded("renegotiations")


class Stream:
    """A TLS client whose records the test sends itself."""

    def __init__(self, test, address, version):
        self._inward, self._outward = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context(version).wrap_bio(self._inward, self._outward)
        self.socket = net.connect(address)
        test.addCleanup(self.socket.close)
        while not self._try(self._tls.do_handshake):
            self.socket.sendall(self._outward.read())
            self._inward.write(self.socket.recv(1 << 16))
        self.socket.sendall(self._outward.read())

    def _try(self, operation):
        try:
            operation()
            return True
        except ssl.SSLWantReadError:
            return False

    def record(self, text):
        """The bytes of a record with that text."""
        self._tls.write(text)
        return self._outward.read()

    def close_notify(self):
        self._try(self._tls.unwrap)
        return self._outward.read()

    def replies(self):
        """Everything until the server ends its stream."""
        self._inward.write(net.recv_until_eof(self.socket))
        got = b""
        while True:
            try:
                some = self._tls.read()
            except ssl.SSLError:
                return got
            if not some:
                return got
            got += some


class Ends(unittest.TestCase):
    """Who ends without close_notify may have been cut off by anybody on the way (RFC 8446, 6.1)."""

    def setUp(self):
        self.journal = JournalSocket(self)
        self.secure = Secure(self, journal=self.journal)
        self.daemon = self.secure.daemon
        self.sockets = net.socket_count(self.daemon.pid)

    def check(self, end, messages):
        """A stream with a message and the beginning of another, in two records. end(stream, records) ends it."""
        for version in VERSIONS:
            before = len(self.journal.records())
            stream = Stream(self, self.daemon.address(), version)
            replies = end(stream, [stream.record(b"whole\n"), stream.record(b"part")])
            stream.socket.close()
            # Then nothing more can be recorded.
            net.wait_until(lambda: net.socket_count(self.daemon.pid) <= self.sockets, what="the connection to end")
            self.assertEqual(self.journal.wait_for(before + len(messages))[before:], messages)
            self.assertEqual(replies, b"ok\n" * len(messages))
        self.daemon.stop()

    def test_orderly(self):
        """To compare with: the end of the stream ends the message, as without TLS."""
        def end(stream, records):
            stream.socket.sendall(b"".join(records) + stream.close_notify())
            stream.socket.shutdown(socket.SHUT_WR)
            return stream.replies()
        self.check(end, [b"whole", b"part"])

    def test_without_close_notify(self):
        def end(stream, records):
            stream.socket.sendall(b"".join(records))
            stream.socket.shutdown(socket.SHUT_WR)
            return stream.replies()
        self.check(end, [b"whole"])

    def test_inside_a_record(self):
        def end(stream, records):
            stream.socket.sendall(records[0] + records[1][:-1])
            stream.socket.shutdown(socket.SHUT_WR)
            return stream.replies()
        self.check(end, [b"whole"])

    def test_by_a_reset(self):
        def end(stream, records):
            before = len(self.journal.records())
            stream.socket.sendall(records[0])
            self.journal.wait_for(before + 1)
            stream.socket.sendall(records[1])
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return b"ok\n"  # lost, perhaps
        self.check(end, [b"whole"])


if __name__ == "__main__":
    tap.main()
