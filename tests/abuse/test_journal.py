# SPDX-License-Identifier: LGPL-2.1-or-later
"""journald restarts, is away at the start, and goes away under load: replies wait, and nothing is lost or doubled."""

import time
import unittest

import journald
import net
from daemon import Daemon
from witness import Steady, decode, expect_recorded

RESTARTS = 10
STALL = 0.25
ATTEMPTS = 10  # to see one restart below the limit, on a busy machine
BACK = 2.0 + net.LATE
CLIENTS = 20


def records(journal):
    journal.sync()
    return [e.one("ANSWERD_DATA") for e in journal.entries("SYSLOG_IDENTIFIER=answerd") if "ANSWERD_DATA" in e]


class Journal(unittest.TestCase):
    def setUp(self):
        self.journal = journald.Journal(self)

    def start(self):
        return Daemon(self, ["--listen=127.0.0.1:0", "--record=journal"], journal=self.journal)

    def stall(self, load):
        """How much longer a restart left clients without replies than it left the machine without journald."""
        begun = time.monotonic()
        self.journal.restart()
        outage = time.monotonic() - begun
        load.wait_for_more(20)
        gap = load.gap_after(begun)
        print(f"# journald was away for {outage * 1000:.0f} ms, no reply came for {gap * 1000:.0f} ms")
        return gap - outage

    def test_restarts(self):
        daemon = self.start()
        with Steady(daemon.address()) as load:
            for _ in range(RESTARTS):
                self.assertTrue(any(self.stall(load) < STALL for _ in range(ATTEMPTS)))
            load.stop()
        self.assertEqual((load.refused, load.lost, load.wrong), (0, 0, 0))
        expect_recorded(self, load.messages(), records(self.journal))
        daemon.stop()

    def test_away_at_start(self):
        self.journal.remove_socket()
        daemon = self.start()
        client = daemon.connect()
        self.addCleanup(client.close)
        client.sendall(b"early\n")
        daemon.stderr.wait_for("the journal is away")
        client.setblocking(False)
        with self.assertRaises(BlockingIOError):
            client.recv(1)
        self.journal.create_socket()
        self.journal.start()
        self.assertEqual(net.recv_exactly(client, 3, BACK), b"ok\n")
        self.assertEqual(records(self.journal), [b"early"])
        daemon.stop()

    def test_vanishes_under_load(self):
        daemon = self.start()
        left = []
        with Steady(daemon.address(), CLIENTS) as load:
            for _ in range(3):
                left += self.journal.remove_socket()
                gone, before = time.monotonic(), len(load.replies)
                daemon.stderr.wait_for("the journal is away", count=1)
                net.wait_until(lambda: time.monotonic() - gone > 0.5, what="time to go by")
                # Replies for entries handed over before may still be in flight, one for each client, and no others.
                self.assertLessEqual(len(load.replies), before + CLIENTS)
                self.journal.create_socket()
                self.journal.start()
                load.wait_for_more(100, BACK)
            load.stop()
        self.assertEqual((load.refused, load.lost, load.wrong), (0, 0, 0))
        # Entries in the socket when it was removed had been handed over.
        handed = [decode(entry).get("ANSWERD_DATA", [b""])[0] for entry in left]
        expect_recorded(self, load.messages(), records(self.journal) + [m for m in handed if m])
        daemon.stop()


if __name__ == "__main__":
    unittest.main()
