# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask --tls, against servers of Python's ssl module."""

import contextlib
import os
import queue
import shutil
import socket
import ssl
import tempfile
import unittest
import warnings

import asking
import certificates
import net
import tap
from asking import Server, ask_raw, echo_lines, lines_of
from screen import Terminal

# A fatal protocol_version alert, as servers send it that are not based on OpenSSL.
ALERT = b"\x15\x03\x01\x00\x02\x02\x46"


class TlsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if b"+openssl" not in ask_raw(["-V"]).stdout:
            raise unittest.SkipTest("ask is built without TLS")
        if not shutil.which("openssl"):
            raise unittest.SkipTest("openssl is not there")
        folder = tempfile.TemporaryDirectory(prefix="ask")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        authority = certificates.Authority(cls.folder)
        authority.sign("good", "good", "DNS:localhost,IP:127.0.0.1,IP:::1")
        authority.sign("db", "db", "DNS:db.example,DNS:*.db.example")
        authority.sign("old", "old", "DNS:localhost", days=-1)
        authority.sign("client", "till 7")
        os.mkdir(cls.folder + "/other")
        certificates.Authority(cls.folder + "/other", "another authority").sign("client", "stranger")
        cls.ca = cls.folder + "/ca.pem"

    def context(self, name="good", demands=None, version=None):
        """demands: the authority's file for clients; version: the newest that the server speaks."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{self.folder}/{name}.pem")
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(demands)
        if version:
            context.maximum_version = version
        return context

    def serve(self, handler, context=None, address=("127.0.0.1", 0)):
        """The handler gets a stream that raises ssl.SSLEOFError if it ends without close_notify."""
        context = context or self.context()

        def handle(sock):
            with contextlib.suppress(ssl.SSLError), context.wrap_socket(
                    sock, server_side=True, suppress_ragged_eofs=False, do_handshake_on_connect=False) as stream:
                stream.do_handshake()
                handler(stream)
        return Server(self, handle, address)

    def serve_port(self, handler, *rest):
        return f"localhost:{self.serve(handler, *rest).port}"

    def ask(self, *arguments, status=0, error="", **rest):
        done = ask_raw(["--tls", "--ca=" + self.ca, *arguments], **rest)
        self.assertEqual((done.returncode, done.stderr.decode()), (status, f"ask: {error}\n" if error else ""))
        return done.stdout


class Verified(TlsCase):
    def test_by_name(self):
        self.assertEqual(self.ask(self.serve_port(echo_lines), "one", "two"), b"one\ntwo\n")

    def test_by_address(self):
        port = self.serve(echo_lines).port
        self.assertEqual(self.ask(f"127.0.0.1:{port}", "x"), b"x\n")
        self.assertEqual(self.ask(f":{port}", "x"), b"x\n")
        with contextlib.suppress(OSError):
            port = self.serve(echo_lines, None, ("::1", 0)).port
            self.assertEqual(self.ask(f"[::1]:{port}", "x"), b"x\n")

    def test_both_versions(self):
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            address = self.serve_port(echo_lines, self.context(version=version))
            self.assertEqual(self.ask(address, "x"), b"x\n")

    def test_another_name(self):
        names = []
        context = self.context("db")
        context.sni_callback = lambda stream, name, context: names.append(name)
        address = self.serve_port(echo_lines, context)
        self.assertEqual(self.ask("--sni=db.example", address, "x"), b"x\n")
        self.assertEqual(self.ask("--sni=a.db.example", address, "x"), b"x\n")
        port = address.rpartition(":")[2]
        self.ask(f"127.0.0.1:{port}", status=3, error=f"127.0.0.1:{port}: cannot connect: the server's certificate is "
                 "for db.example, *.db.example, not for 127.0.0.1")
        self.assertEqual(names, ["db.example", "a.db.example", None])

    def test_a_unix_socket(self):
        path = asking.directory(self) + "/socket"
        self.serve(echo_lines, None, path)
        self.assertEqual(self.ask("--sni=localhost", path, "x"), b"x\n")
        self.assertEqual(self.ask("--insecure", path, "x"), b"x\n")
        self.ask(path, "x", status=2, error=f"{path}: --tls needs --sni=NAME, since a UNIX socket has no host name")

    def test_the_systems_authorities(self):
        address = self.serve_port(echo_lines)
        done = ask_raw(["--tls", address, "x"], env={"SSL_CERT_FILE": self.ca})
        self.assertEqual((done.returncode, done.stdout), (0, b"x\n"))
        done = ask_raw(["--tls", address, "x"], env={"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": "/nowhere"})
        self.assertEqual(done.returncode, 3)
        self.assertTrue(done.stderr.decode().endswith(
            'the server\'s certificate was issued by "CN=test authority", which is not trusted; use --ca=FILE\n'))

    def test_insecure(self):
        for name in "good", "db", "old":
            address = self.serve_port(echo_lines, self.context(name))
            done = ask_raw(["--tls", "--insecure", address, "x"])
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"x\n", b""))


class NotVerified(TlsCase):
    def refused(self, context, error, *options):
        """The error's text begins with the address. The server sees that no stream begins."""
        port = self.serve(lambda stream: stream.recv(1), context).port
        done = ask_raw(["--tls", *(options or ["--ca=" + self.ca]), f"localhost:{port}", "x"])
        said = done.stderr.decode()
        self.assertEqual((done.returncode, done.stdout), (3, b""), said)
        self.assertRegex(said, rf"\Aask: localhost:{port}: cannot connect to 127\.0\.0\.1:{port}: {error}\n\Z")

    def test_another_host(self):
        self.refused(self.context("db"),
                     r"the server's certificate is for db\.example, \*\.db\.example, not for localhost")

    def test_expired(self):
        self.refused(self.context("old"), r"the server's certificate expired on 20[\d-]{8} \d\d:\d\d UTC")

    def test_an_unknown_authority(self):
        other = self.folder + "/other/ca.pem"
        self.refused(self.context(), f'the server\'s certificate was issued by "CN=test authority", which is not in '
                     f"{other}", "--ca=" + other)

    def test_no_common_version(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = self.context(version=ssl.TLSVersion.TLSv1_1)
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        self.refused(context, "the server accepts neither TLS 1.2 nor TLS 1.3")


class NoTls(TlsCase):
    def refused(self, handler, error, *options):
        port = Server(self, handler).port
        self.ask(*options, f"127.0.0.1:{port}", "x", status=3, error=f"127.0.0.1:{port}: cannot connect: {error}")

    def test_a_server_that_answers_in_plain_text(self):
        for text in b"error: a message is longer than 64 bytes\n", b"HTTP/1.1 400 Bad Request\r\n\r\n":
            def answer(sock):
                sock.recv(1024)
                sock.sendall(text)
            self.refused(answer, "the server does not speak TLS")

    def test_a_server_that_closes(self):
        for last in b"", b"ok\n":
            def close(sock):
                sock.recv(1024)
                sock.sendall(last)
            self.refused(close, "the server closed the connection in the TLS handshake; it may not speak TLS")

    def test_a_server_that_says_nothing(self):
        def wait(sock):
            while sock.recv(1024):
                pass
        self.refused(wait, "no TLS handshake within 200ms; the server may not speak TLS", "--timeout=200ms")

    def test_a_server_that_resets(self):
        def reset(sock):
            sock.recv(1)
            asking.reset(sock)
        self.refused(reset, "Connection reset by peer in the TLS handshake")

    def test_asked_without_tls(self):
        def answer(sock):
            sock.recv(1024)
            sock.sendall(ALERT)
        for framing in "line", "length", "netstring", "chunk":
            port = Server(self, answer).port
            done = ask_raw([f"--framing={framing}", f":{port}", "x"])
            self.assertEqual((done.returncode, done.stdout, done.stderr.decode()),
                             (3, b"", f"ask: :{port}: cannot connect: the server speaks TLS; use --tls\n"))

    def test_a_reply_that_only_begins_like_an_alert(self):
        def answer(sock):
            sock.recv(1024)
            sock.sendall(b"\x15\x03")
        done = ask_raw(["--framing=chunk", f":{Server(self, answer).port}", "x"])
        self.assertEqual((done.returncode, done.stdout), (0, b"\x15\x03\n"))


class ClientCertificate(TlsCase):
    def demanding(self, version):
        self.names = queue.Queue()

        def handle(stream):
            self.names.put(dict(x[0] for x in stream.getpeercert()["subject"])["commonName"])
            echo_lines(stream)
        return self.serve_port(handle, self.context(demands=self.ca, version=version))

    def test_it(self):
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            address = self.demanding(version)
            for files in ([f"--cert={self.folder}/client.pem"],
                          [f"--cert={self.folder}/client.crt", f"--key={self.folder}/client.key"]):
                self.assertEqual(self.ask(*files, address, "x"), b"x\n")
                self.assertEqual(self.names.get(timeout=net.TIMEOUT), "till 7")

    def test_none(self):
        self.rejected([], "the server demands a client certificate; use --cert=FILE")

    def test_a_strangers(self):
        self.rejected([f"--cert={self.folder}/other/client.pem"],
                      "the server does not accept our certificate: unknown CA")

    def rejected(self, options, error):
        """With TLS 1.3, ask's handshake is over when the server says no. The error is the same."""
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            address = self.demanding(version)
            done = ask_raw(["--tls", "--ca=" + self.ca, *options, address, "x"])
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertRegex(done.stderr.decode(), rf"\Aask: {address}: cannot connect.*: {error}\n\Z")


class Usage(TlsCase):
    def wrong(self, error, *arguments):
        done = ask_raw([*arguments, ":1", "x"])
        self.assertEqual((done.returncode, done.stderr.decode()), (2, f"ask: {error}\n"))

    def test_options_that_need_tls(self):
        for option in "--ca=x", "--cert=x", "--key=x", "--sni=x", "--insecure":
            self.wrong(f"{option.partition('=')[0]} needs --tls", option)
        self.wrong("--key needs --cert", "--tls", "--key=x")

    def test_files(self):
        self.wrong("/nowhere/x: No such file or directory", "--tls", "--ca=/nowhere/x")
        self.wrong("/nowhere/x: No such file or directory", "--tls", "--cert=/nowhere/x")
        self.wrong(f"{self.folder}/ca.key: no PEM certificate is in it", "--tls", f"--ca={self.folder}/ca.key")
        self.wrong(f"{self.folder}/good.key: its key does not belong to the certificate in {self.folder}/client.pem",
                   "--tls", f"--cert={self.folder}/client.pem", f"--key={self.folder}/good.key")

    def test_an_encrypted_key_is_not_asked_for(self):
        key = self.folder + "/encrypted.key"
        certificates.openssl("pkey", "-in", self.folder + "/client.key", "-aes256", "-passout", "pass:x", "-out", key)
        self.wrong(f"{key}: its key is encrypted; decrypt it with openssl-pkey(1)", "--tls",
                   f"--cert={self.folder}/client.pem", f"--key={key}")

    def test_a_name_that_is_none(self):
        self.wrong("'' is no host name", "--tls", "--sni=")


class Streams(TlsCase):
    def test_many_lines(self):
        lines = b"".join(b"line %d %s\n" % (i, b"x" * (i % 300)) for i in range(10000))
        self.assertEqual(self.ask(self.serve_port(echo_lines), stdin=lines), lines)

    def test_large_messages_both_ways(self):
        lines = b"".join(bytes([97 + i]) * 1_000_000 + b"\n" for i in range(5))
        self.assertEqual(self.ask(self.serve_port(echo_lines), stdin=lines), lines)

    def test_other_framings(self):
        def echo(stream):
            while True:
                data = stream.recv(1024)
                if not data:
                    return
                stream.sendall(data)
        for framing in "length", "netstring", "chunk":
            address = self.serve_port(echo)
            self.assertEqual(self.ask("--framing", framing, address, "one", "two"), b"one\ntwo\n")

    def by_hand(self, handler):
        """The handler gets an ssl.SSLObject and its outgoing bytes, to send them as it likes."""
        context = self.context()

        def handle(sock):
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            stream = context.wrap_bio(incoming, outgoing, server_side=True)

            def until_done(step):
                while True:
                    try:
                        return step()
                    except ssl.SSLWantReadError:
                        sock.sendall(outgoing.read())
                        data = sock.recv(65536)
                        if not data:
                            raise BrokenPipeError from None
                        incoming.write(data)
            until_done(stream.do_handshake)
            handler(sock, stream, outgoing, until_done)
        return f"localhost:{Server(self, handle).port}"

    def test_many_records_at_once(self):
        """Most of them wait inside ask, where poll(2) does not see them."""
        def handle(sock, stream, outgoing, until_done):
            got = b""
            while got.count(b"\n") < 2000:
                got += until_done(lambda: stream.read(65536))
            for line in got.splitlines():
                stream.write(line + b"\n")
            sock.sendall(outgoing.read())
            until_done(lambda: stream.read(1))
        lines = b"".join(b"%d\n" % i for i in range(2000))
        self.assertEqual(self.ask(self.by_hand(handle), stdin=lines), lines)

    def test_a_greeting_with_the_handshake(self):
        def handle(sock, stream, outgoing, until_done):
            stream.write(b"hello\n")
            sock.sendall(outgoing.read())
            self.assertEqual(until_done(lambda: stream.read(10)), b"x\n")
            stream.write(b"bye\n")
            sock.sendall(outgoing.read())
        process = asking.start(["--tls", "--ca=" + self.ca, self.by_hand(handle)])
        self.addCleanup(process.wait)
        with process.stdin, process.stdout, process.stderr:
            self.assertEqual(process.stdout.readline(), b"hello\n")
            process.stdin.write(b"x\n")
            self.assertEqual(process.stdout.readline(), b"bye\n")

    def test_byte_by_byte(self):
        def handle(sock, stream, outgoing, until_done):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            until_done(lambda: stream.read(10))
            stream.write(b"slowly but surely\n")
            for byte in outgoing.read():
                sock.sendall(bytes([byte]))
            until_done(lambda: stream.read(1))
        self.assertEqual(self.ask(self.by_hand(handle), "x"), b"slowly but surely\n")


class Ends(TlsCase):
    def test_ask_ends_tls(self):
        ends = queue.Queue()

        def handle(stream):
            for line in lines_of(stream):
                stream.sendall(line + b"\n")
            ends.put("orderly")
        address = self.serve_port(handle)
        for stdin in b"", b"x\n" * 10:
            self.assertEqual(self.ask(address, stdin=stdin), stdin)
            self.assertEqual(ends.get(timeout=net.TIMEOUT), "orderly")

    def test_the_write_side_stays_open_until_the_reply(self):
        def suspicious(stream):
            stream.recv(1024)
            stream.settimeout(0.2)
            with self.assertRaises(socket.timeout):
                stream.recv(1)
            stream.sendall(b"still there\n")
        self.assertEqual(self.ask(self.serve_port(suspicious), stdin=b"x\n"), b"still there\n")

    def ending(self, reply, orderly):
        def handle(stream):
            stream.recv(1024)
            stream.sendall(reply)
            with contextlib.suppress(ssl.SSLError, OSError):
                if orderly:
                    stream.unwrap()
                else:
                    stream.shutdown(socket.SHUT_RDWR)
        return self.serve_port(handle)

    def test_the_server_ends_tls_early(self):
        address = self.ending(b"ok\n", True)
        self.ask(address, "x", "y", status=5,
                 error=f"{address}: the server closed the connection; unanswered messages: 1 of 2")

    def test_the_stream_is_cut(self):
        address = self.ending(b"ok\n", False)
        cut = f"{address}: the connection was cut off (no TLS close_notify)"
        self.ask(address, "x", "y", status=5, error=f"{cut}; unanswered messages: 1 of 2")
        address = self.ending(b"o", False)
        cut = f"{address}: the connection was cut off (no TLS close_notify)"
        self.assertEqual(self.ask(address, "x", status=1, error=f"{cut} inside a reply"), b"o\n")

    def test_the_stream_is_cut_when_all_is_answered(self):
        self.assertEqual(self.ask(self.ending(b"ok\n", False), "x"), b"ok\n")

    def test_a_refusal(self):
        address = self.ending(b"error: no\n", True)
        self.assertEqual(self.ask(address, "x", status=1, error=f"{address}: the server refused: no"), b"error: no\n")

    def test_retry(self):
        """Each kind of failure once: no handshake, a handshake that is cut, a stream that is cut."""
        left = ["close", "shake", "cut"]
        context = self.context()

        def handle(sock):
            fault = left.pop(0) if left else None
            if fault == "close":
                return
            if fault == "shake":
                sock.recv(10)
                return
            with context.wrap_socket(sock, server_side=True) as stream:
                for line in lines_of(stream):
                    if fault == "cut" and line == b"3":
                        stream.shutdown(socket.SHUT_RDWR)
                        return
                    stream.sendall(line + b"\n")
        server = Server(self, handle)
        out = self.ask("--retry=3", f"localhost:{server.port}", stdin=b"1\n2\n3\n4\n")
        self.assertEqual((out, server.connections), (b"1\n2\n3\n4\n", 4))


class Prompt(TlsCase):
    def setUp(self):
        self.state = asking.directory(self)
        self.lines, self.streams = queue.Queue(), queue.Queue()
        self.silent = False
        context = self.context()

        def handle(sock):
            if self.silent:
                self.lines.put("silence")
                while sock.recv(1024):
                    pass
                return
            with contextlib.suppress(ssl.SSLError), context.wrap_socket(sock, server_side=True) as stream:
                self.streams.put(stream)
                for line in lines_of(stream):
                    self.lines.put(line.decode())
        self.address = f"127.0.0.1:{Server(self, handle).port}"
        self.greeting = (f"Connected to {self.address} with TLS. quit or Ctrl-D ends.\n"
                         'Anything else is sent. "man ask" has the keys.')

    def prompt(self):
        environment = {"LC_ALL": "C.UTF-8", "XDG_STATE_HOME": self.state, "HOME": self.state, "TERM": "linux"}
        terminal = Terminal(self, [asking.ASK, "--tls", "--ca=" + self.ca, self.address], environment, 100)
        self.shows(terminal, ">>>")
        return terminal, self.streams.get(timeout=net.TIMEOUT)

    def shows(self, terminal, *lines):
        terminal.expect("\n".join([self.greeting, *lines]))

    @staticmethod
    def shows_cut(terminal):
        terminal.expect_end("ask: the connection was cut off (no TLS close_notify). The next line reconnects.\n>>>")

    def said(self):
        return self.lines.get(timeout=net.TIMEOUT)

    def test_a_talk_that_is_cut_and_goes_on(self):
        terminal, stream = self.prompt()
        terminal.type("hello\r")
        self.assertEqual(self.said(), "hello")
        stream.sendall(b"hi there\n")
        self.shows(terminal, ">>> hello", "hi there", ">>>")
        stream.shutdown(socket.SHUT_RDWR)
        self.shows_cut(terminal)
        terminal.type("again\r")
        self.assertEqual(self.said(), "again")
        self.streams.get(timeout=net.TIMEOUT).sendall(b"welcome\n")
        terminal.expect_end(">>> again\nwelcome\n>>>")
        terminal.type("quit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_quit_while_it_shakes_hands(self):
        terminal, stream = self.prompt()
        self.silent = True
        stream.shutdown(socket.SHUT_RDWR)
        self.shows_cut(terminal)
        terminal.type("again\r")
        self.assertEqual(self.said(), "silence")
        terminal.type("\x03")
        self.assertEqual(terminal.wait(), 0)


if __name__ == "__main__":
    tap.main()
