# SPDX-License-Identifier: LGPL-2.1-or-later
"""journald stops for a minute under load: memory stays, and work resumes at once."""

import time
import unittest

import journald
import net
import tap
from daemon import Daemon
from test_journal import records
from witness import Flood, Steady, expect_recorded, sanitized

PAUSE = 60.0
CLIENTS = 200
FLOODERS = 4
CONFIG = """
[Server]
Workers=2
MemoryLimit=32M
[Listener default]
Listen=127.0.0.1:0
Record=journal
"""


class Paused(unittest.TestCase):
    def test_a_minute(self):
        journal = journald.Journal(self)
        daemon = Daemon(self, [], config=CONFIG, journal=journal)
        with Steady(daemon.address(), CLIENTS) as steady, \
                Flood(daemon.address(), FLOODERS, padding=1000) as flood:
            steady.wait_for_more(CLIENTS * 5)
            before = net.forget_peak(daemon.pid)
            journal.pause_until_full()
            used = net.cpu_seconds(daemon.pid)
            steady.expect_stalled(PAUSE)
            peak, used = net.status_kib(daemon.pid, "VmHWM") * 1024, net.cpu_seconds(daemon.pid) - used
            resumed = time.monotonic()
            journal.resume()
            steady.wait_for_more(1, 1 + net.LATE)
            took = time.monotonic() - resumed
            steady.wait_for_more(CLIENTS * 5)
            steady.stop()
            flood.stop()
        print(f"# {PAUSE:.0f} s without a journal: {(peak - before) / 1024:.0f} KiB more memory, {used:.2f} s of "
              f"processor time; a reply {took * 1000:.0f} ms after it went on")
        if not sanitized():
            self.assertLess(peak - before, 32 << 20)
        self.assertLess(used, PAUSE * 0.05)
        self.assertEqual((steady.refused, steady.lost, steady.wrong), (0, 0, 0))
        expect_recorded(self, steady.messages() + flood.messages(), records(journal))
        daemon.stop()


if __name__ == "__main__":
    tap.main()
