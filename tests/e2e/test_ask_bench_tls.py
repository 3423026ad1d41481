# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask-bench with TLS, against an independent server: its counts, its errors, and its options."""

import contextlib
import os
import re
import socket
import ssl
import tempfile
import threading
import unittest

import net
import tap
from benching import Running, Server, bench, run
from certificates import Authority

HOST = "127.0.0.1:"
TLS = "+openssl" in run("-V").stdout


class Certificates:
    """One authority for all tests, with certificates for this machine, for another name, and for a client."""

    def __init__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="ad", dir="/tmp")
        authority = Authority(self._folder.name)
        authority.sign("server", "localhost", "DNS:localhost,IP:127.0.0.1")
        authority.sign("client", "client")
        self.ca = self.path("ca.pem")

    def path(self, name):
        return os.path.join(self._folder.name, name)

    def close(self):
        self._folder.cleanup()


def setUpModule():
    global files
    if not TLS:
        raise unittest.SkipTest("ask-bench is built without OpenSSL")
    files = Certificates()
    unittest.addModuleCleanup(files.close)


def refuse_all(listener):
    """Refuses clients, with an alert, since they have no certificate. Ends with the listener. asyncio sends no alert."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.path("server.pem"))
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    while True:
        try:
            client = listener.accept()[0]
        except OSError:
            return
        client.settimeout(net.TIMEOUT)
        with context.wrap_socket(client, server_side=True, do_handshake_on_connect=False) as stream:
            with contextlib.suppress(ssl.SSLError):
                stream.do_handshake()
            # Closing with unread data would reset the connection.
            with socket.socket(fileno=stream.detach()) as rest, contextlib.suppress(ConnectionError):
                rest.settimeout(net.TIMEOUT)
                rest.shutdown(socket.SHUT_WR)
                while rest.recv(1 << 16):
                    pass


class Tls(unittest.TestCase):
    def server(self, mode="echo", address=HOST + "0", ca=None):
        return Server(self, mode, address, [files.path("server.pem"), *([ca] if ca else [])])

    def bench(self, *options, status=0):
        return bench(self, "--tls", "--ca=" + files.ca, *options, status=status)

    def run_tls(self, *options):
        return run("--tls", "--ca=" + files.ca, *options)


class Counting(Tls):
    def check(self, result, messages, handshakes, errors=None):
        achieved = result["achieved"]
        self.assertEqual(result["errors"], errors or {})
        self.assertEqual(achieved["messages"], messages)
        self.assertEqual((achieved["handshakes"], achieved["connects"]), (handshakes, handshakes))

    def test_one_at_a_time(self):
        server = self.server()
        result = self.bench("-c7", "-n5000", "--verify=echo", server.address)
        self.check(result, 5000, 7)
        self.assertEqual(result["achieved"]["resumed"], 0)
        # What TLS adds does not count.
        self.assertEqual(result["achieved"]["bytes_sent"], 5000 * 17)
        self.assertEqual(result["achieved"]["bytes_received"], 5000 * 17)
        self.assertEqual((server.seen()["messages"], server.seen()["connections"]), (5000, 7))

    def test_pipelined(self):
        self.check(self.bench("-c3", "-p16", "-n5000", "--verify=echo", "-s100", self.server().address), 5000, 3)

    def test_large_messages(self):
        """Of many records each, more than the socket takes at once."""
        self.check(self.bench("-c2", "-p2", "-n20", "-s1M", "--verify=echo", self.server().address), 20, 2)

    def test_replies_in_pieces(self):
        self.check(self.bench("-c3", "-n300", "--verify=echo", self.server("split").address), 300, 3)

    def test_several_workers_in_an_open_loop(self):
        result = self.bench("-c20", "-w2", "-r1000", "-n400", "--verify=echo", self.server().address)
        self.check(result, 400, 20)

    def test_hold(self):
        server = self.server()
        self.check(self.bench("-c50", "--hold", "-n2", "-d200ms", server.address), 100, 50)
        self.assertEqual(server.seen()["connections"], 50)

    def test_name(self):
        port = self.server().address.rpartition(":")[2]
        self.check(self.bench("-c2", "-n20", "localhost:" + port), 20, 2)

    def test_unix(self):
        with tempfile.TemporaryDirectory(prefix="ad", dir="/tmp") as folder:
            server = self.server(address=folder + "/socket")
            self.check(self.bench("-c5", "-n500", "--sni=localhost", "--verify=echo", server.address), 500, 5)
            self.check(self.bench("-c5", "-n50", "--sni=localhost", "--churn", server.address), 50, 50)
            self.check(self.bench("-c2", "-n4", "-s1M", "--sni=localhost", server.address), 4, 2)

    def test_client_certificate(self):
        server = self.server(ca=files.ca)
        self.check(self.bench("-c2", "-n20", "--cert=" + files.path("client.pem"), server.address), 20, 2)
        self.check(self.bench("-c2", "-n20", "--cert=" + files.path("client.crt"), "--key=" + files.path("client.key"),
                              server.address), 20, 2)

    def test_insecure(self):
        result = bench(self, "--tls", "--insecure", "-c2", "-n20", self.server().address)
        self.check(result, 20, 2)

    def test_churn(self):
        """A full handshake for every message, unless asked otherwise."""
        server = self.server()
        result = self.bench("-c5", "-n100", "--churn", "--verify=echo", server.address)
        self.check(result, 100, 100)
        self.assertEqual(result["achieved"]["resumed"], 0)
        self.assertEqual(server.seen()["connections"], 100)

    def test_resumption(self):
        result = self.bench("-c1", "-n50", "--churn", "--tls-resume", self.server().address)
        self.check(result, 50, 50)
        self.assertEqual(result["achieved"]["resumed"], 49)
        self.assertTrue(result["asked"]["tls_resume"])

    def test_connecting_includes_the_handshake(self):
        """A listener that never answers: TCP connects, TLS does not."""
        with net.listener() as listener:
            result = self.bench("-c3", "-n3", "-t200ms", HOST + str(listener.getsockname()[1]), status=3)
        self.assertEqual(result["achieved"]["connects"], 0)
        self.assertEqual(set(result["errors"]), {"timeout"})
        self.assertEqual(result["connect_us"], {})

    def test_reports(self):
        with tempfile.TemporaryDirectory(prefix="ad", dir="/tmp") as folder:
            done = self.run_tls("-c2", "-n4", "--report=" + folder + "/html", self.server().address)
            with open(folder + "/html", encoding="utf-8") as file:
                page = file.read()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("1 in flight, TLS, line framing", done.stdout)
        self.assertRegex(done.stdout, r"\nhandshakes +- +2\nresumed +- +0\n")
        self.assertIn("<td>TLS handshakes</td><td>&ndash;</td><td>2</td>", page)
        plain = bench(self, "-c1", "-n1", Server(self).address)
        self.assertEqual((plain["achieved"]["handshakes"], plain["achieved"]["resumed"], plain["asked"]["tls"]),
                         (None, None, False))
        self.assertNotIn("handshakes", run("-c1", "-n1", Server(self).address).stdout)

    def test_a_run_ends_in_an_orderly_way(self):
        """Nothing is left of a run that SIGINT ends: every message is answered, every stream ended."""
        server = self.server()
        running = Running(self, "--tls", "--ca=" + files.ca, "--progress", "-c5", "-d1h", "-w2", server.address)
        running.wait_running()
        running.signal(2)
        result = running.result(130)
        self.assertEqual(result["errors"], {})
        self.assertEqual(server.seen()["messages"], result["achieved"]["messages"])


class Errors(Tls):
    def explained(self, result, pattern):
        """The handshake has failed, on every connection, and is explained once."""
        self.assertEqual(result.returncode, 3, result.stderr)
        self.assertIn(" of 3 connections made: tls\n", result.stderr)
        self.assertRegex(result.stdout, r"\nerrors +3 tls\n")
        explanations = re.findall(r"^ask-bench: \S+: TLS failed: (.*)$", result.stderr, re.MULTILINE)
        self.assertEqual(len(explanations), 1, result.stderr)
        self.assertRegex(explanations[0], pattern)

    def test_not_trusted(self):
        self.explained(run("--tls", "--ca=" + files.path("client.crt"), "-c3", "-n3", "-w2", self.server().address),
                       r"which is not in \S+/client\.crt$")

    def test_wrong_name(self):
        self.explained(self.run_tls("--sni=other.example", "-c3", "-n3", self.server().address), "other.example")

    def test_no_tls(self):
        self.explained(self.run_tls("-c3", "-n3", Server(self).address), "TLS")

    def test_no_client_certificate(self):
        """In TLS 1.3 the server says so when the handshake of the client is over."""
        with net.listener() as listener:
            thread = threading.Thread(target=refuse_all, args=(listener,), daemon=True)
            thread.start()
            result = self.run_tls("-c1", "-n1", HOST + str(listener.getsockname()[1]))
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(net.TIMEOUT)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr, r"TLS failed: .*certificate")
        self.assertRegex(result.stdout, r"\nerrors +\d+ tls\b")

    def test_closed(self):
        result = self.bench("-c1", "-n100", self.server("close").address)
        self.assertEqual(result["errors"], {"closed": 10, "unanswered": 10})
        self.assertEqual(result["achieved"]["handshakes"], 10)

    def test_ended_without_close_notify(self):
        result = self.bench("-c1", "-n100", self.server("rude").address)
        self.assertEqual(result["errors"], {"cut": 10, "unanswered": 10})

    def test_reset(self):
        result = self.bench("-c1", "-n100", self.server("reset").address)
        self.assertEqual(result["errors"], {"reset": 10, "unanswered": 10})

    def test_silent(self):
        result = self.bench("-c3", "-n3", "-t200ms", self.server("silent").address, status=1)
        self.assertEqual(result["errors"], {"timeout": 3, "unanswered": 3})

    def test_a_flood_of_replies(self):
        result = self.bench("-c1", "-d1s", "-t200ms", self.server("flood").address)
        self.assertEqual(set(result["errors"]), {"unexpected"})
        self.assertLess(result["achieved"]["seconds"], 1.2 + net.LATE)

    def test_refusals(self):
        server = self.server("refuse")
        for options in ["-c5", "-n20"], ["-c5", "-n20", "--churn"]:
            with self.subTest(options):
                result = self.bench(*options, server.address, status=1)
                self.assertGreater(result["errors"]["refused"], 0)
                self.assertLessEqual(set(result["errors"]), {"refused", "unanswered"})
                self.assertEqual(sum(result["errors"].values()), 20)

    def test_replies_that_read_like_refusals(self):
        for options in ["-c5", "-n100"], ["-c2", "-n4", "--churn"]:
            with self.subTest(options):
                result = self.bench(*options, self.server("error").address)
                self.assertEqual(result["errors"], {})

    def test_files(self):
        server = self.server()
        for options, pattern in (
                (["--ca=/nonexistent"], "/nonexistent: No such file"),
                (["--insecure", "--cert=/nonexistent"], "/nonexistent: No such file"),
                (["--insecure", "--cert=" + files.path("client.crt")], r"client\.crt: "),
                (["--insecure", "--cert=" + files.path("client.crt"), "--key=" + files.path("server.key")],
                 r"server\.key: ")):
            with self.subTest(options):
                done = run("--tls", *options, "-n1", server.address)
                self.assertEqual(done.returncode, 3)
                self.assertRegex(done.stderr, r"\Aask-bench: [^\n]*" + pattern + r"[^\n]*\n\Z")
        self.assertEqual(server.seen()["connections"], 0)

    def test_usage(self):
        for option in "--ca=x", "--cert=x", "--key=x", "--sni=x", "--insecure", "--tls-resume":
            with self.subTest(option):
                done = run(option, "-n1", ":1")
                self.assertEqual((done.returncode, done.stderr),
                                 (2, f"ask-bench: {option.partition('=')[0]} needs --tls. Try --help.\n"))
        for options, error in ((["--key=x", ":1"], "--key needs --cert"),
                               (["/socket"], "/socket: --tls needs --sni, since a UNIX socket has no host name")):
            with self.subTest(options):
                done = run("--tls", *options)
                self.assertEqual((done.returncode, done.stderr), (2, f"ask-bench: {error}. Try --help.\n"))


if __name__ == "__main__":
    tap.main()
