# SPDX-License-Identifier: LGPL-2.1-or-later
"""Record=log under systemd: the state folder, death and reboot under load, a full disk."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import crowd
import net
import record_log
import tap

FOLDER = "/var/lib/private/answerd"
CONFIG = "[Log]\nSegmentSize=1M\n{more}\n[Listener default]\nRecord=log\n"

system = None


def setUpModule():
    global system
    system = booted.start()


def start(more=""):
    system.container.write("/etc/answerd/answerd.conf", CONFIG.format(more=more))
    system.run("systemctl restart answerd.socket && systemctl restart answerd.service")


def recorded():
    """The messages in the log. Only while the daemon rests, or is gone."""
    return [record.data for record in record_log.read(system.container.path(FOLDER))]


def last_number():
    """Of the last record, also while others come."""
    found = [r for path in record_log.segments(system.container.path(FOLDER))[-2:] for r in record_log.read_segment(path)]
    return found[-1].number if found else 0


class Log(unittest.TestCase):
    def account(self, result):
        found = recorded()
        self.assertGreater(len(result.answered), 500)
        self.assertEqual(len(set(found)), len(found))
        missing = set(result.answered) - set(found)
        self.assertEqual(missing, set(), f"{len(missing)} of {len(result.answered)} answered messages are missing")

    def test_state_folder(self):
        start()
        self.assertEqual(system.ask(b"hello"), b"ok\n")
        self.assertIn(b"hello", recorded())
        self.assertEqual(system.run(f"stat -c %a {FOLDER}").strip(), "700")
        # The folder and its files stay when the service's user is gone.
        system.run("systemctl stop answerd.socket answerd.service")
        start()
        system.ask(b"again")
        self.assertEqual(recorded()[-2:], [b"hello", b"again"])

    def test_kill_under_load(self):
        start()
        clients = crowd.Load(self, system.container)
        for number in range(10):
            before = system.main_pid()
            system.run(f"kill -KILL {before}")
            system.ask(b"after kill %d" % number, timeout=crowd.PATIENCE)
            net.wait_until(lambda: system.main_pid() not in (0, before), what="a new process")
        result = clients.stop()
        system.run("systemctl stop answerd.socket answerd.service")
        self.account(result)

    def test_reboot_under_load(self):
        start()
        system.run("systemctl enable answerd.service")
        for life in range(3):
            clients = crowd.Load(self, system.container)
            number = last_number()
            net.wait_until(lambda: last_number() > number + 1000, what="records")
            system.container.reboot()
            result = clients.stop()
            system.run("systemctl stop answerd.socket answerd.service")
            self.account(result)
            system.run("systemctl start answerd.socket answerd.service")
            self.assertEqual(system.ask(b"back %d" % life), b"ok\n")

    def test_full_disk(self):
        system.run(f"systemctl stop answerd.socket answerd.service; rm -rf {FOLDER}/*")
        system.run("mkdir -p /small && mount -t tmpfs -o size=4M,mode=1777 tmpfs /small")
        system.drop_in("answerd.service", "[Service]\nReadWritePaths=/small\nBindPaths=/small\n")
        start("Directory=/small/log\nKeepFree=0\nMaxUse=60M\nWhenFull=wait")
        try:
            with system.connect(booted.PORT) as client:
                client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(3000)))
                net.wait_until(lambda: "has no room" in system.run("journalctl -q -t answerd"), what="the log to be full")
                system.run("mount -o remount,size=64M /small")
                self.assertEqual(net.recv_exactly(client, 3 * 3000), b"ok\n" * 3000)
            system.run("systemctl stop answerd.socket answerd.service")
            system.run("cp -r /small/log /var/copy")
            found = record_log.read(system.container.path("/var/copy"))
            self.assertEqual([int(r.data.split()[0]) for r in found], list(range(3000)))
        finally:
            system.drop_in("answerd.service", "")


if __name__ == "__main__":
    tap.main()
