# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients with countable messages, for the abuse tests.

A message is `CLIENT-NUMBER`, so lost, doubled and reordered messages can be told apart.
"""

import collections
import contextlib
import os
import re
import select
import socket
import threading
import time

import net
from daemon import sanitized
from journal_socket import JournalSocket, decode  # pylint: disable=unused-import


class Scope:
    """Takes the place of a test for a fixture: cleanups run at the end of the `with` block."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self.addCleanup = self._stack.callback

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return self._stack.__exit__(*exception)


class Steady:
    """Clients with one message each in flight at any time, in a thread: `with Steady(address) as load:`.

    A lost connection is made again, and its message without a reply counts as unanswered.
    """

    def __init__(self, address, clients=20, name="c"):
        self._address, self._count, self._name = address, clients, name
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = collections.defaultdict(list)  # by client, in order
        self.replies = []  # times
        self.refused = self.lost = self.wrong = 0
        self.failure = None

    def __enter__(self):
        self._thread.start()
        net.wait_until(lambda: self.failure or len(self.replies) >= self._count, what="the first replies")
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stops. Messages in flight get their replies first."""
        self._stop.set()
        self._thread.join(timeout=2 * net.TIMEOUT)
        if self._thread.is_alive():
            raise AssertionError("the clients wait for their replies still")
        if self.failure:
            raise self.failure

    def wait_for_more(self, replies, timeout=net.TIMEOUT):
        """Returns once that many more replies have come."""
        wanted = len(self.replies) + replies
        net.wait_until(lambda: self.failure or len(self.replies) >= wanted, timeout,
                       f"{replies} more replies", interval=0.001)

    def expect_stalled(self, seconds):
        """Fails if more replies come in this time than were in flight, one per client."""
        most = len(self.replies) + self._count
        deadline = time.monotonic() + seconds
        net.wait_until(lambda: self.failure or len(self.replies) > most or time.monotonic() >= deadline,
                       seconds + net.TIMEOUT, "the time to pass", interval=0.1)
        if len(self.replies) > most:
            raise AssertionError(f"{len(self.replies) - most} replies too many")

    def gap_after(self, moment):
        """The longest time without any reply, from `moment` on."""
        times = [moment] + [t for t in self.replies if t > moment]
        return max((b - a for a, b in zip(times, times[1:])), default=float("inf"))

    def messages(self):
        return [m for each in list(self.answered.values()) for m in each]

    def _run(self):
        try:
            Conversation(self).run()
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error


class Conversation:
    """The thread of Steady."""

    def __init__(self, load):
        self._load = load
        self._poll = select.epoll()
        self._clients = {}

    def run(self):
        load = self._load
        for index in range(load._count):
            self._connect(index, 0)
        ending = 0.0
        while self._clients:
            if load._stop.is_set():
                ending = ending or time.monotonic() + net.TIMEOUT
                if time.monotonic() > ending:
                    raise AssertionError(f"{len(self._clients)} messages have no reply in the end")
            for fd, _ in self._poll.poll(0.1):
                self._receive(fd)
        self._poll.close()

    def _connect(self, index, number):
        try:
            sock = net.connect(self._load._address)
        except (ConnectionError, FileNotFoundError):
            self._load.refused += 1
            return
        self._clients[sock.fileno()] = [sock, index, number]
        self._poll.register(sock, select.EPOLLIN)
        self._send(sock, index, number)

    def _send(self, sock, index, number):
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"%s%d-%d\n" % (self._load._name.encode(), index, number))

    def _receive(self, fd):
        load = self._load
        sock, index, number = self._clients[fd]
        try:
            data = sock.recv(100)
        except ConnectionError:
            data = b""
        if data == b"ok\n":
            load.replies.append(time.monotonic())
            load.answered[index].append(b"%s%d-%d" % (load._name.encode(), index, number))
            if not load._stop.is_set():
                self._clients[fd][2] += 1
                self._send(sock, index, number + 1)
                return
        elif data:
            load.wrong += 1
        else:
            load.lost += 1
        del self._clients[fd]
        sock.close()
        if not load._stop.is_set():
            self._connect(index, number + 1)


class Flood:
    """Clients that send messages as fast as they are taken and read the replies, in a thread: `with Flood(...)`.

    The messages of a client are numbered and answered in order: n replies answer the first n.
    """

    BATCH = 50

    def __init__(self, address, clients=1, name="f", padding=0):
        self._address, self._count, self._name = address, clients, name
        self._padding = b"." * padding
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answered = [0] * clients
        self.failure = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Stops. Messages in flight get their replies first."""
        self._stop.set()
        self._thread.join(timeout=2 * net.TIMEOUT)
        if self._thread.is_alive():
            raise AssertionError("the flood did not end")
        if self.failure:
            raise self.failure

    def messages(self):
        return [self._message(i, n) for i, count in enumerate(self.answered) for n in range(count)]

    def _message(self, client, number):
        return b"%s%d-%d%s" % (self._name.encode(), client, number, self._padding)

    def _run(self):
        try:
            with contextlib.ExitStack() as stack:
                self._converse([stack.enter_context(net.connect(self._address)) for _ in range(self._count)])
        except Exception as error:  # pylint: disable=broad-except
            self.failure = error

    def _converse(self, clients):
        poll, rest = select.epoll(), {}
        numbers, octets, index = [0] * len(clients), [0] * len(clients), {}
        for i, client in enumerate(clients):
            client.setblocking(False)
            index[client.fileno()] = i
            poll.register(client, select.EPOLLIN | select.EPOLLOUT)
        while index:
            for fd, events in poll.poll(0.1):
                i = index[fd]
                if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                    data = clients[i].recv(1 << 16)
                    octets[i] += len(data)
                    self.answered[i] = octets[i] // len(b"ok\n")
                    if not data:
                        poll.unregister(fd)
                        del index[fd]
                        continue
                if events & select.EPOLLOUT:
                    self._send(poll, clients[i], i, rest, numbers)
        poll.close()

    def _send(self, poll, client, i, rest, numbers):
        if not rest.get(i):
            if self._stop.is_set():
                client.shutdown(socket.SHUT_WR)
                poll.modify(client, select.EPOLLIN)
                return
            rest[i] = b"".join(self._message(i, numbers[i] + n) + b"\n" for n in range(self.BATCH))
            numbers[i] += self.BATCH
        with contextlib.suppress(BlockingIOError):
            rest[i] = rest[i][client.send(rest[i]):]


def expect_recorded(test, answered, records):
    """Every answered message was recorded once, and none was recorded twice."""
    counts = collections.Counter(records)
    lost = [m for m in answered if counts[m] == 0]
    doubled = [m for m, n in counts.items() if n > 1]
    test.assertFalse(lost[:10], f"{len(lost)} of {len(answered)} answered messages are not written down")
    test.assertFalse(doubled[:10], f"{len(doubled)} messages are written down more than once")


def preload(test, name):
    """The path of a built library to preload. Skips the test if it cannot be preloaded."""
    path = os.path.join(os.environ.get("top_builddir", "."), "tests", "abuse", name)
    if not os.path.exists(path):
        test.skipTest(f"{name} is not built here")
    if sanitized():
        test.skipTest("a sanitizer has to be the first library of its program")
    return path


def strace(*options):
    """A wrapper for Daemon. The tracer is not a child of the test, so the daemon is."""
    # The leak check uses ptrace(), which only one tracer can.
    leaks = "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return ["env", leaks, "strace", "-D", "-f", "-qq", *options]


def log_lines(daemon, pattern):
    """The log lines so far that match."""
    return [line for line in daemon.stderr.lines if re.search(pattern, line)]


def answers(address, message=b"still there?\n", timeout=net.TIMEOUT):
    """Whether a new connection's message is answered."""
    return net.exchange(address, message, timeout).endswith(b"ok\n")
