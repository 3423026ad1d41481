# SPDX-License-Identifier: LGPL-2.1-or-later
"""The time of day is set a year ahead and back: timeouts stay exact."""

import os
import re
import struct
import tempfile
import time
import unittest

import net
from daemon import Daemon
from witness import preload

YEAR = 365 * 24 * 3600
SPAN = 2.0
CONFIG = f"""
[Listener default]
Listen=127.0.0.1:0
Reply={{time}}
IdleTimeout={SPAN:g}s
MessageTimeout={SPAN:g}s
RateLimit=1
"""


class Clock(unittest.TestCase):
    def setUp(self):
        library = preload(self, "shift-clock.so")
        directory = tempfile.TemporaryDirectory(prefix="ac", dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "shift")
        with open(self.path, "wb") as file:
            file.write(struct.pack("q", 0))
        self.daemon = Daemon(self, [], config=CONFIG,
                             wrapper=["env", "LD_PRELOAD=" + library, "SHIFT_CLOCK=" + self.path])

    def set_clock(self, seconds):
        # In place: the daemon has mapped the file.
        with open(self.path, "r+b") as file:
            file.write(struct.pack("q", seconds))

    def connect(self, data):
        client = self.daemon.connect()
        self.addCleanup(client.close)
        client.sendall(data)
        return client

    def shown(self, client):
        """The year in the reply. It tells whether the daemon sees the changed clock."""
        return int(re.match(rb"(\d{4})-", net.recv_line(client)).group(1))

    def check(self, seconds):
        begun = time.monotonic()
        quiet, unfinished, paced = self.connect(b"x\n"), self.connect(b"x\ny"), self.connect(b"x\ny\n")
        before = [self.shown(c) for c in (quiet, unfinished, paced)]
        self.set_clock(seconds)
        # The pause of the rate limit is a second, neither shorter nor a year.
        after = self.shown(paced)
        self.assertTrue(0.9 <= time.monotonic() - begun < 1 + net.LATE, time.monotonic() - begun)
        self.assertEqual(after - before[0], round(seconds / YEAR))
        self.assertEqual(net.recv_until_eof(unfinished), b"error: message not complete in time\n")
        self.assertEqual(net.recv_until_eof(quiet), b"")
        self.assertTrue(SPAN * 0.9 <= time.monotonic() - begun < SPAN + net.LATE, time.monotonic() - begun)
        self.set_clock(0)

    def test_forth(self):
        self.check(YEAR)
        self.daemon.stop()

    def test_back(self):
        self.check(-YEAR)
        self.daemon.stop()


if __name__ == "__main__":
    unittest.main()
