# SPDX-License-Identifier: LGPL-2.1-or-later
"""Unwelcome peers, and signals by the thousand: bounded, quiet, and harmless to others."""

import array
import os
import random
import select
import signal
import socket
import tempfile
import time
import unittest

import net
from daemon import Daemon
from witness import Steady, answers, log_lines, sanitized

SIGNALS = 10000

# The first bytes of protocols that reach any open port.
TLS_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(200))
HTTP = b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


class StreamsWithMore(unittest.TestCase):
    """Passed descriptors, and urgent data: reading must not stop at them (unix(7), tcp(7))."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="ap", dir="/tmp")
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, "socket")
        self.daemon = Daemon(self, ["--listen=" + self.path, "--listen=127.0.0.1:0", "--workers=1"], listeners=2)

    def connect(self, number):
        client = self.daemon.connect(number)
        self.addCleanup(client.close)
        client.sendall(b"hello\n")
        self.assertEqual(net.recv_exactly(client, 3), b"ok\n")
        return client

    def test_descriptors(self):
        client = self.connect(0)
        held = net.fd_count(self.daemon.pid)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        for _ in range(1000):
            # Two halves of a message: the reads that stop at the descriptors must not end with it.
            client.sendmsg([b"on"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer] * 10))])
            client.sendall(b"e\n")
            self.assertEqual(net.recv_exactly(client, 3), b"ok\n")
        self.assertEqual(net.fd_count(self.daemon.pid), held)
        # Nobody else has the writing end of the pipe, for example in a queue.
        os.close(writer)
        self.assertTrue(select.select([reader], [], [], net.TIMEOUT)[0])
        self.assertEqual(os.read(reader, 1), b"")
        self.daemon.stop()

    def urgent(self, number):
        client = self.connect(number)
        for _ in range(1000):
            client.sendall(b"on")
            client.send(b"!", socket.MSG_OOB)
            client.sendall(b"e\n")
            self.assertEqual(net.recv_exactly(client, 3), b"ok\n")
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(net.recv_until_eof(client), b"")
        self.daemon.stop()

    def test_urgent_data_on_unix(self):
        self.urgent(0)

    def test_urgent_data_on_tcp(self):
        self.urgent(1)


class Strangers(unittest.TestCase):
    """Clients of other protocols: each gets an error or an end, and the log a line a second."""

    FRAMINGS = ("line", "length", "netstring", "chunk")
    SECONDS = 3.0

    def setUp(self):
        config = "[Server]\nWorkers=1\n[Listener default]\nMaxMessageSize=4K\nMessageTimeout=1s\n" + "".join(
            f"[Listener {name}]\nListen=127.0.0.1:0\nFraming={name}\nMaxMessageSize=4K\nMessageTimeout=1s\n"
            for name in self.FRAMINGS)
        self.daemon = Daemon(self, [], config=config, listeners=len(self.FRAMINGS))

    def strike(self, data):
        """Connects one after the other to each framing. Returns how many got an error."""
        errors = 0
        for address in self.daemon.addresses:
            with net.connect(address) as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                errors += b"error: " in net.recv_until_eof(client)
        return errors

    def test_each_is_bounded(self):
        chance = random.Random(25)
        noise = [chance.randbytes(chance.randrange(1, 16384)) for _ in range(50)]
        for data in (TLS_HELLO, HTTP, SSH, *noise):
            self.strike(data)
        before, begun, struck, errors = net.rss_bytes(self.daemon.pid), time.monotonic(), 0, 0
        while time.monotonic() - begun < self.SECONDS or errors <= 100:
            errors += self.strike((TLS_HELLO, HTTP, SSH, *noise)[struck % (3 + len(noise))])
            struck += 1
        seconds = time.monotonic() - begun
        said = log_lines(self.daemon, "cut off")
        self.assertTrue(0 < len(said) <= seconds + 3, f"{len(said)} lines in {seconds:.1f} s")
        if not sanitized():
            self.assertLess(net.rss_bytes(self.daemon.pid) - before, 1 << 20)
        self.assertTrue(answers(self.daemon.address(0)))
        self.daemon.stop()


class Signals(unittest.TestCase):
    def test_a_storm(self):
        config = "[Listener default]\nListen=127.0.0.1:0\nReply="
        daemon = Daemon(self, [], config=config + "ok\n")
        with Steady(daemon.address()) as load:
            begun = time.monotonic()
            self.storm(daemon)
            sent = time.monotonic() - begun
            load.wait_for_more(100)
            # The daemon does what the last signal asks, however many were merged.
            daemon.write_config(config + "different\n")
            daemon.signal(signal.SIGHUP)
            net.wait_until(lambda: net.exchange(daemon.address(), b"x\n") == b"different\n", what="the reload")
            load.wait_for_more(100)
            self.expect_merged(daemon, config + "merged\n", b"merged\n")
            load.wait_for_more(100)
            load.stop()
        self.assertEqual((load.refused, load.lost, load.wrong), (0, 0, 0))
        print(f"# {SIGNALS} signals in {sent:.2f} s: {len(log_lines(daemon, 'reloaded'))} reloads, "
              f"no answer for {load.gap_after(begun) * 1000:.0f} ms at most")
        daemon.stop()

    def storm(self, daemon):
        for number in range(SIGNALS):
            daemon.signal(signal.SIGHUP if number % 2 else signal.SIGUSR1)

    def expect_merged(self, daemon, config, reply):
        """Signals that come while it is stopped are one, besides one already under way."""
        daemon.signal(signal.SIGSTOP)
        daemon.write_config(config)
        before = len(log_lines(daemon, "reloaded"))
        self.storm(daemon)
        daemon.signal(signal.SIGCONT)
        net.wait_until(lambda: net.exchange(daemon.address(), b"x\n") == reply, what="the reload")
        self.assertLessEqual(len(log_lines(daemon, "reloaded")), before + 3)


if __name__ == "__main__":
    unittest.main()
