# SPDX-License-Identifier: LGPL-2.1-or-later
"""answerlog -o export, read by the real systemd-journal-remote: journalctl --file then shows every byte."""

import os
import random
import subprocess
import unittest

import daemon
import journal_export
import logreading
import net
import tap
from journal_socket import JournalSocket
from logreading import Log, objects, run

REMOTE = "/lib/systemd/systemd-journal-remote"
# What journalctl adds to an entry that it exports.
ADDRESS_FIELDS = ("__CURSOR", "__REALTIME_TIMESTAMP", "__MONOTONIC_TIMESTAMP", "_BOOT_ID")


@unittest.skipUnless(os.access(REMOTE, os.X_OK), "systemd-journal-remote is not installed")
class Export(unittest.TestCase):
    def read_back(self, data, folder):
        """The entries of a journal file that systemd-journal-remote makes of an export."""
        journal = os.path.join(folder, "exported.journal")
        subprocess.run([REMOTE, "-o", journal, "-"], input=data, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, timeout=logreading.DEADLINE)
        done = subprocess.run(["journalctl", "--file=" + journal, "--all", "--quiet", "-o", "export"], check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=logreading.DEADLINE)
        return journal_export.parse(done.stdout)

    def test_every_byte(self):
        chance = random.Random(11)
        data = [b"", bytes(range(256)), b"a\nPRIORITY=0\n\nb", b"\0", "größe".encode(), chance.randbytes(60000)]
        data += [chance.randbytes(chance.randrange(2000)) for _ in range(500)]
        log = Log(self, framing="length", segment_size="128K", max_message="64K")
        log.record(data)
        every = objects(log.folder)
        entries = self.read_back(run("-o", "export", log.folder), log.root)
        self.assertEqual(len(entries), len(data))
        for entry, message, described in zip(entries, data, every):
            self.assertEqual(entry.one("ANSWERD_DATA"), message)
            self.assertEqual(entry.text("ANSWERD_ID"), described["id"])
            self.assertEqual(entry.text("ANSWERD_PEER"), described["peer"])
            self.assertEqual(entry.text("ANSWERD_PEER_PORT"), described["port"])
            self.assertEqual(entry.text("ANSWERD_LISTENER"), "default")
            self.assertEqual(entry.text("PRIORITY"), "6")
            self.assertEqual(entry.text("SYSLOG_IDENTIFIER"), "answerd")
            fraction = entry.text("__REALTIME_TIMESTAMP")[-6:]
            self.assertTrue(described["time"].endswith(f".{fraction}Z"))

    def test_the_fields_are_those_of_the_journal(self):
        """The same messages, which a daemon sends to the journal, have the same fields."""
        journal = JournalSocket(self)
        other = daemon.Daemon(self, ["--listen=127.0.0.1:0", "--record=journal"], journal=journal)
        self.assertEqual(net.exchange(other.address(), b"one\nhalf"), b"ok\nok\n")
        log = Log(self)
        self.assertEqual(net.exchange(log.daemon.address(), b"one\nhalf"), b"ok\nok\n")

        def recorded():
            found = [e for e in journal.entries if "ANSWERD_DATA" in e]
            return found if len(found) == 2 else None

        wanted = net.wait_until(recorded, what="both entries")
        got = self.read_back(run("-o", "export", log.folder), log.root)
        self.assertEqual([sorted(k for k in e if k not in ADDRESS_FIELDS) for e in got],
                         [sorted(e) for e in wanted])


if __name__ == "__main__":
    tap.main()
