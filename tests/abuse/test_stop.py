# SPDX-License-Identifier: LGPL-2.1-or-later
"""Told to end, and to end at once, while connections come: whatever a worker is doing, the others are still there."""

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
# Each accept4(2) takes so long, and so often somebody comes: then some workers find nobody, and end, while others have
# their hands full.
DELAY_US = 10000
PACE = 0.004


class Arrivals:
    """Connections that come one after the other, from a thread, until none is taken: `with Arrivals(address):`."""

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
