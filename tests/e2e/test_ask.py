# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask with messages as arguments: every option, exit status and error, against plain Python servers."""

import base64
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import unittest

import asking
import net
import tap
from asking import Server, ask_raw, echo_lines, lines_of


class AskCase(unittest.TestCase):
    def ask(self, *arguments, status=0, error="", **rest):
        """Runs ask, checks its status and stderr, and returns stdout."""
        done = ask_raw(arguments, **rest)
        said = done.stderr.decode()
        self.assertEqual((done.returncode, said), (status, f"ask: {error}\n" if error else ""))
        return done.stdout

    def serve(self, handler, address=("127.0.0.1", 0)):
        return Server(self, handler, address)

    def serve_port(self, handler):
        return f":{self.serve(handler).port}"


class Messages(AskCase):
    def test_each_is_answered_in_order(self):
        address = self.serve_port(echo_lines)
        self.assertEqual(self.ask(address, "one", "", "  three "), b"one\n\n  three \n")

    def test_text_that_is_not_ascii(self):
        def shout(sock):
            for line in lines_of(sock):
                sock.sendall("收到:".encode() + line + " 🎉\n".encode())
        self.assertEqual(self.ask(self.serve_port(shout), "你好 👋").decode(), "收到:你好 👋 🎉\n")

    def test_the_next_is_sent_once_the_one_before_is_answered(self):
        def one_at_a_time(sock):
            for _ in range(3):
                self.assertEqual(sock.recv(1024), b"x\n")
                sock.sendall(b"ok\n")
        self.assertEqual(self.ask(self.serve_port(one_at_a_time), "x", "x", "x"), b"ok\n" * 3)

    def test_a_reply_that_is_cut_off(self):
        def last_words(sock):
            sock.recv(1024)
            sock.sendall(b"bye")
        address = self.serve_port(last_words)
        error = f"{address}: the server closed the connection inside a reply"
        self.assertEqual(self.ask(address, "x", status=1, error=error), b"bye\n")
        done = ask_raw(["--json", address, "x"])
        if b"built without JSON" not in done.stderr:
            self.assertEqual((done.returncode, json.loads(done.stdout)["cut_off"]), (1, True))

    def test_a_reply_in_single_bytes(self):
        def drip(sock):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in lines_of(sock):
                for byte in b"slowly but surely\r\n":
                    sock.sendall(bytes([byte]))
        self.assertEqual(self.ask(self.serve_port(drip), "x", "y"), b"slowly but surely\n" * 2)

    def test_any_byte_passes_to_a_pipe(self):
        reply = bytes(b for b in range(256) if b != 10)

        def answer(sock):
            sock.recv(1024)
            sock.sendall(reply + b"\n")
        self.assertEqual(self.ask(self.serve_port(answer), "x"), reply + b"\n")

    def test_the_write_side_stays_open_until_the_reply(self):
        def suspicious(sock):
            sock.recv(1024)
            sock.settimeout(0.2)
            with self.assertRaises(socket.timeout):
                sock.recv(1)
            sock.sendall(b"still there\n")
        self.assertEqual(self.ask(self.serve_port(suspicious), "x"), b"still there\n")

    def test_a_flood_ends_with_the_reply(self):
        def flood(sock):
            sock.recv(1024)
            while True:
                sock.sendall(b"blah blah\n" * 1000)
        out = self.ask(self.serve_port(flood), "x")
        self.assertEqual(set(out.splitlines()), {b"blah blah"})

    def test_a_large_message_to_a_slow_reader(self):
        message = "m" * 100_000

        def slow(sock):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            got = b""
            while not got.endswith(b"\n"):
                got += sock.recv(777)
            sock.sendall(b"%d\n" % len(got))
        self.assertEqual(self.ask(self.serve_port(slow), message), b"100001\n")


class Framings(AskCase):
    def test_chunk_with_the_plainest_server(self):
        def plain(sock):
            while True:
                data = sock.recv(1024)
                if not data:
                    return
                self.assertNotIn(b"\n", data)
                sock.send(b"got " + data)
        out = self.ask("--framing=chunk", self.serve_port(plain), "hello", "世界")
        self.assertEqual(out.decode(), "got hello\ngot 世界\n")

    def test_chunk_keeps_the_servers_newline_single(self):
        def plain(sock):
            while sock.recv(1024):
                sock.send(b"a\nb\n")
        self.assertEqual(self.ask("-f", "chunk", self.serve_port(plain), "x", "y"), b"a\nb\n" * 2)

    def test_length(self):
        def counted(sock):
            for want in (b"hello\nworld", b"", "é".encode()):
                size, = struct.unpack("!I", net.recv_exactly(sock, 4))
                self.assertEqual(net.recv_exactly(sock, size) if size else b"", want)
                sock.sendall(struct.pack("!I", len(want)) + want)
        out = self.ask("-flength", self.serve_port(counted), "hello\nworld", "", "é")
        self.assertEqual(out.decode(), "hello\nworld\n\né\n")

    def test_netstring(self):
        def netstrings(sock):
            self.assertEqual(net.recv_exactly(sock, 8), b"5:hello,")
            sock.sendall(b"2:ok")
            sock.sendall(b",")
            self.assertEqual(net.recv_exactly(sock, 3), b"0:,")
            sock.sendall(b"0:,")
        self.assertEqual(self.ask("-fnetstring", self.serve_port(netstrings), "hello", ""), b"ok\n\n")

    def broken(self, framing, reply, error, status=5):
        def answer(sock):
            sock.recv(1024)
            sock.sendall(reply)
        address = self.serve_port(answer)
        self.ask("--max-reply=100", "-f", framing, address, "x", status=status,
                 error=f"{address}: {error}")

    def test_what_is_no_reply(self):
        too_long = "a reply is longer than 100 bytes, see --max-reply"
        inside = "the server closed the connection inside a reply"
        self.broken("line", b"x" * 101 + b"\n", too_long)
        self.broken("length", struct.pack("!I", 101), too_long)
        self.broken("length", struct.pack("!I", 0xffffffff), too_long)
        self.broken("length", b"\0\0\0\2a", inside, status=1)
        self.broken("netstring", b"101:", too_long)
        self.broken("netstring", b"3:ok", inside, status=1)
        self.broken("netstring", b"ok\n", "the server sent something that is not a reply in netstring framing")
        self.broken("chunk", b"x" * 101, too_long)

    def test_replies_up_to_the_limit(self):
        def answer(sock):
            sock.recv(1024)
            sock.sendall(b"x" * 100 + b"\r\n")
        self.assertEqual(self.ask("--max-reply=100", self.serve_port(answer), "x"), b"x" * 100 + b"\n")


class Addresses(AskCase):
    def test_unix_sockets(self):
        path = os.path.join(asking.directory(self), "socket")
        self.serve(echo_lines, path)
        self.assertEqual(self.ask(path, "a"), b"a\n")
        self.assertEqual(self.ask("unix:" + path, "b"), b"b\n")
        name = f"@ask-test-{os.getpid()}"
        self.serve(echo_lines, name)
        self.assertEqual(self.ask(name, "c"), b"c\n")

    def test_ipv4_and_ipv6(self):
        port = self.serve(echo_lines).port
        self.assertEqual(self.ask("-4", f"127.0.0.1:{port}", "a"), b"a\n")
        self.assertEqual(self.ask("-4", f":{port}", "a"), b"a\n")
        try:
            port = self.serve(echo_lines, ("::1", 0)).port
        except OSError as error:
            self.skipTest(f"no IPv6: {error}")
        self.assertEqual(self.ask(f"[::1]:{port}", "b"), b"b\n")
        self.assertEqual(self.ask("-6", f":{port}", "b"), b"b\n")
        self.ask("-4", f":{port}", "b", status=3,
                 error=f":{port}: cannot connect to 127.0.0.1:{port}: Connection refused")

    def test_an_address_that_cannot_be_connected_to(self):
        self.ask("-6", "127.0.0.1:1", "x", status=2, error="127.0.0.1:1: -6 cannot be used with an IPv4 address")
        self.ask("-4", "[::1]:1", "x", status=2, error="[::1]:1: -4 cannot be used with an IPv6 address")
        self.ask("http://127.0.0.1:1/", "x", status=2, error="http://127.0.0.1:1/: this is a URL; give HOST:PORT")
        self.ask("*:1", "x", status=2, error="*:1: * means any address; give the host to connect to")

    def unused_port(self):
        with net.listener() as sock:
            return sock.getsockname()[1]

    def test_nobody_listens(self):
        port = self.unused_port()
        self.ask(f"127.0.0.1:{port}", "x", status=3,
                 error=f"127.0.0.1:{port}: cannot connect: Connection refused")
        path = os.path.join(asking.directory(self), "none")
        self.ask(path, "x", status=3, error=f"{path}: cannot connect: No such file or directory")

    def ask_with_hosts(self, hosts, *arguments, status, error):
        """Runs ask with another /etc/hosts, which no other process sees."""
        path = os.path.join(asking.directory(self), "hosts")
        with open(path, "w", encoding="ascii") as file:
            file.write(hosts)
        command = ["unshare", "--mount", "sh", "-c",
                   'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", path]
        if subprocess.run([*command, "true"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest("no mount namespace of one's own: this takes root")
        done = subprocess.run([*command, asking.ASK, *arguments], capture_output=True,
                              timeout=asking.DEADLINE, check=False)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertRegex(done.stderr.decode(), rf"\A{error}\Z")
        return done.stdout

    def test_all_addresses_of_a_name_are_tried(self):
        hosts = "127.0.0.2 many.test\n127.0.0.3 many.test\n127.0.0.4 many.test\n"
        server = self.serve(echo_lines, ("127.0.0.3", 0))
        self.assertEqual(self.ask_with_hosts(hosts, f"many.test:{server.port}", "x", status=0, error=""),
                         b"x\n")
        port = self.unused_port()
        each = rf"127\.0\.0\.[234]:{port}: Connection refused"
        self.ask_with_hosts(hosts, f"many.test:{port}", "x", status=3,
                            error=rf"ask: many\.test:{port}: cannot connect to {each}, {each}, {each}\n")

    def full_backlog(self, address):
        """A listener with a full backlog that accepts nothing."""
        listener = net.listener(address, backlog=0)
        self.addCleanup(listener.close)
        waiting = []
        self.addCleanup(lambda: [sock.close() for sock in waiting])
        while True:
            sock = socket.socket(listener.family, socket.SOCK_STREAM)
            waiting.append(sock)
            sock.settimeout(0.3)
            try:
                sock.connect(listener.getsockname())
            except (socket.timeout, BlockingIOError):
                return listener

    def test_nobody_accepts(self):
        port = self.full_backlog(("127.0.0.1", 0)).getsockname()[1]
        path = self.full_backlog(os.path.join(asking.directory(self), "full")).getsockname()
        for address in (f"127.0.0.1:{port}", path):
            with self.subTest(address=address):
                begun = time.monotonic()
                self.ask("--timeout=300ms", address, "x", status=3,
                         error=f"{address}: cannot connect: Connection timed out")
                self.assertGreaterEqual(time.monotonic() - begun, 0.3)


class Failures(AskCase):
    def test_no_reply_in_time(self):
        def stall(sock):
            for line in lines_of(sock):
                if line == b"first":
                    sock.sendall(b"ok\n")
        address = self.serve_port(stall)
        begun = time.monotonic()
        out = self.ask("-t", "300ms", address, "first", "second", status=4,
                       error=f"{address}: no reply within 300ms")
        self.assertEqual(out, b"ok\n")
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_half_a_reply_is_none(self):
        def half(sock):
            sock.recv(1024)
            sock.sendall(b"o")
            sock.recv(1024)
        address = self.serve_port(half)
        self.ask("-t", "300ms", address, "x", status=4, error=f"{address}: no reply within 300ms")

    def test_the_server_closes_early(self):
        def close(sock):
            sock.recv(1024)
        address = self.serve_port(close)
        self.ask(address, "x", "y", status=5,
                 error=f"{address}: the server closed the connection; unanswered messages: 1 of 1")

    def test_the_server_resets(self):
        def reset(sock):
            sock.recv(1024)
            asking.reset(sock)
        address = self.serve_port(reset)
        self.ask(address, "x", status=5,
                 error=f"{address}: Connection reset by peer; unanswered messages: 1 of 1")

    def test_stdout_that_takes_nothing(self):
        address = self.serve_port(echo_lines)
        with open("/dev/full", "wb") as full:
            self.ask(address, "x", status=71, stdout=full,
                     error=f"{address}: standard output: No space left on device")
            self.assertEqual(ask_raw(["--help"], stdout=full).returncode, 71)

    def test_usage(self):
        self.ask(status=2, error="ADDRESS is missing. Try --help.")
        self.ask("--frobnicate", ":1", status=2, error="unknown option '--frobnicate'. Try --help.")
        self.ask("--framing=lines", ":1", status=2,
                 error="--framing: 'lines' is not line, length, netstring or chunk")
        self.ask("nowhere", status=2, error="nowhere: the port is missing; write HOST:PORT, :PORT, "
                                            "[V6]:PORT, /path or @abstract")
        self.ask(":1", "a\nb", status=2,
                 error="a message with a line break needs --framing=length or netstring")
        self.ask("-n", "3", ":1", status=2, error="--count and --interval need a MESSAGE to repeat")

    def test_help_and_version(self):
        text = self.ask("--help").decode()
        self.assertTrue(text.startswith("Usage: ask [OPTION…] ADDRESS [MESSAGE…]\n"))
        for option in ("-f, --framing", "-t, --timeout", "-n, --count", "-i, --interval", "--expect",
                       "--json, --hex", "--max-reply", "-4, -6", "--tls", "--ca", "--sni", "--cert", "-h, --help", "-V, --version"):
            self.assertIn(option, text)
        self.assertEqual(self.ask("-h").decode(), text)
        self.assertRegex(self.ask("-V").decode(),
                         r"\Aask [0-9.]+( \(git [0-9a-f]+\))?\nFeatures: [+-]libedit [+-]jansson [+-]openssl\n"
                         r"Built with: (no )?libedit.*, (no )?jansson.*, (no )?openssl.*\nLicence: LGPL-2\.1-or-later\n\Z")


class Forms(AskCase):
    def test_expect(self):
        address = self.serve_port(echo_lines)
        self.assertEqual(self.ask("--expect=^o(k|n)$", address, "ok", "on"), b"ok\non\n")
        out = self.ask("--expect=^o(k|n)$", address, "ok", "nok", "oo", status=1,
                       error=f"{address}: reply 2 does not match '^o(k|n)$'")
        self.assertEqual(out, b"ok\nnok\noo\n")
        self.assertEqual(self.ask("--expect=^.$", address, "你").decode(), "你\n")

    def test_expect_looks_behind_nul(self):
        def answer(sock):
            sock.recv(1024)
            sock.sendall(b"a\0b\n")
        self.assertEqual(self.ask("--expect=b$", self.serve_port(answer), "x"), b"a\0b\n")

    def test_hex(self):
        out = self.ask("--hex", self.serve_port(echo_lines), "hello é", "")
        self.assertEqual(out.decode(),
                         "00000000  68 65 6c 6c 6f 20 c3 a9                           |hello ..|\n"
                         "00000008\n00000000\n")

    def json(self, *arguments):
        done = ask_raw(["--json", *arguments])
        if b"built without JSON" in done.stderr:
            self.skipTest("ask is built without jansson")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_json(self):
        def answer(sock):
            for line in lines_of(sock):
                sock.sendall(b"\xff\xfe\n" if line == b"raw" else line + b"\n")
        objects = self.json(self.serve_port(answer), 'q"\\\t', "你好", "raw")
        for number, got in enumerate(objects, 1):
            self.assertEqual(got.pop("number"), number)
            self.assertGreater(got.pop("rtt_us"), 0)
        self.assertEqual(objects, [
            {"message": 'q"\\\t', "reply": 'q"\\\t', "bytes": 4},
            {"message": "你好", "reply": "你好", "bytes": 6},
            {"message": "raw", "reply_base64": base64.b64encode(b"\xff\xfe").decode(), "bytes": 2}])

    def on_a_terminal(self, *arguments):
        """The output of ask on a terminal, with another standard input."""
        master, slave = pty.openpty()
        try:
            done = ask_raw(arguments, stdout=slave)
            os.close(slave)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            shown = b""
            try:
                while True:
                    piece = os.read(master, 4096)
                    if not piece:
                        return shown
                    shown += piece
            except OSError:  # EIO: the other end is closed
                return shown
        finally:
            os.close(master)

    def test_a_server_cannot_act_on_the_terminal(self):
        def evil(sock):
            sock.recv(1024)
            sock.sendall(b"\x1b]0;title\x07\x1b[2J\xc2\x9b1m\xff \\ \xe4\xbd\xa0\n")
        address = self.serve_port(evil)
        self.assertEqual(self.on_a_terminal(address, "x").decode(),
                         "\\x1b]0;title\\x07\\x1b[2J\\xc2\\x9b1m\\xff \\\\ 你\r\n")


class Repeating(AskCase):
    SUMMARY = re.compile(r"--- (?P<address>\S+) ---\n"
                         r"(?P<sent>\d+) sent, (?P<answered>\d+) answered, (?P<loss>[\d.]+)% loss, "
                         r"time (?P<time>\d+)ms\n"
                         r"(rtt min/avg/max/mdev = (?P<rtt>[\d.]+/[\d.]+/[\d.]+/[\d.]+) ms\n"
                         r"rtt p50/p90/p99/p99\.9 = (?P<percentiles>[\d.]+/[\d.]+/[\d.]+/[\d.]+) ms\n)?")

    def summary(self, stderr, sent, answered, loss):
        match = self.SUMMARY.match(stderr.decode())
        self.assertTrue(match, stderr)
        self.assertEqual((int(match["sent"]), int(match["answered"]), match["loss"]),
                         (sent, answered, loss))
        return match

    def test_count(self):
        address = self.serve_port(echo_lines)
        done = ask_raw(["-n", "50", address, "a", "b"])
        self.assertEqual((done.returncode, done.stdout), (0, b"a\nb\n" * 50))
        match = self.summary(done.stderr, 100, 100, "0")
        self.assertEqual(match["address"], address)
        self.assertEqual(match.end(), len(done.stderr))
        low, mean, high, _ = map(float, match["rtt"].split("/"))
        self.assertLessEqual(low, mean)
        self.assertLessEqual(mean, high)
        ranks = [float(text) for text in match["percentiles"].split("/")]
        self.assertEqual(ranks, sorted(ranks))
        self.assertTrue(low <= ranks[0] and ranks[-1] <= high)

    def test_the_times_are_those_of_the_server(self):
        def slow(sock):
            for line in lines_of(sock):
                time.sleep(0.05)  # the delay that is measured
                sock.sendall(line + b"\n")
        done = ask_raw(["--count=3", self.serve_port(slow), "x"])
        low, *_ = map(float, self.summary(done.stderr, 3, 3, "0")["rtt"].split("/"))
        self.assertGreaterEqual(low, 50)

    def test_interval(self):
        arrived = []

        def note(sock):
            for line in lines_of(sock):
                arrived.append(time.monotonic())
                sock.sendall(line + b"\n")
        done = ask_raw(["-n4", "--interval=100ms", self.serve_port(note), "x"])
        self.assertEqual(done.returncode, 0)
        # Each is sent an interval after the last one, as this server measures it.
        self.assertGreaterEqual(arrived[-1] - arrived[0], 0.28)
        self.assertGreaterEqual(int(self.summary(done.stderr, 4, 4, "0")["time"]), 300)

    def test_without_end_until_interrupted(self):
        process = asking.start(["-i", "1ms", self.serve_port(echo_lines), "x"], stdin=subprocess.DEVNULL)
        for _ in range(20):
            self.assertEqual(process.stdout.read(2), b"x\n")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=asking.DEADLINE)
        match = self.SUMMARY.match(err.decode())
        self.assertEqual(int(match["answered"]), 20 + out.count(b"x\n"))
        # It may have been about to receive one more.
        self.assertEqual(process.returncode, 0 if match["sent"] == match["answered"] else 5)

    def test_interrupted_while_it_waits_for_a_reply(self):
        started = threading.Event()

        def silent(sock):
            sock.recv(1024)
            started.wait(asking.DEADLINE)
            process.send_signal(signal.SIGINT)
            sock.recv(1024)
        address = self.serve_port(silent)
        process = asking.start(["-n", "9", address, "x"], stdin=subprocess.DEVNULL)
        started.set()
        out, err = process.communicate(timeout=asking.DEADLINE)
        self.assertEqual((process.returncode, out), (5, b""))
        rest = err.decode()[self.summary(err, 1, 0, "100").end():]
        self.assertEqual(rest, f"ask: {address}: interrupted; unanswered messages: 1 of 1\n")

    def test_loss(self):
        def three(sock):
            for _ in range(3):
                sock.recv(1024)
                sock.sendall(b"ok\n")
            sock.recv(1024)
        done = ask_raw(["-n", "9", self.serve_port(three), "x"])
        self.assertEqual((done.returncode, done.stdout), (5, b"ok\n" * 3))
        self.summary(done.stderr, 4, 3, "25")


if __name__ == "__main__":
    tap.main()
