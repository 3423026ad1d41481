# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stop and an immediate stop while connections arrive: whatever a worker is doing, the others still exist."""

import contextlib
import shutil
import signal
import threading
import unittest

import net
import tap
from daemon import Daemon
from witness import strace

ROUNDS = 12
WORKERS = 3
# Slow accept4(2) calls, with clients arriving at this pace: some workers find none and end while others are busy.
DELAY_US = 10000
PACE = 0.004


class Arrivals:
    """Connects again and again from a thread until refused: `with Arrivals(address):`."""

    def __init__(self, address):
        self._address, self._clients, self._stop = address, [], threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        with contextlib.suppress(ConnectionError):
            while not self._stop.wait(PACE):
                self._clients.append(net.connect(self._address))

    def __enter__(self):
        self._thread.start()
        net.wait_until(lambda: len(self._clients) >= 2 * WORKERS, what="the first to come")

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for client in self._clients:
            client.close()


@unittest.skipUnless(shutil.which("strace"), "strace is needed")
class Stop(unittest.TestCase):
    def test_both_signals_while_connections_come(self):
        for _ in range(ROUNDS):
            daemon = Daemon(self, ["--listen=127.0.0.1:0", f"--workers={WORKERS}"],
                            wrapper=strace("-o", "/dev/null", "-e", "trace=accept4",
                                           "-e", f"inject=accept4:delay_enter={DELAY_US}"))
            with Arrivals(daemon.address()):
                daemon.signal(signal.SIGTERM)
                daemon.signal(signal.SIGINT)
                daemon.expect_exit(0)


if __name__ == "__main__":
    tap.main()
