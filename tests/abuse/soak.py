# SPDX-License-Identifier: LGPL-2.1-or-later
"""All kinds of clients at once, for $SOAK_SECONDS, while journald restarts: in the end everything is as at the start.

There are good clients, near and behind a bad line; slow ones; broken ones; some that come and go; and some whose
machine vanishes. The networks are the test's own namespaces. The line loses and delays packets (tc-netem(8)). If the
kernel has no netem, it goes down for moments.
"""

import collections
import contextlib
import ctypes
import multiprocessing
import os
import random
import shutil
import socket
import struct
import subprocess
import threading
import time
import unittest

import journald
import net
import tap
from daemon import Daemon
from witness import Steady, sanitized

SECONDS = float(os.environ.get("SOAK_SECONDS") or 120)
WARM_UP = min(20.0, SECONDS / 4)
GROWTH = 4 << 20
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)
HERE, THERE = "10.77.0.1", "10.77.0.2"
CONFIG = """
[Server]
Workers=2
[Listener default]
Listen=0.0.0.0:0
Record=journal
RateLimit=20
IdleTimeout=10s
MessageTimeout=3s
WriteTimeout=10s
"""
NEAR = 20
BETWEEN = NEAR * 50  # replies between restarts: about 3 s with RateLimit=20
GARBAGE = 512
TCP_REPAIR = 19


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE)


def far_side(address, ready, order, result):
    """Clients at the far end of the line, in their own process: good ones, and some that vanish."""
    LIBC.unshare(CLONE_NEWNET)
    ready.send(os.getpid())
    order.recv()
    steady = Steady(address, 10, "far")
    with steady:
        # Connections with an unfinished message, which vanish with the line.
        vanishing = []
        while not order.poll(0.5):
            with contextlib.suppress(OSError):
                vanishing.append(net.connect(address, 5))
                vanishing[-1].sendall(b"unfinished")
            if len(vanishing) > 20:
                for client in vanishing:
                    # In repair mode, a socket closes without FIN or RST (linux/tcp.h).
                    with contextlib.suppress(OSError):
                        client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
                    client.close()
                vanishing.clear()
        steady.stop()
    for client in vanishing:
        client.close()
    result.send((dict(steady.answered), steady.lost, steady.wrong))


class Rough:
    """Bad clients, each kind in a thread."""

    def __init__(self, address):
        self.address, self.stop, self.counts = address, threading.Event(), collections.Counter()
        self.threads = [threading.Thread(target=self.loop, args=(kind,), daemon=True)
                        for kind in (self.slow, self.broken, self.churning, self.deaf)]
        for thread in self.threads:
            thread.start()

    def loop(self, kind):
        chance = random.Random(kind.__name__)
        while not self.stop.wait(0.02):
            with contextlib.suppress(OSError, AssertionError):
                kind(chance)
                self.counts[kind.__name__] += 1

    def slow(self, _chance):
        clients = [net.connect(self.address) for _ in range(50)]
        with contextlib.ExitStack() as stack:
            for client in clients:
                stack.enter_context(client)
            for _ in range(8):
                for client in clients:
                    client.send(b"s")
                if self.stop.wait(0.5):
                    return

    def broken(self, chance):
        with net.connect(self.address) as client:
            client.sendall(chance.randbytes(chance.randrange(1, GARBAGE)).replace(b"\n", b" "))
            if chance.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def churning(self, _chance):
        if net.exchange(self.address, b"churn\n") != b"ok\n":
            self.counts["wrong"] += 1

    def deaf(self, _chance):
        """Asks and never reads."""
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(self.address)
            client.sendall(b"deaf\n" * 40)
            self.stop.wait(3)

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(timeout=60)


@tap.timeout(SECONDS * 1.5 + 300)
@unittest.skipUnless(os.geteuid() == 0 and shutil.which("ip") and shutil.which("tc"), "networks take root, ip and tc")
class Soak(unittest.TestCase):
    def lay_line(self, pid):
        """Makes a pair of interfaces, one here and one in the network of that process. Returns whether netem is on
        it."""
        ip("link", "add", "soak", "type", "veth", "peer", "name", "far", "netns", str(pid))
        ip("address", "add", HERE + "/24", "dev", "soak")
        ip("link", "set", "soak", "up")
        enter = ["nsenter", "--target", str(pid), "--net", "ip"]
        subprocess.run([*enter, "address", "add", THERE + "/24", "dev", "far"], check=True)
        subprocess.run([*enter, "link", "set", "far", "up"], check=True)
        return subprocess.run(["tc", "qdisc", "add", "dev", "soak", "root", "netem", "loss", "5%", "delay", "20ms",
                               "10ms"], stderr=subprocess.DEVNULL, check=False).returncode == 0

    def far_clients(self, port):
        receiver, ready = multiprocessing.Pipe(False)
        orders, order = multiprocessing.Pipe(False)
        results, result = multiprocessing.Pipe(False)
        process = multiprocessing.Process(target=far_side, args=((HERE, port), ready, orders, result), daemon=True)
        process.start()
        self.addCleanup(process.kill)
        self.far_pid = receiver.recv()
        netem = self.lay_line(self.far_pid)
        order.send("begin")
        return order, results, netem

    def retransmits(self):
        """Whether TCP sends something again at either end of the line (proc(5), /proc/net/tcp: retrnsmt)."""
        ends = ["%08X" % struct.unpack("=I", socket.inet_aton(address))[0] for address in (HERE, THERE)]
        rows = []
        for folder in "thread-self", str(self.far_pid):
            with open(f"/proc/{folder}/net/tcp", encoding="ascii") as table:
                rows += [row.split() for row in table.read().splitlines()[1:]]
        return any(row[2][:8] in ends and int(row[6], 16) > 0 for row in rows)

    def abuse(self, journal, netem, until, watch, steady):
        """journald restarts and the line goes down, in turn. In between, the good clients get replies."""
        restarts = 0
        while time.monotonic() < until:
            watch()
            if not netem:
                ip("link", "set", "soak", "down")
                net.wait_until(self.retransmits, what="the line's end to be felt")
                ip("link", "set", "soak", "up")
            steady.wait_for_more(BETWEEN)
            journal.restart()
            restarts += 1
        return restarts

    def test_soak(self):
        self.assertEqual(LIBC.unshare(CLONE_NEWNET), 0)
        ip("link", "set", "lo", "up")
        journal = journald.Journal(self)
        daemon = Daemon(self, [], config=CONFIG, journal=journal)
        port = daemon.address()[1]
        near = ("127.0.0.1", port)
        self.assertEqual(net.exchange(near, b"first\n"), b"ok\n")
        descriptors = net.fd_count(daemon.pid)
        order, results, netem = self.far_clients(port)
        memory = []

        def watch():
            if time.monotonic() - begun > WARM_UP:
                memory.append(net.rss_bytes(daemon.pid))

        begun = time.monotonic()
        with Steady(near, NEAR, "near") as steady:
            rough = Rough(near)
            restarts = self.abuse(journal, netem, begun + SECONDS, watch, steady)
            rough.end()
            order.send("end")
            far, lost, wrong = results.recv()
            steady.stop()
        self.check_end(daemon, descriptors, memory)
        self.assertEqual((steady.refused, steady.lost, steady.wrong, rough.counts["wrong"]), (0, 0, 0, 0))
        self.assertEqual((lost, wrong), (0, 0))
        answered = self.check_sequences([dict(steady.answered), far], ["near", "far"])
        self.check_journal(journal, answered)
        print(f"# {SECONDS:.0f} s, {len(answered)} messages of good clients, {restarts} restarts of journald, "
              f"{'netem' if netem else 'a line that goes down'}, rounds of the others: {dict(rough.counts)}")
        daemon.stop()

    def check_end(self, daemon, descriptors, memory):
        # A full journal has left a timer in each of the two workers.
        net.wait_until(lambda: net.fd_count(daemon.pid) <= descriptors + 2, 30, "all descriptors to be free")
        growth = net.rss_bytes(daemon.pid) - memory[0]
        print(f"# {memory[0] >> 10} KiB of memory after {WARM_UP:.0f} s, {growth / 1024:+.0f} KiB at the end")
        if not sanitized():
            self.assertLess(growth, GROWTH)

    def check_sequences(self, groups, names):
        """Each client has a reply to each message, in order. Returns all messages."""
        everything = []
        for group, name in zip(groups, names):
            for client, messages in group.items():
                self.assertEqual(messages, [b"%s%d-%d" % (name.encode(), client, n) for n in range(len(messages))])
                everything += messages
        return everything

    def check_journal(self, journal, answered):
        journal.sync()
        done = subprocess.run(["journalctl", "--directory=" + journal.logs, "--all", "--quiet", "-o", "cat",
                               "--output-fields=ANSWERD_DATA", "SYSLOG_IDENTIFIER=answerd"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
        counts = collections.Counter(done.stdout.split(b"\n"))
        self.assertEqual([m for m in answered if counts[m] != 1][:10], [])


if __name__ == "__main__":
    tap.main()
