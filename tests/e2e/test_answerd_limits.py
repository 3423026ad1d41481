# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every limit and timeout of the configuration, as the peer sees it."""

import os
import select
import signal
import socket
import struct
import tempfile
import time
import unittest

import net
import tap
from daemon import Daemon, sanitized
from journal_socket import JournalSocket

LISTENER = "[Listener default]\nListen=127.0.0.1:0\nRecord=none\n"
LIMITED = b"error: too many connections from your address\n"


def ask(client, message=b"x", reply=b"ok\n"):
    client.sendall(message + b"\n")
    got = net.recv_exactly(client, len(reply))
    assert got == reply, got


def closed(client):
    """Waits for the end of the stream or a reset. Returns which, and the data before it."""
    data = b""
    try:
        while True:
            piece = client.recv(1 << 16)
            if not piece:
                return "end", data
            data += piece
    except ConnectionResetError:
        return "reset", data


class Limits(unittest.TestCase):
    def daemon(self, listener="", server="", **rest):
        return Daemon(self, [], config=f"[Server]\n{server}\n{LISTENER}{listener}\n", **rest)

    def connect(self, daemon, number=0, source=None):
        client = net.connect(daemon.address(number), source=source)
        self.addCleanup(client.close)
        return client


class Connections(Limits):
    def test_max_connections(self):
        daemon = self.daemon(server="MaxConnections=3\nWorkers=1")
        clients = [self.connect(daemon) for _ in range(3)]
        for client in clients:
            ask(client)
        waiting = self.connect(daemon)  # in the backlog of the kernel
        waiting.sendall(b"x\n")
        daemon.stderr.wait_for(r"^answerd: MaxConnections=3 reached: accepting pauses until a connection ends$")
        ask(clients[0])
        self.assertEqual(select.select([waiting], [], [], 0)[0], [])
        clients[1].close()
        self.assertEqual(net.recv_line(waiting), b"ok\n")
        daemon.stop()

    def test_max_connections_is_what_descriptors_allow(self):
        daemon = self.daemon(server="MaxConnections=1000000000\nWorkers=1")
        daemon.stderr.wait_for(r"^answerd: MaxConnections=1000000000 is too high for a limit of \d+ descriptors")
        daemon.stop()

    def test_few_descriptors_and_many_clients(self):
        """64 descriptors, 200 clients: waiting clients are served as others leave."""
        import resource
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=1"],
                        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
        clients = [self.connect(daemon) for _ in range(200)]
        for client in clients:
            client.sendall(b"x\n")
        daemon.stderr.wait_for(r"MaxConnections=\d+ reached")
        answered = 0
        while clients:
            ready = select.select(clients, [], [], net.TIMEOUT)[0]
            self.assertTrue(ready, f"{answered} were answered, then no more")
            for client in ready:
                self.assertEqual(client.recv(10), b"ok\n")
                client.close()
                clients.remove(client)
                answered += 1
        self.assertEqual(answered, 200)
        daemon.stop()

    def test_connections_leave_descriptors_for_all_sinks(self):
        """Each of 16 workers has a log, a journal and standard error, and all connections are taken."""
        import resource
        folder = tempfile.TemporaryDirectory(prefix="al", dir="/tmp")
        self.addCleanup(folder.cleanup)
        config = (f"[Server]\nWorkers=16\n[Log]\nDirectory={folder.name}\nMirror=journal\n"
                  "[Listener default]\nListen=127.0.0.1:0\nRecord=log\nMaxMessageSize=1M\n"
                  "[Listener b]\nListen=127.0.0.1:0\nRecord=journal\n"
                  "[Listener c]\nListen=127.0.0.1:0\nRecord=stderr\n")
        daemon = Daemon(self, [], config=config, listeners=3, journal=JournalSocket(self),
                        preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)))
        clients = [self.connect(daemon, listener) for _ in range(200) for listener in range(3)]
        places = int(daemon.stderr.wait_for(r"MaxConnections=(\d+) reached")[0][1])
        for client in clients:
            client.sendall(b"x\n")
        answered = []
        while len(answered) < places:
            ready = select.select([c for c in clients if c not in answered], [], [], net.TIMEOUT)[0]
            self.assertTrue(ready, f"{len(answered)} of {places} were answered, then no more")
            for client in ready:
                self.assertEqual(net.recv_line(client), b"ok\n")
                answered.append(client)
        daemon.stop()
        self.assertFalse([line for line in daemon.stderr.lines if "Too many" in line or "is away" in line])

    def test_max_connections_per_address(self):
        daemon = self.daemon(server="MaxConnectionsPerAddress=2\nWorkers=2")
        first, second = self.connect(daemon), self.connect(daemon)
        ask(first)
        ask(second)
        self.assertEqual(net.recv_until_eof(self.connect(daemon)), LIMITED)
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: refused: MaxConnectionsPerAddress= reached$")
        other = self.connect(daemon, source=("127.0.0.2", 0))
        ask(other)
        first.close()

        def again():
            client = self.connect(daemon)
            try:
                client.sendall(b"x\n")
                return client.recv(100) == b"ok\n"
            except ConnectionResetError:
                return False

        net.wait_until(again, what="the place to be free again")
        daemon.stop()

    def refused(self, daemon, source):
        client = self.connect(daemon, source=(source, 0))
        self.assertEqual(net.recv_until_eof(client), b"error: your address is not allowed\n")

    def test_who_may_connect(self):
        config = "[Listener default]\nListen=127.0.0.1:0\nRecord=none\n"
        daemon = Daemon(self, [], config=config + "Allow=127.0.0.0/29\nDeny=127.0.0.2 ::/128\n")
        ask(self.connect(daemon))
        self.refused(daemon, "127.0.0.2")
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.2:\d+: refused: Allow= or Deny= excludes this address$")
        stays = self.connect(daemon, source=("127.0.0.3", 0))
        ask(stays)
        daemon.reload(config + "Deny=127.0.0.3\n")
        ask(self.connect(daemon, source=("127.0.0.2", 0)))
        self.refused(daemon, "127.0.0.3")
        ask(stays)
        daemon.stop()

    def test_who_may_connect_through_a_unix_socket(self):
        config = "[Listener default]\nListen=@answerd-allow-%d\nRecord=none\n" % os.getpid()
        daemon = Daemon(self, [], config=config + "Allow=127.0.0.0/8 unix\n")
        ask(self.connect(daemon))
        daemon.reload(config + "Allow=::/0\n")
        self.assertEqual(net.recv_until_eof(self.connect(daemon)), b"error: your address is not allowed\n")
        daemon.stop()

    def test_unix_peers_have_no_address_to_count(self):
        daemon = Daemon(self, ["--listen=@answerd-limits-%d" % os.getpid(), "--record=none"],
                        config="[Server]\nMaxConnectionsPerAddress=1\n")
        for client in [self.connect(daemon) for _ in range(5)]:
            ask(client)
        daemon.stop()

    def test_resets_leave_nothing_behind(self):
        daemon = self.daemon(server="Workers=1\nMaxConnectionsPerAddress=50")
        ask(self.connect(daemon))
        before = net.fd_count(daemon.pid)
        for _ in range(2000):
            with net.connect(daemon.address()) as client:
                client.sendall(b"x\ny")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Connections are accepted in order, and this one has another address. Once it is answered, the backlog is
        # empty.
        with net.connect(daemon.address(), source=("127.0.0.2", 0)) as last:
            ask(last)
        net.wait_until(lambda: net.fd_count(daemon.pid) == before, what="descriptors as before")
        clients = [self.connect(daemon) for _ in range(49)]
        for client in clients:
            ask(client)
        daemon.stop()


class Sizes(Limits):
    def test_max_message_size(self):
        daemon = self.daemon("MaxMessageSize=10\nReply={message}")
        self.assertEqual(net.exchange(daemon.address(), b"x" * 10 + b"\r\n"), b"x" * 10 + b"\r\n")
        self.assertEqual(net.exchange(daemon.address(), b"x" * 11 + b"\n"), b"error: message too long\n")
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: cut off: message too long \(line framing\)$")
        daemon.stop()

    def test_large_messages(self):
        daemon = self.daemon("MaxMessageSize=16M\nFraming=length")
        message = struct.pack("!I", 16 << 20) + bytes(16 << 20)
        self.assertEqual(net.exchange(daemon.address(), message), b"\0\0\0\2ok")
        daemon.stop()

    def test_nothing_is_allocated_for_bytes_that_have_not_come(self):
        daemon = self.daemon("MaxMessageSize=256M\nFraming=length", "Workers=1")
        before = net.rss_bytes(daemon.pid)
        clients = [self.connect(daemon) for _ in range(100)]
        for client in clients:
            client.sendall(struct.pack("!I", 256 << 20) + b"begun")
        probe = self.connect(daemon)
        probe.sendall(struct.pack("!I", 1) + b"x")
        self.assertEqual(net.recv_exactly(probe, 6), b"\0\0\0\2ok")
        if not sanitized():
            self.assertLess(net.rss_bytes(daemon.pid) - before, 4 << 20)
        daemon.stop()

    def test_output_limit_stops_reading(self):
        """A peer that does not read: unsent replies stay within the limit, and TCP slows the peer down."""
        daemon = self.daemon("OutputLimit=64K\nReply={message}", "Workers=1")
        before = net.rss_bytes(daemon.pid)
        client = self.connect(daemon)
        sent = net.send_until_full(client, (b"x" * 1023 + b"\n") * 64, lambda: daemon.stopped_reading(client))
        if not sanitized():
            self.assertLess(net.rss_bytes(daemon.pid) - before, 1 << 20)
        client.settimeout(net.TIMEOUT)
        self.assertEqual(net.recv_exactly(client, sent // 1024 * 1024), (b"x" * 1023 + b"\n") * (sent // 1024))
        daemon.stop()

    def test_memory_limit(self):
        """Connections that need more memory than there is are cut off, with an event. Others are served."""
        daemon = self.daemon("MaxMessageSize=1M", "MemoryLimit=1M\nWorkers=1")
        clients = [self.connect(daemon) for _ in range(5)]
        for client in clients:
            client.sendall(b"x" * (400 << 10))
        daemon.stderr.wait_for(r"cut off: no memory for its buffers, see MemoryLimit=")
        ask(self.connect(daemon))
        ends = select.select(clients, [], [], net.TIMEOUT)[0]
        self.assertEqual({closed(client)[0] for client in ends}, {"reset"})
        daemon.stop()


class Times(Limits):
    def test_idle_timeout(self):
        daemon = self.daemon("IdleTimeout=2s")
        idle, busy = self.connect(daemon), self.connect(daemon)
        begun = time.monotonic()
        ask(idle)
        while not select.select([idle], [], [], 0.05)[0]:
            ask(busy)
        self.assertEqual(closed(idle), ("end", b""))
        self.assertTrue(1.99 <= time.monotonic() - begun < 2 + net.LATE, time.monotonic() - begun)
        idle.close()
        ask(busy)
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: cut off: sent no message for 2s$")
        daemon.stop()

    def test_idle_from_the_start(self):
        daemon = self.daemon("IdleTimeout=200ms")
        begun = time.monotonic()
        with self.connect(daemon) as client:
            self.assertEqual(closed(client), ("end", b""))
            self.assertTrue(0.19 <= time.monotonic() - begun < net.LATE)
        daemon.stop()

    def owed(self, daemon):
        """A client whose messages are all answered, with more replies than the kernel takes.

        Returns it and the number of reply bytes.
        """
        message, n = struct.pack("!I", 60000) + bytes(60000), 200
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
        return client, n * len(message)

    def test_idle_begins_when_the_last_reply_is_gone(self):
        daemon = self.daemon("IdleTimeout=4s\nFraming=length\nReply={message}\nOutputLimit=64M", "Workers=1")
        client, size = self.owed(daemon)
        time.sleep(2)  # the time is what the test is about
        begun = time.monotonic()
        net.recv_exactly(client, size)
        self.assertEqual(closed(client), ("end", b""))
        self.assertTrue(3.99 <= time.monotonic() - begun < 4 + net.LATE, time.monotonic() - begun)
        daemon.stop()

    def test_idle_does_not_wait_for_the_write_timeout(self):
        """The write timeout ran until the last reply was sent."""
        daemon = self.daemon("IdleTimeout=1s\nWriteTimeout=10min\nFraming=length\nReply={message}\nOutputLimit=64M",
                             "Workers=1")
        client, size = self.owed(daemon)
        time.sleep(1.5)  # longer than IdleTimeout=, which must not count meanwhile
        begun = time.monotonic()
        net.recv_exactly(client, size)
        self.assertEqual(closed(client), ("end", b""))
        self.assertTrue(0.99 <= time.monotonic() - begun < 1 + net.LATE, time.monotonic() - begun)
        daemon.stop()

    def test_message_timeout_is_for_the_whole_message(self):
        """A byte now and then does not extend it."""
        daemon = self.daemon("MessageTimeout=300ms")
        client = self.connect(daemon)
        ask(client)
        begun = time.monotonic()
        client.sendall(b"s")
        while not select.select([client], [], [], 0.05)[0]:
            client.sendall(b"low")
        self.assertTrue(0.29 <= time.monotonic() - begun < net.LATE, time.monotonic() - begun)
        self.assertEqual(net.recv_until_eof(client), b"error: message not complete in time\n")
        client.close()
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: cut off: sent an unfinished message for 300ms$")
        daemon.stop()

    def test_message_timeout_begins_with_the_message(self):
        daemon = self.daemon("MessageTimeout=200ms")
        client = self.connect(daemon)
        self.assertEqual(select.select([client], [], [], 0.4)[0], [], "silence is not a message")
        client.sendall(b"a\nb\nc")
        self.assertEqual(net.recv_until_eof(client), b"ok\nok\nerror: message not complete in time\n")
        client.close()
        daemon.stop()

    def test_write_timeout(self):
        daemon = self.daemon("WriteTimeout=300ms\nOutputLimit=64K\nReply={message}", "Workers=1")
        client = self.connect(daemon)
        client.setblocking(False)
        poll = select.poll()
        poll.register(client, select.POLLOUT | select.POLLERR)
        gone = False
        while not gone:
            events = poll.poll(net.TIMEOUT * 1000)
            self.assertTrue(events, "neither taken nor cut off")
            try:
                client.send(b"x" * 1023 + b"\n")
            except BlockingIOError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                gone = True
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: cut off: took no reply for 300ms$")
        net.wait_until(lambda: net.unread(daemon.pid, daemon.address(), client) is None, what="the socket to be closed")
        daemon.stop()

    def test_write_timeout_spares_the_slow(self):
        """A peer that reads a little now and then is not cut off, even if the kernel has no room to report yet.

        A closed window opens again only once the receive buffer has room for a segment as large as those before. On
        loopback that may be the whole buffer, so several reads can go unnoticed.
        """
        daemon = self.daemon("WriteTimeout=4s\nOutputLimit=64K\nReply={message}\n"
                             "[Listener clock]\nListen=127.0.0.1:0\nRateLimit=2", "Workers=1", listeners=2)
        clock = self.connect(daemon, 1)
        clock.sendall(b"x\n" * 15)  # two replies at once, then one every 500 ms
        client = socket.socket()
        self.addCleanup(client.close)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 10)
        client.connect(daemon.address())
        message = b"x" * 1023 + b"\n"
        sent = net.send_until_full(client, message * 64, lambda: daemon.stopped_reading(client))
        for _ in range(15):
            net.recv_line(clock)
            net.recv_exactly(client, 16 << 10)
        sent -= 15 * (16 << 10)
        self.assertEqual(net.recv_exactly(client, sent // 1024 * 1024), message * (sent // 1024))
        self.assertEqual([line for line in daemon.stderr.lines if "cut off" in line], [])
        client.close()
        daemon.stop()

    def test_a_machine_that_stood_still(self):
        """Data that arrived during the stop was in time, though it is read late."""
        daemon = self.daemon("IdleTimeout=3s\nMessageTimeout=3s")
        idle, half = self.connect(daemon), self.connect(daemon)
        ask(idle)
        ask(half)
        half.sendall(b"hal")
        daemon.signal(signal.SIGSTOP)
        idle.sendall(b"x\n")
        half.sendall(b"f\n")
        time.sleep(3.5)  # the time is what the test is about
        daemon.signal(signal.SIGCONT)
        for client in idle, half:
            self.assertEqual(net.recv_line(client), b"ok\n")
        daemon.stop()

    def test_rate_limit(self):
        """The share of one second at once, then a steady pace. Other connections have their own."""
        daemon = self.daemon("RateLimit=20\nReply={seq} {time}")
        client, other = self.connect(daemon), self.connect(daemon)
        begun = time.monotonic()
        client.sendall(b"x\n" * 35)
        times = []
        for number in range(1, 36):
            seq, _, when = net.recv_line(client).partition(b" ")
            self.assertEqual(seq, b"%d" % number)
            times.append(when)
        took = time.monotonic() - begun
        # Messages read and answered together have one time, by the daemon's clock.
        self.assertEqual(times[:20], [times[0]] * 20, "the first second's share goes at once")
        self.assertNotEqual(times[20], times[19])
        self.assertTrue(0.7 <= took < 0.75 + net.LATE, took)  # 15 messages at 20 a second
        other.sendall(b"x\n")
        self.assertRegex(net.recv_line(other), rb"^1 ")
        daemon.stop()

    def test_rate_limit_and_half_close(self):
        daemon = self.daemon("RateLimit=50\nReply={seq}")
        replies = net.exchange(daemon.address(), b"x\n" * 80)
        self.assertEqual(replies, b"".join(b"%d\n" % i for i in range(1, 81)))
        daemon.stop()


if __name__ == "__main__":
    tap.main()
