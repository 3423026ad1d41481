# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thousands that stop in the middle of the handshake, handshakes as fast as they come, and records of one byte: others
hardly notice."""

import contextlib
import json
import multiprocessing
import resource
import select
import ssl
import subprocess
import time
import unittest

import net
import tap
from daemon import program
from fairness import expect_at_most_doubled, lower_priority
from secure import Secure, ask, context, flood
from witness import log_lines, sanitized

STALLED = 10000
AT_ONCE = 2000  # MaxHandshakes=
HANDSHAKE_TIMEOUT = 10.0
# A handshake that has begun has its buffers; one that waits for a place has next to nothing.
MEMORY_EACH = 80 << 10
MEMORY_WAITING = 2 << 10
LEFT = 16 << 20  # in the end: what is used no more, but shares pages with what is
QUIET = 100     # connections that measure, of each kind
RATE = 1000     # messages a second of them


def half_a_hello():
    """The first half of a real ClientHello."""
    outward = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context().wrap_bio(ssl.MemoryBIO(), outward).do_handshake()
    hello = outward.read()
    return hello[:len(hello) // 2]


def stall(address, clients, connected, ended):
    """Clients that begin a handshake and stop, in their own process. Reports how long each lived."""
    lower_priority()
    poll, born, lives, sockets, hello = select.epoll(), {}, [], {}, half_a_hello()
    for _ in range(clients):
        client = net.connect(address)
        client.sendall(hello)
        sockets[client.fileno()] = client
        born[client.fileno()] = time.monotonic()
        poll.register(client, select.EPOLLIN)
    connected.set()
    while sockets:
        for fd, _ in poll.poll():
            lives.append(time.monotonic() - born[fd])
            poll.unregister(fd)
            sockets.pop(fd).close()
    ended.send(lives)


class Bench:
    """An ask-bench that measures. With TLS, its connections are made at the beginning."""

    def __init__(self, test, address, *options, priority=0):
        host, port = address
        self._process = subprocess.Popen(["nice", "-n", str(priority), program("ask-bench"), f"{host}:{port}",
                                          "--json=-", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        test.addCleanup(self._end)

    def _end(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def p99(self):
        """Once it is done, in microseconds."""
        out, said = self._process.communicate(timeout=120)
        if self._process.returncode != 0:
            raise AssertionError(f"ask-bench: {said.decode()}")
        result = json.loads(out)
        if result["errors"]:
            raise AssertionError(f"ask-bench: {result['errors']}")
        return result["latency_us"]["p99"]


class Quiet:
    """Plain and TLS clients that are connected already, and measure from now on."""

    def __init__(self, test, daemon, seconds, before):
        """before: the sockets of the daemon without clients."""
        options = "-c", str(QUIET), "-r", str(RATE), "-d", f"{seconds}s"
        self._benches = [Bench(test, daemon.address(0), "--tls", "--insecure", *options),
                         Bench(test, daemon.address(1), *options)]
        net.wait_until(lambda: net.socket_count(daemon.pid) >= before + 2 * QUIET, what="the quiet clients")

    def p99(self):
        """Of those that fare worse."""
        return max(bench.p99() for bench in self._benches)


class Tls(unittest.TestCase):
    def setUp(self):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self.clients = min(STALLED, most - 1000)

    def crowd(self, daemon, during):
        """A crowd comes and stops. `during` is called while it is there. Returns how long its members lived."""
        connected = multiprocessing.Event()
        receiver, sender = multiprocessing.Pipe(False)
        crowd = multiprocessing.Process(target=stall, args=(daemon.address(), self.clients, connected, sender))
        crowd.start()
        try:
            self.assertTrue(connected.wait(net.TIMEOUT))
            during()
            lives = sorted(receiver.recv())
        finally:
            crowd.kill()
            crowd.join()
        print(f"# {len(lives)} lived {lives[0]:.2f} to {lives[-1]:.2f} s, half of them {lives[len(lives) // 2]:.2f} s")
        return lives

    def test_stalled_handshakes(self):
        secure = Secure(self, f"MaxHandshakes={AT_ONCE}\nHandshakeTimeout={HANDSHAKE_TIMEOUT:g}s", workers=2)
        daemon = secure.daemon
        with secure.connect() as client:
            ask(client)
        net.wait_until(lambda: net.asleep(daemon.pid))
        sockets, before = net.socket_count(daemon.pid), net.forget_peak(daemon.pid)
        waits = []

        def newcomer():
            begun = time.monotonic()
            with secure.connect() as client:
                ask(client)
            waits.append(time.monotonic() - begun)

        def beside():
            quiet = Quiet(self, daemon, 8, sockets)
            p99 = []

            def during():
                newcomer()
                p99.append(quiet.p99())
            lives = self.crowd(daemon, during)
            # All are cut at the timeout at the latest. Those that keep others waiting are cut earlier.
            self.assertGreater(lives[0], 0.9)
            self.assertLess(lives[len(lives) // 2], HANDSHAKE_TIMEOUT * 0.9)
            self.assertGreater(lives[-1], HANDSHAKE_TIMEOUT * 0.9)
            self.assertLess(lives[int(len(lives) * 0.99)], HANDSHAKE_TIMEOUT + net.LATE)
            net.wait_until(lambda: net.socket_count(daemon.pid) <= sockets, what="the sockets to be closed")
            return p99[0]

        expect_at_most_doubled(self, lambda: Quiet(self, daemon, 5, sockets).p99(), beside)
        peak = net.status_kib(daemon.pid, "VmHWM") * 1024 - before
        print(f"# a newcomer waited up to {max(waits):.2f} s; {peak >> 20} MiB more memory while they were there")
        self.assertLess(max(waits), HANDSHAKE_TIMEOUT)
        if not sanitized():
            self.assertLess(peak, AT_ONCE * MEMORY_EACH + self.clients * MEMORY_WAITING)
            net.wait_until(lambda: net.rss_bytes(daemon.pid) - before < LEFT, what="the memory to be free")
        self.assertTrue(log_lines(daemon, "no complete TLS handshake"))
        daemon.stop()

    def beside_load(self, begin):
        """The same load for the machine, once elsewhere and once at the same worker. begin(daemon) starts it, and
        returns what ends it."""
        secure, other = Secure(self), Secure(self, preexec=lower_priority)
        sockets = net.socket_count(secure.daemon.pid)

        def measure(loaded):
            net.wait_until(lambda: net.socket_count(secure.daemon.pid) <= sockets, what="no client to be left")
            quiet = Quiet(self, secure.daemon, 4, sockets)
            end = begin(loaded.daemon)
            try:
                return quiet.p99()
            finally:
                end()

        expect_at_most_doubled(self, lambda: measure(other), lambda: measure(secure))
        for each in secure, other:
            each.daemon.stop()

    def test_handshakes_as_fast_as_they_come(self):
        def churn(daemon):
            bench = Bench(self, daemon.address(), "--tls", "--insecure", "--churn", "-c", "50", "-d", "5s", priority=19)
            return lambda: print(f"# p99 of a handshake and a message: {bench.p99() / 1000:.0f} ms")
        self.beside_load(churn)

    def test_records_of_one_byte(self):
        def small(daemon):
            peer = flood(self, daemon, "small")

            def end():
                peer.kill()
                peer.wait()
            return end
        self.beside_load(small)


if __name__ == "__main__":
    tap.main()
