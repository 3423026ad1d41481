# SPDX-License-Identifier: LGPL-2.1-or-later
"""The stop by SIGTERM and SIGINT: messages that have arrived are answered, in time. And the counters of SIGUSR1."""

import os
import re
import shutil
import signal
import socket
import struct
import tempfile
import time
import unittest

import journald
import net
import tap
from daemon import Daemon


class Drain(unittest.TestCase):
    def connect(self, daemon, number=0):
        client = net.connect(daemon.address(number))
        self.addCleanup(client.close)
        return client

    def ask(self, client, reply=b"ok"):
        client.sendall(b"x\n")
        self.assertEqual(net.recv_line(client), reply + b"\n")

    def test_idle_connections_end_at_once(self):
        for number in signal.SIGTERM, signal.SIGINT:
            daemon = Daemon(self)
            clients = [self.connect(daemon) for _ in range(20)]
            for client in clients:
                self.ask(client)
            begun = time.monotonic()
            daemon.signal(number)
            for client in clients:
                self.assertEqual(net.recv_until_eof(client), b"")
            daemon.expect_exit(0)
            self.assertLess(time.monotonic() - begun, net.LATE)
            self.assertIn("answerd: stopping: 20 connections, answering the messages that have arrived", daemon.stderr.lines)
            self.assertIn("answerd: stopped after 20 messages; 0 connections cut off", daemon.stderr.lines)

    def test_replies_that_are_on_their_way_arrive(self):
        """The kernel has the replies, the peer does not. Data that the peer sends after the end must not destroy
        them."""
        daemon = Daemon(self, [], config="[Listener default]\nListen=127.0.0.1:0\nRecord=none\nFraming=length\n"
                                         "Reply={message}\nOutputLimit=16M\n")
        message, n = struct.pack(">I", 60000) + b"x" * 60000, 60
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        client.settimeout(net.TIMEOUT)
        client.connect(daemon.address())
        client.sendall(message * n)

        def all_answered():
            daemon.signal(signal.SIGUSR1)
            return any(f"messages={n} " in line for line in daemon.stderr.lines)

        net.wait_until(all_answered, interval=0.1, what="all to be answered")
        daemon.signal(signal.SIGTERM)
        got = net.recv_exactly(client, 10 * len(message))
        client.sendall(message)
        got += net.recv_exactly(client, (n - 10) * len(message))
        self.assertEqual(got, message * n)
        daemon.expect_exit(0)

    def test_what_has_arrived_is_answered(self):
        """Messages in the socket buffer at the time of the signal. A stopped process cannot have read them."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply={seq}"])
        clients = [self.connect(daemon) for _ in range(10)]
        for client in clients:
            self.ask(client, b"1")
        daemon.signal(signal.SIGSTOP)
        for client in clients:
            client.sendall(b"a\nb\nunfinished")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        for client in clients:
            self.assertEqual(net.recv_until_eof(client), b"2\n3\n")
            client.close()
        daemon.expect_exit(0)

    def test_thousands_of_messages_are_answered(self):
        """More than the share of one turn, and more than the reader takes at once."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply={message}"])
        client = self.connect(daemon)
        self.ask(client, b"x")
        daemon.signal(signal.SIGSTOP)
        stream = b"".join(b"%d\n" % i for i in range(20000))
        client.sendall(stream)
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(net.recv_until_eof(client), stream)
        client.close()
        daemon.expect_exit(0)

    def test_a_connection_that_waited_to_be_accepted(self):
        daemon = Daemon(self)
        self.ask(self.connect(daemon))
        daemon.signal(signal.SIGSTOP)
        waiting = self.connect(daemon)
        waiting.sendall(b"x\n")
        daemon.signal(signal.SIGTERM)
        daemon.signal(signal.SIGCONT)
        self.assertEqual(net.recv_until_eof(waiting), b"ok\n")
        waiting.close()
        daemon.expect_exit(0)

    def test_new_connections_are_refused_meanwhile(self):
        """A rate-limited message keeps the drain going."""
        daemon = Daemon(self, [], config="[Listener default]\nListen=127.0.0.1:0\nRecord=none\nRateLimit=5\n")
        client = self.connect(daemon)
        client.sendall(b"x\n" * 10)
        self.assertEqual(net.recv_exactly(client, 15), b"ok\n" * 5)
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")

        def refused():
            try:
                net.connect(daemon.address()).close()
            except ConnectionRefusedError:
                return True
            return False

        net.wait_until(refused, what="the listening socket to be closed")
        self.assertTrue(daemon.running())
        self.assertEqual(net.recv_until_eof(client), b"ok\n" * 5)
        client.close()
        daemon.expect_exit(0)

    def test_replies_that_are_not_taken_yet(self):
        """The reader is slow, but it reads: all replies arrive."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply={message}", "--workers=1"])
        client = self.connect(daemon)
        message = b"x" * 1023 + b"\n"
        net.send_until_full(client, message * 64, lambda: daemon.stopped_reading(client))
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")
        # The rest may still be in the client's own buffer. Then it arrives after the end and gets no reply.
        replies = net.recv_until_eof(client)
        client.close()
        daemon.expect_exit(0)
        taken = int(re.search(r"stopped after (\d+) messages", daemon.stderr.lines[-1]).group(1))
        answered = len(replies) // len(message)
        self.assertGreater(answered, 1000)
        self.assertLessEqual(answered, taken)
        self.assertEqual(replies, message * answered)

    def test_drain_timeout(self):
        daemon = Daemon(self, [], config="[Server]\nDrainTimeout=300ms\n[Listener default]\nListen=127.0.0.1:0\n"
                                         "Record=none\nReply={message}\nOutputLimit=64K\n")
        client = self.connect(daemon)
        net.send_until_full(client, b"never read\n" * 1000, lambda: daemon.stopped_reading(client))
        begun = time.monotonic()
        daemon.signal(signal.SIGTERM)
        daemon.expect_exit(0)
        self.assertTrue(0.29 <= time.monotonic() - begun < net.LATE, time.monotonic() - begun)
        self.assertRegex(daemon.stderr.lines[-1], r"^answerd: stopped after \d+ messages; 1 connection cut off$")

    def test_a_second_signal_ends_it_at_once(self):
        daemon = Daemon(self, [], config="[Server]\nDrainTimeout=infinity\n[Listener default]\n"
                                         "Listen=127.0.0.1:0\nRecord=none\nRateLimit=1\n")
        client = self.connect(daemon)
        client.sendall(b"x\n" * 1000)  # enough for a quarter of an hour
        self.assertEqual(net.recv_line(client), b"ok\n")
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")
        daemon.signal(signal.SIGINT)
        daemon.expect_exit(0)

    def test_while_connections_end(self):
        """Peers close their connections in the turn in which the drain begins."""
        for _ in range(5):
            daemon = Daemon(self)
            clients = [net.connect(daemon.address()) for _ in range(1500)]
            for client in clients[::50]:
                self.ask(client)
            for number, client in enumerate(clients):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                if number == 500:
                    daemon.signal(signal.SIGTERM)
                client.close()
            daemon.expect_exit(0)

    def test_a_signal_at_the_very_start(self):
        for _ in range(20):
            daemon = Daemon(self, ready=False)
            net.wait_until(lambda: blocks_sigterm(daemon.pid) or not daemon.running(), interval=0.0)
            daemon.signal(signal.SIGTERM)
            daemon.expect_exit(0)

    def test_the_journal_is_waited_for(self):
        journal = journald.Journal(self)
        daemon = Daemon(self, journal=journal)
        client = self.connect(daemon)
        self.ask(client)
        journal.pause()
        more = journald.places() + 50
        client.sendall(b"x\n" * more)
        daemon.stderr.wait_for("the journal has taken nothing")
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")
        self.assertTrue(daemon.running())
        journal.resume()
        # Messages in the queue of the journal were answered before.
        self.assertEqual(net.recv_until_eof(client), b"ok\n" * more)
        client.close()
        daemon.expect_exit(0)
        self.assertEqual(len(journal.wait_for(more + 1, "SYSLOG_IDENTIFIER=answerd")), more + 1)


class Counters(unittest.TestCase):
    def counters(self, daemon):
        before = len([line for line in daemon.stderr.lines if "connections=" in line])

        def asked():
            # One report a second: a storm of signals cannot fill the log.
            daemon.signal(signal.SIGUSR1)
            return len([line for line in daemon.stderr.lines if "connections=" in line]) > before

        net.wait_until(asked, interval=0.05, what="the counters")
        line = [line for line in daemon.stderr.lines if "connections=" in line][-1]
        self.assertRegex(line, r"^answerd: (\w+=\d+ ?)+( \(and \d+ more like this\))?$")
        return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}

    def test_every_counter(self):
        config = ("[Server]\nWorkers=2\nMaxConnectionsPerAddress=5\n[Listener default]\nListen=127.0.0.1:0\n"
                  "Record=none\nIdleTimeout=infinity\nMaxMessageSize=100\nMessageTimeout=100ms\n")
        daemon = Daemon(self, [], config=config)
        self.assertEqual(set(self.counters(daemon).values()), {0})
        clients = [daemon.connect() for _ in range(5)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"12345\n" * 3)
            self.assertEqual(net.recv_exactly(client, 9), b"ok\n" * 3)
        with daemon.connect() as refused:
            net.recv_until_eof(refused)
        clients[0].sendall(b"x" * 102)
        self.assertEqual(net.recv_until_eof(clients[0]), b"error: message too long\n")
        clients[1].sendall(b"begun")
        self.assertEqual(net.recv_until_eof(clients[1]), b"error: message not complete in time\n")
        for client in clients[:3]:
            client.close()
        # Each worker sees the end at another time.
        found = {}

        def settled():
            found.update(self.counters(daemon))
            return found["connections"] == 2

        net.wait_until(settled, what="three connections to be gone")
        replies = 15 * 3 + len(b"error: message too long\n") + len(b"error: message not complete in time\n")
        self.assertEqual(found, {"connections": 2, "accepted": 5, "refused": 1, "messages": 15,
                                 "bytes_in": 15 * 6 + 102 + 5, "bytes_out": replies, "timeouts": 1,
                                 "protocol_errors": 1, "shed": 0, "discarded": 102 + 5})
        daemon.stop()

    def test_a_million_bad_peers_do_not_flood_the_log(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=netstring"])
        begun = time.monotonic()
        for _ in range(500):
            self.assertEqual(net.exchange(daemon.address(), b"!"), b"24:error: malformed message,")
        took = time.monotonic() - begun
        lines = [line for line in daemon.stderr.lines if "cut off" in line]
        self.assertTrue(1 <= len(lines) <= 1 + took, lines)
        daemon.stop()


def blocks_sigterm(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        mask = next(line for line in status if line.startswith("SigBlk:")).split()[1]
    return int(mask, 16) & (1 << (signal.SIGTERM - 1)) and os.path.basename(
        os.readlink(f"/proc/{pid}/exe")).startswith("answerd")

class SocketFile(unittest.TestCase):
    def test_only_its_own_file_is_removed(self):
        folder = tempfile.mkdtemp(prefix="as", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        path = folder + "/socket"
        first = Daemon(self, ["--listen=" + path])
        os.unlink(path)
        second = Daemon(self, ["--listen=" + path])
        first.stop()
        self.assertEqual(net.exchange(path, b"x\n"), b"ok\n")
        second.stop()
        self.assertFalse(os.path.exists(path))


if __name__ == "__main__":
    tap.main()
