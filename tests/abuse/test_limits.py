# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that take no replies, or send messages without end: each stays within its limit, and so do all together."""

import contextlib
import select
import socket
import time
import unittest

import net
from daemon import Daemon
from witness import Steady, answers, sanitized

CLIENTS = 1000
OUTPUT_LIMIT = 16 << 10
WRITE_TIMEOUT = 3.0
NEVER_READ = f"""
[Server]
Workers=1
MemoryLimit=1G
[Listener default]
Listen=127.0.0.1:0
OutputLimit={OUTPUT_LIMIT}
WriteTimeout={WRITE_TIMEOUT:g}s
"""
MEMORY_LIMIT = 8 << 20
UNFINISHED = f"""
[Server]
Workers=1
MemoryLimit={MEMORY_LIMIT}
[Listener default]
Listen=127.0.0.1:0
MaxMessageSize=64K
"""
# For the allocator, the chunks of the connection pool, and the temporary memory of a turn.
SLACK = 8 << 20


class NeverRead(unittest.TestCase):
    def open_clients(self, daemon):
        """Each sends as much as the daemon takes."""
        clients = {}
        for _ in range(CLIENTS):
            client = socket.socket()
            self.addCleanup(client.close)
            # Before connecting: the window must be small from the start (tcp(7), SO_RCVBUF).
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
            client.connect(daemon.address())
            client.setblocking(False)
            clients[client.fileno()] = client
        return clients

    def flood(self, daemon, clients):
        """Waits until all are closed. Returns when each was, counted from when it could send no more; and when the
        last was, counted from when none could and the daemon was idle."""
        poll, stuck, ended, quiet = select.epoll(), {}, {}, None
        for fd in clients:
            poll.register(fd, select.EPOLLOUT | select.EPOLLET)
        deadline = time.monotonic() + net.TIMEOUT
        while len(ended) < len(clients) and time.monotonic() < deadline:
            found = poll.poll(0.1)
            if not found and not quiet and net.asleep(daemon.pid):
                quiet = time.monotonic()
            for fd, events in found:
                if fd in ended:
                    continue
                if events & (select.EPOLLHUP | select.EPOLLERR):
                    ended[fd] = time.monotonic() - stuck.get(fd, 0)
                    continue
                with contextlib.suppress(BlockingIOError, ConnectionError):
                    while True:
                        clients[fd].send(b"m\n" * 4096)
                        stuck[fd], quiet = time.monotonic(), None
                        deadline = stuck[fd] + net.TIMEOUT
        poll.close()
        return list(ended.values()), time.monotonic() - (quiet or time.monotonic())

    def test_each_is_held_to_its_output_limit(self):
        daemon = Daemon(self, ["--reply=" + "x" * 1000], config=NEVER_READ)
        self.assertEqual(len(net.exchange(daemon.address(), b"m\n")), 1001)
        before, held = net.rss_bytes(daemon.pid), net.fd_count(daemon.pid)
        ends, last = self.flood(daemon, self.open_clients(daemon))
        peak = (net.status_kib(daemon.pid, "VmHWM") << 10) - before
        self.assertEqual(len(ends), CLIENTS)
        print(f"# {CLIENTS} clients: {peak / 1024 / CLIENTS:.1f} KiB each, cut off after "
              f"{min(ends):.2f} to {max(ends):.2f} s, the last {last:.2f} s after the daemon had come to them all")
        # Replies up to the limit and one more, plus one read of that size. A growing buffer doubles.
        if not sanitized():
            self.assertLess(peak, CLIENTS * 2 * (2 * OUTPUT_LIMIT + 1001) + SLACK)
        # If the last replies reached the client's kernel only then, that was progress, and the time began again.
        self.assertLess(last, 2 * WRITE_TIMEOUT + net.LATE)
        self.assertGreater(sorted(ends)[CLIENTS // 2], WRITE_TIMEOUT * 0.5)
        daemon.stderr.wait_for("took no reply")
        net.wait_until(lambda: net.fd_count(daemon.pid) == held, what="all descriptors to be free")
        self.assertEqual(len(net.exchange(daemon.address(), b"m\n")), 1001)
        daemon.stop()


class AllTogether(unittest.TestCase):
    def test_memory_limit(self):
        daemon = Daemon(self, [], config=UNFINISHED)
        self.assertTrue(answers(daemon.address()))
        before = net.rss_bytes(daemon.pid)
        with Steady(daemon.address()) as load:
            clients = []
            for _ in range(CLIENTS):
                clients.append(daemon.connect())
                self.addCleanup(clients[-1].close)
                with contextlib.suppress(ConnectionError):
                    clients[-1].sendall(b"m" * 60000)
            load.wait_for_more(100)
            load.stop()
        peak = (net.status_kib(daemon.pid, "VmHWM") << 10) - before
        print(f"# {CLIENTS * 60000 >> 20} MiB of unfinished messages: {peak >> 20} MiB of memory")
        if not sanitized():
            self.assertLess(peak, MEMORY_LIMIT + SLACK)
        daemon.stderr.wait_for("no memory for its buffers")
        # No client that needs no buffer was cut off.
        self.assertEqual((load.refused, load.lost, load.wrong), (0, 0, 0))
        daemon.stop()


class Announced(unittest.TestCase):
    """An announced size costs nothing: memory follows the bytes received."""

    def check(self, framing, announcement):
        daemon = Daemon(self, [], config="[Server]\nWorkers=1\n[Listener default]\nListen=127.0.0.1:0\n"
                        f"MaxMessageSize=64M\nFraming={framing}\n")
        before, clients = net.rss_bytes(daemon.pid), []
        for _ in range(CLIENTS):
            clients.append(daemon.connect())
            self.addCleanup(clients[-1].close)
            clients[-1].sendall(announcement + b"beginning")
        # Once the last client's end of stream is answered, the daemon has handled all of them.
        clients[-1].shutdown(socket.SHUT_WR)
        self.assertIn(b"error: ", net.recv_until_eof(clients[-1]))
        if not sanitized():
            self.assertLess((net.status_kib(daemon.pid, "VmHWM") << 10) - before, SLACK)
        daemon.stop()

    def test_length(self):
        self.check("length", (64 << 20).to_bytes(4, "big"))

    def test_netstring(self):
        self.check("netstring", b"%d:" % (64 << 20))


if __name__ == "__main__":
    unittest.main()
