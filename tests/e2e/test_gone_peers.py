# SPDX-License-Identifier: LGPL-2.1-or-later
"""Peers that send and leave without reading replies: everything that arrived from them is recorded."""

import array
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

import net
import senders
import tap
from daemon import Daemon, sanitized
from journal_socket import JournalSocket

LINES = 3000
MESSAGES, STREAM = senders.numbered(LINES)
RESET = struct.pack("ii", 1, 0)

BASH = 'while read -r line; do echo "$line"; done >"/dev/tcp/127.0.0.1/$1"'
SOCKET = """
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.sendall(sys.stdin.buffer.read())
s.close()
"""
CONFIG = """
[Server]
Workers=1
[Listener default]
Listen=127.0.0.1:0
Record=journal
{}
"""


def on_its_way(client):
    """The bytes that the other kernel has not acknowledged, on TCP (tcp(7), SIOCOUTQ)."""
    size = array.array("i", [0])
    fcntl.ioctl(client, termios.TIOCOUTQ, size)
    return size[0]


def stand_still(daemon):
    """Stops the daemon. Returns once each of its threads has stopped (proc(5), /proc/PID/task/TID/stat)."""
    daemon.signal(signal.SIGSTOP)

    def stopped():
        states = []
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            with open(f"/proc/{daemon.pid}/task/{task}/stat", encoding="ascii") as stat:
                states.append(stat.read().rpartition(")")[2].split()[0])
        return set(states) == {"T"}

    net.wait_until(stopped, what="all threads to stop", interval=0.001)


def wait_for_end(daemon):
    """Waits until a whole TCP stream and its end have reached the daemon's kernel (proc(5), /proc/net/tcp: CLOSE_WAIT).

    When the first reply meets a closed socket, the peer's kernel drops all data still in flight.
    """
    end = "%04X" % daemon.address()[1]

    def ended():
        with open(f"/proc/{daemon.pid}/net/tcp", encoding="ascii") as table:
            rows = [row.split() for row in table.read().splitlines()[1:]]
        return any(row[1].rpartition(":")[2] == end and row[3] == "08" for row in rows)

    net.wait_until(ended, what="the stream's end to arrive")


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


def counters(daemon):
    """The counters that the daemon logs on SIGUSR1, at most once a second."""
    pattern, before = "connections=", len([line for line in daemon.stderr.lines if "connections=" in line])

    def told():
        daemon.signal(signal.SIGUSR1)
        return len([line for line in daemon.stderr.lines if pattern in line]) > before

    net.wait_until(told, interval=0.05, what="the counters")
    line = [line for line in daemon.stderr.lines if pattern in line][-1]
    return {name: int(value) for name, value in re.findall(r"(\w+)=(\d+)", line)}


class Gone(unittest.TestCase):
    def setUp(self):
        self.journal = JournalSocket(self)

    def start(self, settings="", **rest):
        return Daemon(self, [], config=CONFIG.format(settings), journal=self.journal, **rest)

    def expect_recorded(self, messages):
        self.assertEqual(self.journal.wait_for(len(messages)), messages)

    def expect_closed(self, daemon):
        net.wait_until(lambda: counters(daemon)["connections"] == 0, what="all connections to be closed")


class Senders(Gone):
    """The daemon is stopped while they send, so each has left before the first reply."""

    def send(self, *command):
        if not shutil.which(command[0]):
            self.skipTest(command[0] + " is not installed")
        daemon = self.start()
        stand_still(daemon)
        done = subprocess.run([part.replace("PORT", str(daemon.address()[1])) for part in command], input=STREAM,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stdout), (0, b""))
        wait_for_end(daemon)
        daemon.signal(signal.SIGCONT)
        self.expect_recorded(MESSAGES)
        self.expect_closed(daemon)
        self.assertEqual(counters(daemon)["discarded"], 0)
        daemon.stop()

    def test_bash(self):
        self.send("bash", "-c", BASH, "-", "PORT")

    def test_socat(self):
        self.send("socat", "-u", "-", "TCP:127.0.0.1:PORT")

    def test_nc(self):
        # -w: with -q0 alone, some versions wait for the first reply.
        self.send("nc", "-q0", "-N", "-w1", "127.0.0.1", "PORT")

    def test_python_socket(self):
        self.send(sys.executable, "-c", SOCKET, "PORT")

    def test_python_asyncio(self):
        self.send(sys.executable, "-c", senders.ASYNCIO, "PORT")


class Ends(Gone):
    """How a stream may end, and what that means for its last line."""

    def send_and_go(self, daemon, stream, go):
        """The daemon finds the whole stream and its end in its kernel."""
        client = daemon.connect()
        stand_still(daemon)
        client.sendall(stream)
        net.wait_until(lambda: isinstance(daemon.address(), str) or on_its_way(client) == 0, what="it to arrive")
        go(client)
        daemon.signal(signal.SIGCONT)

    def test_closed(self):
        daemon = self.start()
        def go(client):
            client.close()
            wait_for_end(daemon)

        self.send_and_go(daemon, STREAM + b"unfinished", go)
        self.expect_recorded(MESSAGES + [b"unfinished"])
        self.expect_closed(daemon)
        self.assertEqual(counters(daemon)["discarded"], 0)
        daemon.stop()

    def test_reset(self):
        """A cut stream leaves no last line."""
        daemon = self.start()
        self.send_and_go(daemon, STREAM + b"unfinished", reset)
        self.expect_recorded(MESSAGES)
        self.expect_closed(daemon)
        daemon.stderr.wait_for(r"127\.0\.0\.1:\d+: discarded 10 bytes")
        found = counters(daemon)
        self.assertEqual((found["discarded"], found["messages"], found["bytes_in"]), (10, LINES, len(STREAM) + 10))
        daemon.stop()
        self.journal.close_reader()
        self.assertEqual(self.journal.records(), MESSAGES)

    def unix(self, reader, stream):
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        daemon = Daemon(self, ["--listen=" + os.path.join(folder, "socket"), "--workers=1", "--record=journal"],
                        journal=self.journal)
        self.send_and_go(daemon, stream, reader)
        self.expect_recorded(MESSAGES)
        self.expect_closed(daemon)
        daemon.stop()

    def test_unix_closed(self):
        self.unix(socket.socket.close, STREAM)

    def test_unix_reads_no_more(self):
        """The peer shuts down reading, and sends on."""
        def go(client):
            client.shutdown(socket.SHUT_RD)
            client.sendall(STREAM[len(STREAM) // 2:])
            client.close()
        self.unix(go, STREAM[:len(STREAM) // 2])

    def test_a_reply_that_cannot_be_sent(self):
        """The peer is alive and must not wait for a reply that never comes: its connection ends."""
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        leaks = "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        for error in "ENOBUFS", "ECONNRESET":
            daemon = self.start(wrapper=["env", leaks, "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e",
                                         "trace=sendto", "-e", f"inject=sendto:error={error}:when=1"])
            client = daemon.connect()
            self.addCleanup(client.close)
            client.sendall(STREAM)
            self.assertEqual(net.recv_until_eof(client), b"")
            self.expect_closed(daemon)
            daemon.stop()

    def test_replies_limit_no_more(self):
        """A peer takes no replies, so reading stopped. Once the peer has left, the daemon reads what had arrived."""
        daemon = self.start("OutputLimit=4K\nReply={message}\nWriteTimeout=infinity\n")
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(daemon.address())
        client.settimeout(net.TIMEOUT)
        messages = []
        # One at a time, until the daemon stops reading. By then its kernel holds some MiB of replies.
        while len(self.journal.records()) == len(messages):
            messages.append(b"%d%s" % (len(messages), b"." * 60000))
            client.sendall(messages[-1] + b"\n")
            net.wait_until(lambda: len(self.journal.records()) == len(messages) or daemon.stopped_reading(client),
                           what="the record, or the end of reading")
        messages.append(b"last")
        client.sendall(b"last\n")
        net.wait_until(lambda: on_its_way(client) == 0, what="it to arrive")
        self.assertLess(len(self.journal.records()), len(messages))
        reset(client)
        self.expect_recorded(messages)
        self.expect_closed(daemon)
        daemon.stop()


class Places(Gone):
    """Peers that leave while the journal is blocked: their places are free, and their messages wait."""

    def start_server(self, server):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        config = (f"[Server]\nWorkers=1\n{server}\n[Listener default]\nListen=127.0.0.1:0\n"
                  f"Listen={self.folder}/socket\nRecord=journal\n"
                  "[Listener plain]\nListen=127.0.0.1:0\nRecord=none\n"
                  "[Listener chunk]\nListen=127.0.0.1:0\nRecord=journal\nFraming=chunk\n"
                  "[Listener slow]\nListen=127.0.0.1:0\nRecord=journal\nRateLimit=20\n")
        return Daemon(self, [], config=config, listeners=5, journal=self.journal)

    def start_blocked(self, server=""):
        """A daemon with a full journal, and a client from another address with more messages than were recorded."""
        daemon = self.start_server(server)
        self.journal.pause()
        self.first = net.connect(daemon.address(), source=("127.0.0.2", 0))
        self.addCleanup(self.first.close)
        self.first.sendall(STREAM)
        daemon.stderr.wait_for("the journal has taken nothing")
        return daemon

    def send_and_reset(self, daemon, stream, number=0):
        client = daemon.connect(number)
        client.sendall(stream)
        if number != 1:
            net.wait_until(lambda: on_its_way(client) == 0, what="it to arrive")
        reset(client)

    def expect_places(self, daemon, count):
        """That many clients at the same time, with messages that need no journal."""
        clients = [daemon.connect(2) for _ in range(count)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"x\n")
            self.assertEqual(net.recv_line(client), b"ok\n")
        return clients

    def expect_both(self, *streams):
        """The messages of several peers, those of each in order."""
        got = self.journal.wait_for(sum(map(len, streams)))
        self.assertEqual(len(got), sum(map(len, streams)))
        for stream in streams:
            self.assertEqual([m for m in got if m in set(stream)], stream)

    def test_free_while_the_journal_is_blocked(self):
        daemon = self.start_blocked("MaxConnections=6\nMaxConnectionsPerAddress=5")
        held, streams = net.fd_count(daemon.pid), []
        for number in range(5):
            streams.append([b"%d-%d" % (number, n) for n in range(200)])
            self.send_and_reset(daemon, b"".join(m + b"\n" for m in streams[-1]) + b"unfinished")

        def all_have_gone():
            found = counters(daemon)
            return (found["accepted"], found["connections"]) == (6, 1)

        # Connections in the backlog would still take places.
        net.wait_until(all_have_gone, what="the five to come and go")
        clients = self.expect_places(daemon, 5)
        self.assertEqual(net.fd_count(daemon.pid), held + 5)
        for client in clients:
            client.close()
        # Some replies of this client wait for records that have been begun.
        reset(self.first)
        self.expect_closed(daemon)
        self.journal.resume()
        self.expect_both(MESSAGES, *streams)
        net.wait_until(lambda: counters(daemon)["discarded"] == 5 * len("unfinished"), what="the unfinished rests")
        daemon.stop()

    def test_unix(self):
        """On a UNIX socket, close() tells the daemon that the peer takes no more."""
        daemon = self.start_blocked("MaxConnections=2")
        stream = [b"u%d" % n for n in range(500)]
        with daemon.connect(1) as client:
            client.sendall(b"".join(m + b"\n" for m in stream))
        self.expect_places(daemon, 1)
        self.journal.resume()
        self.expect_both(MESSAGES, stream)
        daemon.stop()

    def test_a_rate_limit_holds_no_place(self):
        """The journal works, but the client is over its rate."""
        daemon = self.start_server("MaxConnections=1")
        client = daemon.connect(4)
        client.sendall(STREAM[:STREAM.index(b"50\n")])
        self.assertEqual(net.recv_exactly(client, 60), b"ok\n" * 20)
        reset(client)
        self.expect_places(daemon, 1)
        self.assertLess(len(self.journal.records()), 50)
        self.expect_recorded(MESSAGES[:50])
        daemon.stop()

    def test_a_stop_waits_for_them(self):
        daemon = self.start_blocked()
        reset(self.first)
        self.expect_closed(daemon)
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")
        self.journal.resume()
        daemon.expect_exit(0)
        self.journal.close_reader()
        self.assertEqual(self.journal.records(), MESSAGES)

    def test_within_the_memory_limit(self):
        """Bytes without memory are discarded. Those kept are the start of the stream."""
        daemon = self.start_blocked("MemoryLimit=64K")
        streams = [[b"%d-%d" % (number, n) for n in range(10000)] for number in range(20)]
        before = net.rss_bytes(daemon.pid)
        for stream in streams:
            self.send_and_reset(daemon, b"".join(m + b"\n" for m in stream))
        self.expect_places(daemon, 1)
        if not sanitized():
            self.assertLess(net.rss_bytes(daemon.pid) - before, 1 << 20)
        self.journal.resume()
        self.first.shutdown(socket.SHUT_WR)
        self.assertEqual(net.recv_until_eof(self.first), b"ok\n" * LINES)
        daemon.stderr.wait_for(r"127\.0\.0\.1:\d+: discarded \d+ bytes")

        def all_accounted_for():
            found = counters(daemon)
            recorded = sum(len(m) + 1 for m in self.journal.records())
            return found["discarded"] + recorded + len(b"x\n") == found["bytes_in"]

        net.wait_until(all_accounted_for, what="every byte to be recorded or counted")
        recorded = self.journal.records()
        for number, stream in enumerate(streams):
            got = [m for m in recorded if m.startswith(b"%d-" % number)]
            self.assertEqual(got, stream[:len(got)])
        self.assertIn(b"0-1000", recorded)
        daemon.stop()

    def test_without_framing(self):
        daemon = self.start_blocked("MaxConnections=2")
        self.send_and_reset(daemon, b"hello", 3)
        self.expect_places(daemon, 1)
        self.journal.resume()
        net.wait_until(lambda: b"hello" in self.journal.records(), what="its record")
        daemon.stop()


class Discarded(Gone):
    """Discarded bytes are counted and logged."""

    def expect_discarded(self, daemon, size):
        daemon.stderr.wait_for(rf"127\.0\.0\.1:\d+: discarded {size} bytes")
        self.expect_closed(daemon)
        self.assertEqual(counters(daemon)["discarded"], size)
        daemon.stop()

    def test_behind_a_protocol_error(self):
        daemon = self.start("Framing=netstring")
        self.assertEqual(net.exchange(daemon.address(), b"1:a,?" + b"x" * 999), b"2:ok,24:error: malformed message,")
        self.expect_discarded(daemon, 1000)

    def test_what_is_unread_at_the_end(self):
        daemon = self.start("RateLimit=1")
        client = daemon.connect()
        self.addCleanup(client.close)
        client.sendall(b"a\n" * 1000)
        self.assertEqual(net.recv_line(client), b"ok\n")
        daemon.signal(signal.SIGTERM)
        daemon.stderr.wait_for("^answerd: stopping")
        daemon.signal(signal.SIGTERM)
        daemon.expect_exit(0)
        self.assertTrue([line for line in daemon.stderr.lines if re.search(r": discarded 199[68] bytes", line)],
                        daemon.stderr.lines)


if __name__ == "__main__":
    tap.main()
