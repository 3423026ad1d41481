# SPDX-License-Identifier: LGPL-2.1-or-later
"""Senders of other protocols are refused: PROXY headers, TLS, and HTTP if configured."""

import ssl
import unittest

import net
import tap
from daemon import Daemon
from journal_socket import JournalSocket

FRAMINGS = ["line", "length", "netstring", "chunk"]
V1 = b"PROXY TCP4 192.0.2.1 192.0.2.2 4000 80\r\nhello\n"
V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\1\x7f\0\0\1\0\1\0\2hello\n"
REQUEST = b"POST / HTTP/1.1\r\nHost: localhost:8080\r\n\r\nforged\n"
HEADER_REFUSED = b"47c7aaefbd12139b6263352eec9f36e1"
HTTP_REFUSED = b"3b5cecc66db08aafaad89ef865abbcd4"


class Refusals(unittest.TestCase):
    def setUp(self):
        self.journal = JournalSocket(self)

    def start(self, options=(), **rest):
        return Daemon(self, ["--listen=127.0.0.1:0", "--record=journal", *options], journal=self.journal, **rest)

    def ask(self, daemon, data, number=0):
        with daemon.connect(number) as client:
            client.sendall(data)
            return net.recv_until_eof(client)

    def recorded(self):
        """The messages, once the daemon has ended."""
        self.journal.close_reader()
        return self.journal.records()

    def test_proxy_headers_in_every_framing(self):
        config = "".join(f"[Listener {n}]\nListen=127.0.0.1:0\nFraming={n}\nRecord=journal\n" for n in FRAMINGS)
        daemon = Daemon(self, [], config=config, listeners=4, journal=self.journal)
        for number, framing in enumerate(FRAMINGS):
            for data in V1, V2:
                with self.subTest(framing=framing, data=data):
                    self.assertIn(b"error: a PROXY header is not expected here", self.ask(daemon, data, number))
        daemon.stderr.wait_for(r"127\.0\.0\.1:\d+: refused: sent a PROXY header, which \[Listener line\]")
        daemon.stop()
        self.assertEqual(self.recorded(), [])

    def test_a_client_hello(self):
        daemon = self.start()
        context = ssl.create_default_context()
        with daemon.connect() as client, self.assertRaises(ssl.SSLError):
            context.wrap_socket(client, server_hostname="localhost")
        daemon.stderr.wait_for(r"refused: began a TLS handshake, but \[Listener default\] does not speak TLS")
        daemon.stop()
        self.assertEqual(self.recorded(), [])

    def test_half_a_header_is_not_answered(self):
        daemon = self.start()
        with daemon.connect() as client, daemon.connect() as other:
            client.sendall(V1[:20])
            other.sendall(b"PROX\r\n")
            self.assertEqual(net.recv_line(other), b"ok\r\n")
            client.sendall(V1[20:])
            self.assertEqual(net.recv_until_eof(client), b"error: a PROXY header is not expected here\n")
        self.assertEqual(self.journal.wait_for(1), [b"PROX"])
        daemon.stop()

    def test_http_by_hand(self):
        daemon = self.start()
        self.assertEqual(self.ask(daemon, REQUEST), b"error: HTTP is not spoken here\n")
        daemon.stderr.wait_for("refused: sent an HTTP request; to accept its lines as messages, "
                               "set Refuse=none in \\[Listener default\\]")
        self.assertEqual(net.exchange(daemon.address(), b"GET out\n"), b"ok\n")
        daemon.stop()
        self.assertNotRegex("\n".join(daemon.stderr.lines), r"discarded \d+ bytes")
        self.assertEqual(self.recorded(), [b"GET out"])

    def test_http_where_it_is_allowed(self):
        daemon = self.start(config="[Listener default]\nRefuse=none\n")
        self.assertEqual(net.exchange(daemon.address(), REQUEST), b"ok\r\n" * 3 + b"ok\n")
        daemon.stop()

    def test_http_of_a_service(self):
        """A service refuses nothing by default. Both kinds of events have a MESSAGE_ID."""
        with net.listener() as first, net.listener() as second:
            daemon = Daemon.activate(self, [(first, None), (second, "web")], ["--record=journal"], journal=self.journal,
                                     config="[Listener web]\nRefuse=http\n")
            self.assertEqual(net.exchange(first.getsockname(), b"GET / HTTP/1.1\n"), b"ok\n")
            self.assertEqual(net.exchange(second.getsockname(), b"GET / HTTP/1.1\n"),
                             b"error: HTTP is not spoken here\n")
            self.assertIn(b"error: ", net.exchange(second.getsockname(), V2))
            daemon.stop()
        self.journal.close_reader()
        events = {e["MESSAGE_ID"][0]: e for e in self.journal.entries}
        self.assertEqual(events[HTTP_REFUSED]["ANSWERD_LISTENER"], [b"web"])
        self.assertEqual(events[HEADER_REFUSED]["ANSWERD_LISTENER"], [b"web"])

    def test_a_wrong_value(self):
        daemon = Daemon(self, [], config="[Listener default]\nRefuse=https\n", ready=False)
        self.assertIn("Refuse=https: not http or none", daemon.expect_exit(78))


if __name__ == "__main__":
    tap.main()
