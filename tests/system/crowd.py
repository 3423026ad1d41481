# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients at work while the daemon is disturbed, and an account of each.

They run in their own process inside the network of the container: a rate of new connections, each of which asks once,
and some that stay and keep asking. All messages differ, so each can be found in the journal afterwards.
"""

import collections
import errno
import multiprocessing
import os
import select
import socket
import time

import net
import nspawn

PATIENCE = net.TIMEOUT  # A client without a reply by then counts as "late".
PAUSE = 0.02  # Between a reply and the next question of a lasting client.


class Result:
    """The account of the clients."""

    def __init__(self):
        self.answered = []  # messages, in the order of replies
        self.failed = collections.Counter()  # kind: how often
        self.longest_gap = 0.0  # seconds between two replies to any clients
        self.lost_connections = 0  # of lasting clients
        self.connections = 0


class _Client:
    __slots__ = ("sock", "message", "connected", "stays", "due", "reply")

    def __init__(self, sock, message, stays, due):
        self.sock, self.message, self.stays, self.due = sock, message, stays, due
        self.connected, self.reply = False, b""


class _Crowd:
    def __init__(self, port, rate, staying, prefix):
        self.port, self.rate, self.prefix = port, rate, prefix
        self.result = Result()
        self.poll = select.epoll()
        self.clients = {}
        self.resting = collections.deque()  # (when to ask again, client)
        self.count = 0
        self.last_answer = time.monotonic()
        self.stopping = False
        for _ in range(staying):
            self.open(stays=True)

    def message(self):
        self.count += 1
        return b"%s-%d" % (self.prefix, self.count)

    def open(self, stays=False):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        client = _Client(sock, self.message(), stays, time.monotonic() + PATIENCE)
        self.result.connections += 1
        status = sock.connect_ex(("127.0.0.1", self.port))
        if status not in (0, errno.EINPROGRESS):
            self.end(client, errno.errorcode[status])
            return
        self.clients[sock.fileno()] = client
        self.poll.register(sock.fileno(), select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def end(self, client, failure=None):
        self.clients.pop(client.sock.fileno(), None)
        client.sock.close()
        if failure:
            self.result.failed[failure] += 1
        if client.stays and not self.stopping:
            self.result.lost_connections += 1
            self.open(stays=True)

    def ready(self, client):
        """Reads to EAGAIN: the edge of a reply may be the edge of the end, too."""
        try:
            if not client.connected:
                status = client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if status:
                    self.end(client, errno.errorcode[status])
                    return
                client.connected = True
                client.sock.send(client.message + b"\n")
            while client.sock.fileno() >= 0:
                data = client.sock.recv(4096)
                if not data:
                    self.end(client, "EOF" if client.message else None)
                    return
                client.reply += data
                if client.reply.endswith(b"\n"):
                    self.answer(client)
        except BlockingIOError:
            return
        except OSError as error:
            self.end(client, errno.errorcode[error.errno] if client.message else None)

    def answer(self, client):
        now = time.monotonic()
        if client.reply != b"ok\n" or client.message is None:
            self.result.failed["wrong reply"] += 1
        self.result.longest_gap = max(self.result.longest_gap, now - self.last_answer)
        self.last_answer = now
        self.result.answered.append(client.message)
        client.message, client.reply = None, b""
        if client.stays:
            client.due = float("inf")
            self.resting.append((now + PAUSE, client))
        else:
            self.end(client)

    def ask_again(self, now):
        while self.resting and self.resting[0][0] <= now:
            _, client = self.resting.popleft()
            if client.sock.fileno() not in self.clients:
                continue
            client.message, client.due = self.message(), now + PATIENCE
            try:
                client.sock.send(client.message + b"\n")
            except OSError as error:
                self.end(client, errno.errorcode[error.errno])

    def run(self, control):
        begun, opened = time.monotonic(), 0
        while True:
            now = time.monotonic()
            if not self.stopping and control.poll():
                self.stopping = True
            if self.stopping and not any(c.message for c in self.clients.values()):
                return
            if not self.stopping:
                # No more than the rate, even after a delay.
                opened = max(opened, int((now - begun) * self.rate) - self.rate // 10)
                while opened < (now - begun) * self.rate:
                    opened += 1
                    self.open()
                self.ask_again(now)
            for client in [c for c in self.clients.values() if c.due < now]:
                self.end(client, "late")
            for number, _ in self.poll.poll(0.005, 512):
                client = self.clients.get(number)
                if client is not None:
                    self.ready(client)


def _child(control, namespace, port, rate, staying, prefix):
    with open(namespace, "rb") as network:
        nspawn.enter_network(network)
    crowd = _Crowd(port, rate, staying, prefix)
    crowd.run(control)
    for client in list(crowd.clients.values()):
        client.sock.close()
    control.send(crowd.result)


class Load:
    """Starts the clients. stop() waits for due replies and returns the Result."""

    def __init__(self, test, container, port=8080, rate=1000, staying=20):
        context = multiprocessing.get_context("fork")
        self._control, theirs = context.Pipe()
        prefix = os.urandom(6).hex().encode()
        self._process = context.Process(
            target=_child, daemon=True,
            args=(theirs, f"/proc/{container.leader}/ns/net", port, rate, staying, prefix))
        self._process.start()
        theirs.close()
        test.addCleanup(self._end)

    def stop(self):
        self._control.send("stop")
        result = self._control.recv()
        self._process.join(10)
        return result

    def _end(self):
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._control.close()
