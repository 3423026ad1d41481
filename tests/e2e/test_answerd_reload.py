# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reload: new settings for new connections, old connections untouched, listeners that come and go."""

import os
import shutil
import signal
import socket
import tempfile
import threading
import unittest

import net
import tap
from daemon import Daemon


def config(reply, rest=""):
    return f"[Listener default]\nListen=127.0.0.1:0\nRecord=none\nReply={reply}\n{rest}"


class Base(unittest.TestCase):
    def daemon(self, text, **rest):
        return Daemon(self, [], config=text, **rest)

    def ask(self, client, reply):
        client.sendall(b"x\n")
        self.assertEqual(net.recv_line(client), reply + b"\n")


class Settings(Base):
    def test_new_settings_are_for_new_connections(self):
        daemon = self.daemon(config("old"))
        with daemon.connect() as old:
            self.ask(old, b"old")
            self.assertEqual(daemon.reload(config("new")), "reloaded: " + daemon.config_path)
            self.ask(old, b"old")
            for _ in range(8):  # for any worker
                with daemon.connect() as new:
                    self.ask(new, b"new")
            daemon.reload(config("newer"))
            self.ask(old, b"old")
        with daemon.connect() as new:
            self.ask(new, b"newer")
        daemon.stop()

    def test_a_message_half_sent_before_is_answered_after(self):
        daemon = self.daemon(config("{message}"))
        with daemon.connect() as client:
            client.sendall(b"first half, ")
            daemon.reload(config("other"))
            client.sendall(b"second half\n")
            self.assertEqual(net.recv_line(client), b"first half, second half\n")
        daemon.stop()

    def test_every_listener_setting_changes(self):
        daemon = self.daemon(config("{message}"))
        daemon.reload(config("{message}", "Framing=netstring\nMaxMessageSize=3\nIdleTimeout=100ms\n"))
        self.assertEqual(net.exchange(daemon.address(), b"3:abc,"), b"3:abc,")
        self.assertEqual(net.exchange(daemon.address(), b"4:"), b"23:error: message too long,")
        with daemon.connect() as client:
            self.assertEqual(net.recv_until_eof(client), b"")
        daemon.reload(config("{message}", "RateLimit=5\nMessageTimeout=100ms\n"))
        with daemon.connect() as client:
            client.sendall(b"x")
            self.assertEqual(net.recv_until_eof(client), b"error: message not complete in time\n")
        daemon.stop()

    def test_server_settings_change(self):
        daemon = self.daemon(config("ok"))
        daemon.reload("[Server]\nMaxConnectionsPerAddress=1\n" + config("ok"))
        with daemon.connect() as first:
            self.ask(first, b"ok")
            self.assertEqual(net.exchange(daemon.address(), b""), b"error: too many connections from your address\n")
            daemon.reload(config("ok"))
            self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"ok\n")
        daemon.stop()

    def test_the_number_of_workers_waits_for_a_start(self):
        daemon = self.daemon("[Server]\nWorkers=1\n" + config("ok"))
        daemon.reload("[Server]\nWorkers=2\n" + config("ok"))
        daemon.stderr.wait_for(r"^answerd: Workers= takes effect at the next start$")
        self.assertEqual(list(daemon.workers()), ["worker-0"])
        daemon.stop()

    def test_options_stay(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply=option", "--record=none"])
        daemon.reload("[Listener default]\nReply=file\nListen=/nonexistent/s\n")
        self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"option\n")
        daemon.stop()


class Listeners(Base):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_listeners_come_and_go(self):
        one, two = self.path("one"), self.path("two")
        both = f"[Listener a]\nListen={one}\nReply=a\n[Listener b]\nListen={two}\nReply=b\n[Listener default]\n"
        daemon = Daemon(self, ["--record=none"], config=f"[Listener a]\nListen={one}\nReply=a\n")
        with net.connect(one) as kept:
            self.ask(kept, b"a")
            daemon.reload(both)
            self.assertEqual(net.exchange(two, b"x\n"), b"b\n")
            self.assertEqual(net.exchange(one, b"x\n"), b"a\n")
            daemon.reload(f"[Listener b]\nListen={two}\nReply=b2\n")
            # Closed once all workers have let go of it: then the reload is done.
            with self.assertRaises(FileNotFoundError):
                net.connect(one)
            self.assertEqual(os.listdir(self.folder), ["two"])
            self.assertEqual(net.exchange(two, b"x\n"), b"b2\n")
            self.ask(kept, b"a")
        daemon.stop()
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_address_named_twice_on_reload(self):
        path = self.path("s")
        daemon = self.daemon(f"[Listener default]\nRecord=none\nListen={path}\n")
        for _ in range(3):
            said = daemon.reload(f"[Listener default]\nRecord=none\nListen={path}\nListen={path}\nListen=unix:{path}\n")
            self.assertTrue(said.startswith("reloaded"), said)
            self.assertEqual(net.exchange(path, b"x\n"), b"ok\n")
        daemon.stop()

    def test_addresses_change_sections(self):
        path = self.path("s")
        one = f"[Listener {{}}]\nRecord=none\nReply=one\nListen={path}\n"
        daemon = self.daemon(one.format("a") + "[Listener b]\nRecord=none\nReply=two\nListen=127.0.0.1:0\n", listeners=2)
        _, port = daemon.address(1)
        two = f"[Listener {{}}]\nRecord=none\nReply=two\nListen=127.0.0.1:{port}\n"
        daemon.stop()
        daemon = self.daemon(one.format("a") + two.format("b"), listeners=2)
        before = net.fd_count(daemon.pid)
        for first, second in ("b", "a"), ("c", "b"), ("a", "c"):
            said = daemon.reload(one.format(first) + two.format(second))
            self.assertTrue(said.startswith("reloaded"), said)
            for _ in range(4):
                self.assertEqual(net.exchange(path, b"x\n"), b"one\n")
                self.assertEqual(net.exchange(("127.0.0.1", port), b"x\n"), b"two\n")
        self.assertIn("reload refused", daemon.reload(one.format("d") + one.format("e")))
        self.assertEqual(net.exchange(path, b"x\n"), b"one\n")
        net.wait_until(lambda: net.fd_count(daemon.pid) == before, what="the others to be closed")
        daemon.stop()
        self.assertEqual(os.listdir(self.folder), [])

    def test_an_address_takes_the_place_of_another_on_its_port(self):
        port = net.free_port()

        def text(*listens):
            return "".join(f"[Listener {n}]\nRecord=none\nReply={n}\nListen={a}:{port}\n" for n, a in listens)

        daemon = self.daemon(text(("a", "127.0.0.1")))
        for listens, v4, v6 in [
            ([("b", "")], b"b\n", b"b\n"),
            ([("a", "0.0.0.0"), ("b", "[::]")], b"a\n", b"b\n"),
            ([("c", "[::]")], b"c\n", b"c\n"),
            ([("b", "[::]"), ("a", "0.0.0.0")], b"a\n", b"b\n"),
            ([("a", "0.0.0.0"), ("b", "[::1]")], b"a\n", b"b\n"),
            ([("d", "*")], b"d\n", b"d\n"),
            ([("e", "127.0.0.1"), ("f", "[::1]")], b"e\n", b"f\n"),
        ]:
            with self.subTest(listens=listens):
                said = daemon.reload(text(*listens))
                self.assertTrue(said.startswith("reloaded"), said)
                for _ in range(4):
                    self.assertEqual(net.exchange(("127.0.0.1", port), b"x\n"), v4)
                    self.assertEqual(net.exchange(("::1", port), b"x\n"), v6)
        # The kernel still refuses this port to another program, and the two listeners to each other.
        for wrong in [("e", "127.0.0.1"), ("g", "*")], [("g", "*"), ("h", "0.0.0.0")]:
            self.assertIn("Address already in use", daemon.reload(text(*wrong)))
            self.assertEqual(net.exchange(("127.0.0.1", port), b"x\n"), b"e\n")
        with socket.socket() as other, self.assertRaises(OSError):
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", port))
        daemon.stop()

    def test_two_sections_may_not_share_an_address(self):
        path = self.path("s")
        daemon = self.daemon(f"[Listener a]\nRecord=none\nListen={path}\n")
        said = daemon.reload(f"[Listener a]\nListen={path}\n[Listener b]\nListen={path}\n")
        self.assertIn(f"cannot listen on {path}: Address already in use", said)
        self.assertEqual(net.exchange(path, b"x\n"), b"ok\n")
        daemon.stop()

    def test_a_refused_reload_closes_what_it_had_opened(self):
        daemon = self.daemon(config("ok"))
        before = net.fd_count(daemon.pid)
        new = self.path("new")
        for _ in range(5):
            said = daemon.reload(config("ok", f"Listen={new}\nListen=/nonexistent/s\n"))
            self.assertIn("reload refused", said)
            self.assertEqual(os.listdir(self.folder), [])
        net.wait_until(lambda: net.fd_count(daemon.pid) == before, what="descriptors as before")
        daemon.stop()

    def test_the_port_of_a_kept_listener_stays(self):
        daemon = self.daemon(config("1", "Listen=127.0.0.1:0\n"), listeners=2)
        for number in range(2, 5):
            daemon.reload(config(str(number), "Listen=127.0.0.1:0\n"))
            for address in daemon.addresses:
                self.assertEqual(net.exchange(address, b"x\n"), b"%d\n" % number)
        daemon.stop()


class UnderLoad(Base):
    def test_no_connection_is_refused_or_lost(self):
        daemon = self.daemon(config("0"))
        done = threading.Event()
        failures, served = [], [0] * 3

        def churn(number):
            while not done.is_set():
                try:
                    if not net.exchange(daemon.address(), b"a\nb\n").count(b"\n") == 2:
                        failures.append("a reply is missing")
                    served[number] += 1
                except (OSError, AssertionError) as error:
                    failures.append(repr(error))
                    return

        threads = [threading.Thread(target=churn, args=(n,)) for n in range(3)]
        for thread in threads:
            thread.start()
        for number in range(1, 51):
            daemon.reload(config(str(number)))
        net.wait_until(lambda: min(served) > 20 or failures, what="load throughout")
        done.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"50\n")
        daemon.stop()

    def test_a_storm_of_signals(self):
        daemon = self.daemon(config("{seq}"))
        before = net.fd_count(daemon.pid)
        with daemon.connect() as client:
            for number in range(5000):
                daemon.signal(signal.SIGHUP)
                daemon.signal(signal.SIGUSR1)
                if number % 500 == 0:
                    self.ask(client, b"%d" % (number // 500 + 1))
            self.ask(client, b"11")
        # The reported reload may be one of the storm.
        self.assertTrue(daemon.reload(config("end")).startswith("reloaded"))
        net.wait_until(lambda: net.exchange(daemon.address(), b"x\n") == b"end\n", what="the last reload")
        net.wait_until(lambda: net.fd_count(daemon.pid) == before, what="descriptors as before")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
