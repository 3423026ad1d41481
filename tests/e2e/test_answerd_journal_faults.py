# SPDX-License-Identifier: LGPL-2.1-or-later
"""The promise of a reply: the journal has every answered message, whatever happens to journald or answerd."""

import signal
import time
import unittest

import journald
import net
import tap
from daemon import Daemon, sanitized
from load import Load

MESSAGES = "MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46"
OPTIONS = ["--listen=127.0.0.1:0", "--record=journal"]


class Faults(unittest.TestCase):
    def setUp(self):
        self.journal = journald.Journal(self)

    def entries(self, load, lost=0):
        """All entries, once there are enough."""
        return self.journal.wait_for(len(load.answered) - lost, MESSAGES)


class JournalFaults(Faults):
    def setUp(self):
        super().setUp()
        self.daemon = Daemon(self, OPTIONS, journal=self.journal)

    def test_journald_restarted(self):
        with Load(self.daemon.connect) as load:
            for _ in range(10):
                load.wait_answered(50)
                self.journal.restart()
            load.wait_answered(50)
        self.assertEqual(load.unknown, [], "no connection broke")
        load.check(self.entries(load))
        self.daemon.stop()

    def test_journald_stopped_and_continued(self):
        """While journald is stopped, only messages in its queue are answered. Memory stays, and work resumes at
        once."""
        with Load(self.daemon.connect, clients=16, burst=64) as load:
            for _ in range(3):
                load.wait_answered(200)
                self.journal.pause_until_full()
                memory = net.rss_bytes(self.daemon.pid)
                load.expect_stalled()
                if not sanitized():
                    self.assertLess(net.rss_bytes(self.daemon.pid) - memory, 1 << 20)
                self.journal.resume()
                self.assertLess(load.wait_answered(1), 1 + net.LATE)
        self.assertEqual(load.unknown, [])
        load.check(self.entries(load))
        self.daemon.stop()

    def test_a_journal_that_works_is_not_watched(self):
        """A working journal would wake its watcher with every entry that it reads. A blocked one is watched."""
        daemon = Daemon(self, OPTIONS + ["--workers=1"], journal=self.journal)
        with daemon.connect() as sock:
            sock.sendall(b"one\n")
            self.assertEqual(net.recv_line(sock), b"ok\n")
            idle = net.watched_sockets(daemon.pid)
            self.assertEqual(len(idle), 2, "the listener and the connection")
            self.journal.pause()
            sock.sendall(b"more\n" * 2000)
            full = net.wait_until(lambda: net.watched_sockets(daemon.pid) - idle, what="the journal's to be watched")
            self.assertEqual(len(full), 1)
            self.journal.resume()
            self.assertEqual(net.recv_exactly(sock, 3 * 2000), b"ok\n" * 2000)
            net.wait_until(lambda: net.watched_sockets(daemon.pid) == idle, what="it to be watched no more")

    def test_journald_killed_while_stopped(self):
        """The socket keeps the queue. systemd, here the test, holds the socket.

        journald may have been reading one entry each time it was killed.
        """
        with Load(self.daemon.connect) as load:
            for _ in range(5):
                load.wait_answered(50)
                self.journal.pause_until_full()
                self.journal.kill()
                self.journal.start()
        load.check(self.entries(load, lost=5), lost=5)
        self.assertEqual(load.unknown, [])
        self.daemon.stop()

    def test_journald_killed_under_load(self):
        """SIGKILL may lose the entry that journald was reading: one per kill."""
        kills = 10
        with Load(self.daemon.connect) as load:
            for _ in range(kills):
                load.wait_answered(50)
                self.journal.kill()
                self.journal.start()
            load.wait_answered(50)
        load.check(self.entries(load, lost=kills), lost=kills)
        self.assertEqual(load.unknown, [])
        self.daemon.stop()

    def test_the_socket_vanishes_and_returns(self):
        """Closing the socket loses its queue. Nothing is answered until it is back."""
        rounds = 3
        with Load(self.daemon.connect) as load:
            for number in range(1, rounds + 1):
                load.wait_answered(100)
                self.journal.remove_socket()
                self.daemon.stderr.wait_for(r"^answerd: the journal is away", 1)
                load.expect_stalled()
                self.journal.create_socket()
                back = time.monotonic()
                self.journal.start()
                load.wait_answered(1)
                self.assertLess(time.monotonic() - back, 2 + net.LATE)
                self.assertGreaterEqual(len(self.daemon.stderr.wait_for("takes records again")), 1, number)
        lost = rounds * journald.places()
        load.check(self.entries(load, lost), lost)
        self.assertEqual(load.unknown, [])
        self.daemon.stop()


class Away(Faults):
    def test_missing_at_the_start(self):
        self.journal.remove_socket()
        daemon = Daemon(self, OPTIONS, journal=self.journal)
        # Each worker notices. The log may show one event and count the other.
        daemon.stderr.wait_for(r"^answerd: the journal is away: no message is answered until it is back"
                               r"( \(and 1 more like this\))?$")
        with daemon.connect() as client, daemon.connect() as other:
            client.sendall(b"one\ntwo\n")
            client.shutdown(1)
            other.sendall(b"three\n")
            other.settimeout(0.5)
            with self.assertRaises(TimeoutError):
                other.recv(10)
            other.settimeout(net.TIMEOUT)
            self.journal.create_socket()
            begun = time.monotonic()
            self.journal.start()
            self.assertEqual(net.recv_until_eof(client), b"ok\nok\n")
            self.assertEqual(net.recv_line(other), b"ok\n")
            self.assertLess(time.monotonic() - begun, 2 + net.LATE)
        daemon.stderr.wait_for(r"^answerd: the journal takes records again, after \d+\.\d s"
                               r"( \(and 1 more like this\))?$")
        entries = self.journal.wait_for(3, MESSAGES)
        self.assertEqual(sorted(e.one("ANSWERD_DATA") for e in entries), [b"one", b"three", b"two"])
        daemon.stop()

    def test_what_is_not_recorded_is_answered_meanwhile(self):
        self.journal.remove_socket()
        config = ("[Server]\nDrainTimeout=100ms\n[Listener default]\nListen=127.0.0.1:0\nRecord=journal\n"
                  "[Listener plain]\nListen=127.0.0.1:0\nRecord=none\n")
        daemon = Daemon(self, ["--workers=1"], config=config, listeners=2, journal=self.journal)
        with daemon.connect(0) as waiting:
            waiting.sendall(b"x\n")
            for _ in range(10):
                self.assertEqual(net.exchange(daemon.address(1), b"x\n"), b"ok\n")
        daemon.stop()

    def test_a_reload_meanwhile_changes_nothing(self):
        """Without Record=, the finding of the start still counts: the daemon waits for the journal."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], journal=self.journal)
        self.assertEqual(net.exchange(daemon.address(), b"before\n"), b"ok\n")
        self.journal.wait_for(1, MESSAGES)
        self.journal.remove_socket()
        daemon.reload("")
        with daemon.connect() as client:
            client.sendall(b"meanwhile\n")
            daemon.stderr.wait_for("the journal is away")
            self.journal.create_socket()
            self.journal.start()
            self.assertEqual(net.recv_line(client), b"ok\n")
        entries = self.journal.wait_for(2, MESSAGES)
        self.assertEqual([e.one("ANSWERD_DATA") for e in entries], [b"before", b"meanwhile"])
        daemon.stop()

    def test_stopping_without_a_journal(self):
        """Messages that cannot be recorded are not answered, and the stop is still in time."""
        self.journal.remove_socket()
        daemon = Daemon(self, [], config="[Server]\nDrainTimeout=300ms\n[Listener default]\nRecord=journal\n"
                                         "Listen=127.0.0.1:0\n", journal=self.journal)
        with daemon.connect() as client:
            client.sendall(b"x\n")
            daemon.stop()
            try:
                self.assertEqual(net.recv_until_eof(client), b"")
            except ConnectionResetError:
                pass


class Killed(Faults):
    def test_answerd_killed_under_load(self):
        """systemd, here the test, holds the socket, so no client is refused meanwhile."""
        listener = net.listener()
        self.addCleanup(listener.close)
        with Load(lambda: net.connect(listener.getsockname()), clients=8) as load:
            for _ in range(10):
                daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
                load.wait_answered(100)
                daemon.kill()
            daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
            load.wait_answered(100)
        load.check(self.entries(load))
        daemon.stop()

    def test_answerd_killed_while_the_journal_is_full(self):
        listener = net.listener()
        self.addCleanup(listener.close)
        with Load(lambda: net.connect(listener.getsockname()), clients=8, burst=32) as load:
            for _ in range(3):
                daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
                load.wait_answered(100)
                self.journal.pause_until_full()
                daemon.signal(signal.SIGKILL)
                daemon.wait()
                self.journal.resume()
            daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
            load.wait_answered(100)
        load.check(self.entries(load))
        daemon.stop()

    def test_restarted_under_load(self):
        listener = net.listener()
        self.addCleanup(listener.close)
        with Load(lambda: net.connect(listener.getsockname()), clients=8) as load:
            for _ in range(5):
                daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
                load.wait_answered(100)
                daemon.stop()
            daemon = Daemon.activate(self, [(listener, None)], journal=self.journal)
            load.wait_answered(100)
        load.check(self.entries(load))
        daemon.stop()


if __name__ == "__main__":
    tap.main()
