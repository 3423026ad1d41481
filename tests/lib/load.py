# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that ask without pause, from threads, and record the answered messages.

    with Load(connect, clients=8) as load:
        load.wait_answered(100)
    load.answered

Every message is unique. A message without a reply, because the connection broke, is in `unknown`: it may or may not be
in the journal.
"""

import threading
import time

import net


class Load:
    def __init__(self, connect, clients=8, burst=4, timeout=60.0):
        """connect() returns a connected socket. Each connection sends `burst` messages at once."""
        self._connect, self._burst, self._timeout = connect, burst, timeout
        self._stopping = threading.Event()
        self._change = threading.Condition()
        self.answered, self.unknown, self.failures = [], [], []
        self.longest_wait = 0.0
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def _run(self, number):
        turn = 0
        while not self._stopping.is_set():
            try:
                with self._connect() as sock:
                    sock.settimeout(self._timeout)
                    while not self._stopping.is_set():
                        turn += 1
                        self._ask(sock, [b"c%d t%d m%d" % (number, turn, i) for i in range(self._burst)])
            except OSError as error:
                if not isinstance(error, (ConnectionResetError, BrokenPipeError)):
                    with self._change:
                        self.failures.append(f"client {number}: {error!r}")
                        self._change.notify_all()
                    return

    def _ask(self, sock, messages):
        """Sends all at once, then reads the reply to each: `ok`, the daemon's default."""
        left, replies, begun = list(messages), b"", time.monotonic()
        try:
            sock.sendall(b"\n".join(messages) + b"\n")
            while left:
                piece = sock.recv(4096)
                if not piece:
                    raise ConnectionResetError
                replies += piece
                *lines, replies = replies.split(b"\n")
                with self._change:
                    for line in lines:
                        if line != b"ok":
                            self.failures.append(f"{left[0]!r} was answered {line!r}")
                        self.answered.append(left.pop(0))
                    self._change.notify_all()
        finally:
            with self._change:
                self.unknown += left
                self.longest_wait = max(self.longest_wait, time.monotonic() - begun)

    def wait_answered(self, more, timeout=net.TIMEOUT):
        """Waits until that many more were answered; fails if the time is over. Returns the seconds it took."""
        begun = time.monotonic()
        with self._change:
            goal = len(self.answered) + more
            done = self._change.wait_for(lambda: len(self.answered) >= goal or self.failures, timeout)
            if self.failures or not done:
                raise AssertionError(f"{len(self.answered)} of {goal} answered in {timeout} s; {self.failures}")
        return time.monotonic() - begun

    def expect_stalled(self, seconds=0.5):
        """Fails if in this time more is answered than was in flight: the messages that each client sends at once."""
        most = len(self.answered) + len(self._threads) * self._burst
        with self._change:
            if self._change.wait_for(lambda: len(self.answered) > most, seconds):
                raise AssertionError(f"answers go on, though nothing is taken: {len(self.answered)} after {most}")

    def stop(self):
        """Waits until each client has its replies."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(self._timeout)
            if thread.is_alive():
                raise AssertionError("a client waits for its replies")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()

    def check(self, entries, lost=0):
        """Every answered message is there exactly once, except `lost` of them. Others are there at most once."""
        if self.failures:
            raise AssertionError(self.failures)
        counts = {}
        for entry in entries:
            data = entry.one("ANSWERD_DATA")
            counts[data] = counts.get(data, 0) + 1
        missing = [m for m in self.answered if m not in counts]
        doubled = [m for m, n in counts.items() if n > 1]
        strange = set(counts) - set(self.answered) - set(self.unknown)
        if doubled or strange or len(missing) > lost:
            raise AssertionError(f"of {len(self.answered)} answered: {len(missing)} missing {missing[:5]}, "
                                 f"{len(doubled)} doubled {doubled[:5]}, {len(strange)} strange")
        return len(missing)
