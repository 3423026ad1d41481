# SPDX-License-Identifier: LGPL-2.1-or-later
"""The four framings on real sockets: any bytes, any cut, errors that arrive, half-close, reply templates."""

import os
import re
import socket
import struct
import threading
import time
import unittest

import net
import tap
from daemon import Daemon

BYTES = [b"", b"a", b"\0", b"\r", b"a\rb", bytes(range(256)).replace(b"\n", b""), b"\xff\xfe\xc0\x80",
         "grüße 你好 😀".encode(), b"x" * 65536]
MAX = 64 * 1024
SHORT = 100


def length(*messages):
    return b"".join(struct.pack("!I", len(m)) + m for m in messages)


def netstring(*messages):
    return b"".join(b"%d:%s," % (len(m), m) for m in messages)


def line(*messages):
    return b"".join(m + b"\n" for m in messages)


class Framing(unittest.TestCase):
    """One daemon with an echoing listener for each framing."""

    @classmethod
    def setUpClass(cls):
        cls.cleanups = []
        names = ["line", "length", "netstring", "chunk"]
        config = "".join(f"[Listener {n}]\nListen=127.0.0.1:0\nFraming={n}\nReply={{message}}\n" for n in names)
        cls.daemon = Daemon(cls, ["--record=none"], config=config, listeners=4)
        cls.addresses = dict(zip(names, cls.daemon.addresses))

    @classmethod
    def addCleanup(cls, function, *arguments):  # for Daemon, which outlives a single test
        cls.addClassCleanup(function, *arguments)

    def exchange(self, framing, data):
        return net.exchange(self.addresses[framing], data)

    def expect_error(self, framing, data, expected):
        """The reply arrives, then the end of the stream: no reset, even with unread input behind it."""
        with net.connect(self.addresses[framing]) as client:
            client.sendall(data)
            self.assertEqual(net.recv_until_eof(client), expected, (framing, data[:40]))


class Mute(unittest.TestCase):
    """Reply=none, in a section or for all: no byte is sent, and an error shows as a reset."""

    def expect_nothing(self, daemon, number, stream):
        self.assertEqual(net.exchange(daemon.address(number), stream), b"")

    def expect_reset(self, daemon, number, stream):
        with daemon.connect(number) as client:
            client.sendall(stream)
            with self.assertRaises(ConnectionResetError):
                self.assertEqual(net.recv_until_eof(client), b"not so much as an end")

    def test_every_framing(self):
        config = "".join(f"[Listener {n}]\nListen=127.0.0.1:0\nFraming={n}\nReply=none\nRecord=stderr\n"
                         for n in ("line", "length", "netstring", "chunk"))
        # A short send() arrives in one read.
        config += f"MaxMessageSize={SHORT}\n"
        daemon = Daemon(self, [], config=config, listeners=4)
        for number, stream in enumerate((line(b"m0", b"n0"), length(b"m1", b"n1"), netstring(b"m2", b"n2"), b"m3")):
            self.expect_nothing(daemon, number, stream)
            daemon.stderr.wait_for(f": m{number}$")
        for number, stream in enumerate((b"x" * (MAX + 1), b"\xff" * 4, b"x", b"x" * (SHORT + 1))):
            self.expect_reset(daemon, number, stream)
        daemon.stop()

    def test_option(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--record=stderr", "--reply=none"])
        self.expect_nothing(daemon, 0, b"hello\n")
        daemon.stderr.wait_for(": hello$")
        daemon.stop()

    def test_too_many_connections_of_one_address(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply=none"], config="[Server]\nMaxConnectionsPerAddress=1\n")
        with daemon.connect() as first:
            self.expect_nothing(daemon, 0, b"")
            first.sendall(b"x\n")
            first.shutdown(socket.SHUT_WR)
            self.assertEqual(net.recv_until_eof(first), b"")
        daemon.stop()


class Messages(Framing):
    def test_any_bytes(self):
        for framing, encode in ("line", line), ("length", length), ("netstring", netstring):
            with self.subTest(framing=framing):
                messages = [m for m in BYTES if framing != "line" or not m.endswith(b"\r")]
                stream = encode(*messages)
                self.assertEqual(self.exchange(framing, stream), stream)
        for message in BYTES[1:]:
            self.assertEqual(self.exchange("chunk", message), message)

    def test_newlines_are_nothing_special_where_a_length_says_the_size(self):
        for framing, encode in ("length", length), ("netstring", netstring):
            stream = encode(b"\n", b"a\r\nb\n", b"\n" * 1000)
            self.assertEqual(self.exchange(framing, stream), stream)

    def test_cr_lf_is_answered_in_kind(self):
        self.assertEqual(self.exchange("line", b"a\r\nb\nc\r\r\n\r\n\n"), b"a\r\nb\nc\r\r\n\r\n\n")

    def test_the_last_line_needs_no_lf(self):
        for stream, replies in (b"a\nb\nc", b"a\nb\nc\n"), (b"a\r", b"a\r\n"), (b"\n", b"\n"), (b"", b""):
            self.assertEqual(self.exchange("line", stream), replies)

    def test_the_longest_message(self):
        longest = b"x" * MAX
        for framing, encode in ("line", line), ("length", length), ("netstring", netstring):
            self.assertEqual(self.exchange(framing, encode(longest, b"", longest)), encode(longest, b"", longest))
        self.assertEqual(self.exchange("line", longest + b"\r\n"), longest + b"\r\n")

    def test_a_byte_at_a_time(self):
        for framing, stream in [("line", b"ab\r\n\ncd"), ("length", length(b"ab", b"", b"c")),
                                ("netstring", netstring(b"ab", b"", b"c" * 10))]:
            with net.connect(self.addresses[framing]) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in stream:
                    client.sendall(bytes([byte]))
                client.shutdown(socket.SHUT_WR)
                replies = net.recv_until_eof(client)
            self.assertEqual(replies, stream + (b"\n" if framing == "line" else b""), framing)

    def test_cut_at_every_offset(self):
        for framing, stream in [("line", b"ab\r\n\ncd\n"), ("length", length(b"ab", b"", b"c")),
                                ("netstring", netstring(b"ab", b"", b"c" * 10))]:
            for cut in range(1, len(stream)):
                with net.connect(self.addresses[framing]) as client:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    client.sendall(stream[:cut])
                    client.sendall(stream[cut:])
                    self.assertEqual(net.recv_exactly(client, len(stream)), stream, (framing, cut))

    def test_ten_thousand_at_once(self):
        for framing, encode in ("line", line), ("length", length), ("netstring", netstring):
            stream = encode(*(b"%d" % i for i in range(10000)))
            self.assertEqual(self.exchange(framing, stream), stream, framing)

    def test_half_close_after_n_messages_gives_n_replies(self):
        for n in 0, 1, 2, 63, 64, 65, 1000, 1025, 5000:
            replies = self.exchange("line", b"m\n" * n)
            self.assertEqual(replies.count(b"\n"), n)

    def test_more_than_all_buffers_hold(self):
        stream = line(*(b"%08d" % i * 8 for i in range(30000)))
        with net.connect(self.addresses["line"]) as client:
            sender = threading.Thread(target=lambda: (client.sendall(stream), client.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertEqual(net.recv_until_eof(client), stream)
            sender.join()


class Errors(Framing):
    LONG = b"error: message too long"
    BAD = b"error: malformed message"
    CUT = b"error: the stream ended inside a message"

    def test_too_long(self):
        self.expect_error("line", b"x" * (MAX + 1) + b"\n", line(self.LONG))
        self.expect_error("line", b"x" * (MAX + 2), line(self.LONG))
        self.expect_error("length", length(b"x" * (MAX + 1)), length(self.LONG))
        self.expect_error("length", struct.pack("!I", 0xffffffff), length(self.LONG))
        self.expect_error("netstring", b"65537:", netstring(self.LONG))
        self.expect_error("netstring", b"99999999999999999999999999", netstring(self.LONG))

    def test_too_long_a_chunk(self):
        daemon = Daemon(self, [], config="[Listener default]\nListen=127.0.0.1:0\nFraming=chunk\n"
                                         "MaxMessageSize=10\nRecord=none\n")
        self.assertEqual(net.exchange(daemon.address(), b"x" * 10), b"ok")
        self.assertEqual(net.exchange(daemon.address(), b"x" * 11), self.LONG)
        daemon.stop()

    def test_malformed(self):
        for data in b"x", b":a,", b"01:a,", b"00:,", b"1:ab", b"1;a,", b"-1:a,", b" 1:a,", b"1 :a,", b"+1:a,":
            self.expect_error("netstring", data, netstring(self.BAD))

    def test_the_stream_ends_inside_a_message(self):
        for framing, encode, whole in ("length", length, length(b"abc")), ("netstring", netstring, b"3:abc,"):
            for cut in range(1, len(whole)):
                self.assertEqual(self.exchange(framing, whole[:cut]), encode(self.CUT), (framing, cut))

    def test_the_error_comes_after_the_replies(self):
        for framing, encode in ("length", length), ("netstring", netstring):
            stream = encode(*[b"m"] * 500)
            self.expect_error(framing, stream + b"\xff\xff\xff\xff", stream +
                              encode(self.LONG if framing == "length" else self.BAD))
        self.expect_error("line", b"a\n" * 500 + b"x" * (MAX + 2), b"a\n" * 500 + line(self.LONG))

    def test_it_arrives_with_a_mebibyte_unread_behind_it(self):
        rest = b"\0" * (1 << 20)
        for i in range(100):
            with net.connect(self.addresses["netstring"]) as client:
                sender = threading.Thread(target=self.send_until_closed, args=(client, b"!" + rest))
                sender.start()
                self.assertEqual(net.recv_until_eof(client), netstring(self.BAD), i)
                sender.join()

    @staticmethod
    def send_until_closed(client, data):
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def test_other_protocols(self):
        hello = bytes.fromhex("16030100f1010000ed0303") + os.urandom(238)
        for data in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", hello, os.urandom(4096):
            for framing in "line", "length", "netstring", "chunk":
                self.exchange(framing, data)  # ends in some way
        self.assertEqual(self.exchange("line", b"alive\n"), b"alive\n")

    def test_unix_sockets_with_descriptors_and_urgent_data(self):
        path = os.path.join(self.daemon.directory, "s")
        daemon = Daemon(self, ["--listen=" + path, "--reply={message}", "--workers=1"])
        before = net.fd_count(daemon.pid)
        with net.connect(path) as client:
            read_end, write_end = os.pipe()
            for _ in range(50):
                socket.send_fds(client, [b"a\n"], [read_end])
                client.send(b"b")
                client.send(b"!", socket.MSG_OOB)
                client.sendall(b"\n")
            os.close(read_end)
            client.shutdown(socket.SHUT_WR)
            replies = net.recv_until_eof(client)
            # An urgent byte overtaken by another one stays in the stream.
            self.assertEqual(replies.replace(b"!", b""), b"a\nb\n" * 50)
            with self.assertRaises(BrokenPipeError):
                os.write(write_end, b"x")  # the reading end is closed
            os.close(write_end)
        net.wait_until(lambda: net.fd_count(daemon.pid) == before, what="all descriptors to be closed")
        daemon.stop()

    def test_urgent_data_on_tcp(self):
        with net.connect(self.addresses["line"]) as client:
            for _ in range(50):
                client.send(b"ab")
                client.send(b"!", socket.MSG_OOB)
                client.sendall(b"c\n")
            client.shutdown(socket.SHUT_WR)
            replies = net.recv_until_eof(client)
            # The last urgent byte is out of the stream. An earlier one that it overtook may be in it (tcp(7)).
            self.assertEqual(replies.replace(b"!", b""), b"abc\n" * 50)


class Templates(unittest.TestCase):
    def reply(self, template, data=b"text\n", **rest):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply=" + template], **rest)
        with daemon.connect() as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            replies = net.recv_until_eof(client)
            name = client.getsockname()
        daemon.stop()
        return replies, name

    def test_every_field(self):
        before = time.time()
        replies, name = self.reply("{seq}|{message}|{peer}|{listener}|{time}|{id}", b"one\ntwo\n")
        for number, reply in enumerate(replies.decode().splitlines(), 1):
            seq, message, peer, listener, when, ident = reply.split("|")
            self.assertEqual((seq, message), (str(number), ["one", "two"][number - 1]))
            self.assertEqual(peer, "%s:%d" % name)
            self.assertEqual(listener, "default")
            self.assertRegex(when, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            at = time.mktime(time.strptime(when[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
            self.assertTrue(before - 2 <= at <= time.time() + 1, when)
            self.assertRegex(ident, rf"^[0-9a-f]{{16}}-1-{number}$")

    def test_every_escape(self):
        replies, _ = self.reply(r"{{{message}}}\t\\\x00\xfF\x7e\r\n}}{{", b"m\n")
        self.assertEqual(replies, b"{m}\t\\\x00\xff~\r\n}{\n")

    def test_nothing_and_plain_text(self):
        self.assertEqual(self.reply("")[0], b"\n")
        self.assertEqual(self.reply("Danke, 谢谢; ok")[0], "Danke, 谢谢; ok\n".encode())

    def test_a_message_is_no_template(self):
        self.assertEqual(self.reply("{message}{message}", b"{id}\\n{{\n")[0], b"{id}\\n{{{id}\\n{{\n")

    def test_ids_differ_between_runs(self):
        first, second = self.reply("{id}")[0], self.reply("{id}")[0]
        self.assertNotEqual(first, second)

    def test_unix_peer(self):
        daemon = Daemon(self, ["--listen=@answerd-peer-%d" % os.getpid(), "--reply={peer}"])
        self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"pid=%d,uid=%d\n" % (os.getpid(), os.getuid()))
        daemon.stop()

    def test_from_the_configuration(self):
        config = ("[Listener alpha]\nListen=127.0.0.1:0\nReply={listener}: {message}\\x3b ok\n"
                  "[Listener b c]\nListen=127.0.0.1:0\nReply={listener}\nFraming=length\n"
                  "[Listener silent]\nListen=127.0.0.1:0\nReply=\nFraming=chunk\n")
        daemon = Daemon(self, ["--record=none"], config=config, listeners=3)
        self.assertEqual(net.exchange(daemon.address(0), b"x\n"), b"alpha: x; ok\n")
        self.assertEqual(net.exchange(daemon.address(1), length(b"x")), length(b"b c"))
        self.assertEqual(net.exchange(daemon.address(2), b"x"), b"")
        self.assertTrue(re.match("listening on", daemon.stderr.lines[0]))
        daemon.stop()


if __name__ == "__main__":
    tap.main()
