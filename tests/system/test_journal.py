# SPDX-License-Identifier: LGPL-2.1-or-later
"""The journal of the system is stopped, restarted, limited and full: the meaning of a reply then."""

import collections
import os
import random
import select
import signal
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import crowd
import net
import tap

STALL = 60.0
FLOOD = b"flood ".ljust(1023, b".") + b"\n"
# Without a setting for a service, journald accepts 10,000 messages in 30 s, and up to 4 times as many if the disk has
# room.
ABOVE_THE_USUAL_LIMIT = 60000

system = None


def setUpModule():
    global system
    system = booted.start()
    # The limit on starts is 5 in 10 s.
    system.drop_in("systemd-journald.service", "[Unit]\nStartLimitIntervalSec=0\n")
    system.run("systemctl start answerd.socket")


class Case(unittest.TestCase):
    def setUp(self):
        system.ask(b"first")

    def recorded(self, mark):
        return sum(m.startswith(mark + b" ") for m in system.messages())


class Journald(Case):
    def test_restarted_10_times(self):
        clients = crowd.Load(self, system.container, rate=500)
        for _ in range(10):
            system.run("systemctl restart systemd-journald.service")
            system.burst(500, b"between")
        result = clients.stop()
        print(f"{len(result.answered)} answers, longest gap {result.longest_gap * 1000:.0f} ms")
        self.assertEqual(dict(result.failed), {})
        self.assertGreater(len(result.answered), 100)
        self.assertEqual(self.recorded(b"between"), 5000)
        recorded = collections.Counter(system.messages())
        self.assertEqual([m for m in result.answered if recorded[m] != 1], [])

    def test_stopped_for_a_minute(self):
        pid = system.container.host_pid(int(system.show("systemd-journald.service", "MainPID")))
        daemon = system.container.host_pid(system.main_pid())
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(os.kill, pid, signal.SIGCONT)
        sent = answered = 0
        with system.connect(booted.PORT) as sock:
            # Until the replies stop: the queue of the journal socket is full.
            sock.settimeout(2)
            try:
                while sent < 100000:
                    sock.sendall(b"while stopped %d\n" % sent)
                    sent += 1
                    answered += net.recv_line(sock, 2) == b"ok\n"
            except AssertionError:
                pass
            self.assertLess(sent, 100000)
            self.assertEqual(answered, sent - 1)
            # Reading has stopped, too: TCP holds the client back before memory grows.
            sock.setblocking(False)
            flood, rss = 0, net.rss_bytes(daemon)
            deadline = time.monotonic() + STALL
            while time.monotonic() < deadline:
                try:
                    flood += sock.send(FLOOD * 100)
                except BlockingIOError:
                    select.select([], [sock], [], max(deadline - time.monotonic(), 0))
            self.assertLess(net.rss_bytes(daemon) - rss, 8 << 20)
            sock.setblocking(True)
            self.assertIn("journal", system.show("answerd.service", "StatusText"))
            os.kill(pid, signal.SIGCONT)
            begun = time.monotonic()
            self.assertEqual(net.recv_line(sock), b"ok\n")
            resumed = time.monotonic() - begun
            sock.shutdown(socket.SHUT_WR)
            # The flood may have been cut inside a line, which is a last message.
            rest = net.recv_until_eof(sock, 120)
        print(f"{answered} answered before the queue was full, {flood} bytes flooded, "
              f"answering again after {resumed * 1000:.0f} ms")
        self.assertLess(resumed, 1 + net.LATE)
        expected = answered + 1 + -(-flood // len(FLOOD))
        self.assertEqual(answered + 1 + rest.count(b"ok\n"), expected)
        recorded = collections.Counter(m.split(b" ")[0] for m in system.messages())
        self.assertEqual(recorded[b"while"], sent)


class Limits(Case):
    def test_a_burst_above_the_usual_rate_limit(self):
        system.burst(ABOVE_THE_USUAL_LIMIT, b"burst")
        self.assertEqual(self.recorded(b"burst"), ABOVE_THE_USUAL_LIMIT)

    def test_rate_limit_left_on_is_told_by_journald(self):
        self.addCleanup(system.run, "systemctl restart answerd.service")
        self.addCleanup(system.drop_in, "answerd.service", "")
        system.drop_in("answerd.service", "[Service]\nLogRateLimitIntervalSec=30s\nLogRateLimitBurst=100\n")
        system.run("systemctl restart answerd.service")
        system.burst(5000, b"limited")
        self.assertLess(self.recorded(b"limited"), 5000)
        # journald reports dropped messages when the interval is over and the next message comes.
        said = net.wait_until(
            lambda: system.ask(b"tick") and system.run(
                "journalctl -q -u systemd-journald -o cat -g 'Suppressed .* from answerd.service'",
                check=False), 60, "journald to say what it suppressed", interval=1)
        self.assertRegex(said, r"Suppressed \d+ messages from answerd\.service")

    def test_full_disk(self):
        """The journal takes entries that it cannot store: they are answered, and the daemon goes on."""
        self.addCleanup(system.run, "systemctl stop systemd-journald.service; umount /var/log/journal;"
                                    "systemctl start systemd-journald.service", check=False)
        system.run("mkdir -p /var/log/journal && mount -t tmpfs -o size=20M tmpfs /var/log/journal")
        system.run("systemctl restart systemd-journald.service && journalctl --flush")
        system.run("dd if=/dev/zero of=/var/log/journal/filler bs=64K 2>/dev/null", check=False)
        self.assertIn("100%", system.run("df /var/log/journal"))
        pid = system.main_pid()
        system.burst(20000, b"full")
        self.assertEqual(system.main_pid(), pid)
        self.assertEqual(system.ask(b"still here"), b"ok\n")


class Size(unittest.TestCase):
    PATH = "/etc/answerd/answerd.conf"
    JOURNALD = "/etc/systemd/journald.conf.d/size.conf"

    def restart(self):
        system.run("systemctl restart systemd-journald && systemctl restart answerd.socket answerd.service")

    def test_messages_above_what_the_journal_can_hold_are_warned_of(self):
        self.addCleanup(lambda: (system.run(f"rm -f {self.PATH} {self.JOURNALD}"), self.restart()))
        system.container.write(self.JOURNALD, "[Journal]\nSystemMaxUse=64M\nCompress=no\n")
        for size, lost in ("16M", True), ("7M", False):
            system.container.write(self.PATH, f"[Listener default]\nMaxMessageSize={size}\n")
            begun = time.time()
            self.restart()
            warning = f"{self.PATH}:2: MaxMessageSize={size} is too large for this journal: its files have at most 8388608"
            self.assertEqual(warning in system.run("answerd --check"), lost)
            system.run("journalctl --sync")
            self.assertEqual(warning in system.run(f"journalctl -q -o cat -u answerd --since=@{begun}"), lost)
            # As documented. Their number says nothing: journald removes older ones.
            with system.connect(booted.PORT, timeout=60) as sock:
                data = random.Random(1).randbytes((9 if lost else 7) * 1000000).replace(b"\n", b"\0") + b"\n"
                sock.sendall(data)
                self.assertEqual(net.recv_line(sock, 60), b"ok\n")
            self.assertEqual(data[:-1] in system.messages(), not lost)


if __name__ == "__main__":
    tap.main()
