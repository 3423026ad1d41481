# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ten thousand clients at once: all are answered, and the journal has every message, byte by byte, once."""

import os
import random
import resource
import selectors
import sys
import time
import unittest

import journald
import net
import tap
from daemon import Daemon

CLIENTS, PROCESSES = 10000, 4
DESCRIPTORS = CLIENTS + 1000


def message(client, turn):
    """A different message for each, of any bytes but LF, up to a few hundred."""
    source = random.Random(client * 2 + turn)
    data = bytes(source.choice(b"\0\r\x1b\xff=\\ abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(source.randrange(60)))
    return b"%d/%d:" % (client, turn) + data.rstrip(b"\r") + b"."


def crowd(address, numbers, ready, go):
    """One process. It connects all its clients, reports, waits, then each client asks twice, in any order.

    The second round starts a second after the first. There is no other clock here.
    """
    clients = {}
    for number in numbers:
        sock = net.connect(address, timeout=net.TIMEOUT)
        sock.setblocking(False)
        clients[number] = sock
    os.write(ready, b"c")
    os.read(go, 1)
    for turn in range(2):
        begun = time.monotonic()
        order = list(numbers)
        random.shuffle(order)
        selector = selectors.DefaultSelector()
        for number in order:
            clients[number].send(message(number, turn) + b"\n")
            selector.register(clients[number], selectors.EVENT_READ, number)
        waiting = {number: b"" for number in order}
        while waiting:
            events = selector.select(60)
            assert events, f"{len(waiting)} wait in vain"
            for key, _ in events:
                waiting[key.data] += key.fileobj.recv(100)
                if waiting[key.data].endswith(b"\n"):
                    assert waiting.pop(key.data) == b"ok\n"
                    selector.unregister(key.fileobj)
                elif waiting[key.data] == b"":
                    raise AssertionError("closed")
        selector.close()
        os.write(ready, b"%d" % turn)
        if turn == 0:
            selectors.SelectSelector().select(max(0.0, begun + 1 - time.monotonic()))
    for sock in clients.values():
        sock.close()


def fork(function, *arguments):
    """A child process that runs the function; its id."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException as error:  # pylint: disable=broad-except
            print(f"crowd: {error!r}", file=sys.stderr)
        finally:
            os._exit(status)
    return pid


class Crowd(unittest.TestCase):
    def setUp(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
            self.skipTest(f"needs {DESCRIPTORS} descriptors, the limit is {hard}")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, DESCRIPTORS), hard))

    def test_ten_thousand_clients(self):
        journal = journald.Journal(self)
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], journal=journal)
        before = net.socket_count(daemon.pid)
        said, ready = os.pipe()
        go, start = os.pipe()
        children = [fork(crowd, daemon.address(), range(n, CLIENTS, PROCESSES), ready, go) for n in range(PROCESSES)]
        os.close(ready)
        self.addCleanup(os.close, said)
        self.addCleanup(os.close, start)
        self.addCleanup(os.close, go)
        try:
            self.assertEqual(self.read(said, PROCESSES), b"c" * PROCESSES)
            # All are connected at once: none has been closed or refused.
            net.wait_until(lambda: net.socket_count(daemon.pid) == before + CLIENTS, what="all to be accepted")
            os.write(start, b"g" * PROCESSES)
            self.assertEqual(sorted(self.read(said, 2 * PROCESSES)), sorted(b"01" * PROCESSES))
        finally:
            statuses = [os.waitpid(child, 0)[1] for child in children]
        self.assertEqual(statuses, [0] * PROCESSES)
        net.wait_until(lambda: net.socket_count(daemon.pid) == before, what="all to be closed")
        entries = journal.wait_for(2 * CLIENTS, "MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46")
        self.assertEqual(len(entries), 2 * CLIENTS)
        self.assertEqual(sorted(e.one("ANSWERD_DATA") for e in entries),
                         sorted(message(client, turn) for client in range(CLIENTS) for turn in range(2)))
        self.assertEqual(len({e.one("ANSWERD_ID") for e in entries}), 2 * CLIENTS)
        self.assertEqual(len({e.one("ANSWERD_CONNECTION") for e in entries}), CLIENTS)
        daemon.stop()

    @staticmethod
    def read(fd, count):
        data = b""
        while len(data) < count:
            piece = os.read(fd, count - len(data))
            if not piece:
                break
            data += piece
        return data


if __name__ == "__main__":
    tap.main()
