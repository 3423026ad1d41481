# SPDX-License-Identifier: LGPL-2.1-or-later
"""answerlog on a log that is damaged, and answerlog --verify: what is missing is named, the rest is shown."""

import os
import re
import shutil
import unittest

import logreading
import tap
from daemon import Output
from load import Load
from logreading import Log, messages, objects, run

HEAD = 4096
PLAIN = [b"message %d" % i for i in range(2000)]


class Verify(unittest.TestCase):
    def setUp(self):
        self.log = Log(self)
        self.log.record(PLAIN)
        self.folder = self.log.folder

    def verify(self, folder=None, status=0, error=""):
        return run("--verify", folder or self.folder, status=status, error=error).decode()

    def first_number(self, path):
        """Of a complete segment: its head has the number of its first record."""
        with open(path, "rb") as file:
            return int.from_bytes(file.read(56)[48:], "little")

    def test_a_sound_log(self):
        text = self.verify()
        self.assertIn("segments, 2000 records\n", text)
        self.assertRegex(text, r"(?m)^first record: number 1, \d{4}-\d\d-\d\d ")
        self.assertRegex(text, r"(?m)^last record: number 2000, ")
        self.assertRegex(text, r"(?m)^segment \d+ is incomplete")
        self.assertIn("no damage\n", text)
        self.log.daemon.stop()
        text = self.verify()
        self.assertIn("known to be synced: up to number 2000\n", text)
        self.assertNotIn("incomplete", text)

    def test_while_the_daemon_writes(self):
        with Load(self.log.daemon.connect, clients=4, burst=16) as load:
            for _ in range(5):
                self.assertIn("no damage\n", self.verify())
                found = [o["number"] for o in objects(self.folder)]
                self.assertEqual(found, list(range(1, len(found) + 1)))
                last = objects("-n", "50", self.folder)
                self.assertEqual(len(last), 50)
            load.wait_answered(100)
        self.assertEqual(load.failures, [])

    def test_a_killed_daemon_leaves_no_damage(self):
        self.log.daemon.kill()
        text = self.verify()
        self.assertIn("2000 records\n", text)
        self.assertIn("no damage\n", text)
        self.assertNotIn("unfinished", text)
        # It was writing a record when it was killed.
        last = self.log.segments()[-1]
        with open(last, "r+b") as file:
            data = file.read()
            # The last record ends with its size, below 256, so with three zeros.
            end = len(data.rstrip(b"\0")) + 3
            file.seek(end)
            file.write(os.urandom(4) + b"\x80\0\0\0" + os.urandom(40))
        text = self.verify()
        self.assertRegex(text, r"(?m)^it ends with \d+ bytes of an unfinished record$")
        self.assertIn("no damage\n", text)
        self.assertEqual(messages(self.folder), PLAIN)

    def test_a_damaged_record(self):
        segments = self.log.segments()
        number = self.first_number(segments[1])
        logreading.damage(segments[1], HEAD + 60)
        error = f"answerlog: segment 2 is damaged; record {number} is missing\n"
        self.assertIn("damaged: 1 gap, at least 1 record missing\n", self.verify(status=1, error=error))
        left = [m for i, m in enumerate(PLAIN, 1) if i != number]
        self.assertEqual(messages(self.folder, status=1, error=error), left)
        self.assertEqual(messages("-r", self.folder, status=1, error=error), left[::-1])
        self.assertEqual(messages("-n", "1900", self.folder, status=1, error=error), left[-1900:])
        # The damage is not where this looks.
        self.assertEqual(messages("-n", "10", self.folder), left[-10:])

    def test_a_damaged_record_of_the_newest_segment(self):
        self.log.daemon.stop()
        self.log.start()
        for part in range(3):
            self.log.record([b"new %d" % part])
        logreading.damage(self.log.segments()[-1], HEAD + 60)
        error = f"answerlog: segment {len(self.log.segments())} is damaged; record 2001 is missing\n"
        self.assertEqual(messages("-n", "2", self.folder), [b"new 1", b"new 2"])
        self.assertEqual(messages(self.folder, status=1, error=error), PLAIN + [b"new 1", b"new 2"])

    def test_a_segment_that_is_missing(self):
        segments = self.log.segments()
        first, after = self.first_number(segments[1]), self.first_number(segments[2])
        os.unlink(segments[1])
        error = f"answerlog: segment 2 was not found; records {first} to {after - 1} are missing\n"
        self.verify(status=1, error=error)
        self.assertEqual(messages(self.folder, status=1, error=error), PLAIN[:first - 1] + PLAIN[after - 1:])

    def test_a_segment_whose_head_is_damaged(self):
        segments = self.log.segments()
        first, after = self.first_number(segments[1]), self.first_number(segments[2])
        logreading.damage(segments[1], 100)
        error = ("answerlog: segment 2 cannot be read: damaged, or from a newer version; "
                 f"records {first} to {after - 1} are missing\n")
        self.assertEqual(messages(self.folder, status=1, error=error), PLAIN[:first - 1] + PLAIN[after - 1:])
        self.verify(status=1, error=error)

    @unittest.skipUnless(shutil.which("strace"), "strace is needed")
    def test_a_segment_that_the_disk_cannot_read(self):
        segments = self.log.segments()
        first, after = self.first_number(segments[1]), self.first_number(segments[2])
        error = ("answerlog: segment 2 (0000000002.log) cannot be read: Input/output error; "
                 f"records {first} to {after - 1} are missing\n")
        left = PLAIN[:first - 1] + PLAIN[after - 1:]
        # Its head; or its records, behind the head and the index.
        for when in "1+", "4+":
            disk = logreading.unreadable(segments[1], when)
            self.assertEqual(messages(self.folder, status=1, error=error, wrapper=disk), left)
            self.assertEqual(messages("-r", self.folder, status=1, error=error, wrapper=disk), left[::-1])
            text = run("--verify", self.folder, status=1, error=error, wrapper=disk).decode()
            self.assertIn(f"damaged: 1 gap, at least {after - first} records missing\n", text)

    @unittest.skipUnless(shutil.which("strace"), "strace is needed")
    def test_a_last_segment_that_the_disk_cannot_read(self):
        self.log.daemon.stop()
        segments = self.log.segments()
        first = self.first_number(segments[-1])
        error = (f"answerlog: segment {len(segments)} ({os.path.basename(segments[-1])}) cannot be read: "
                 f"Input/output error; records from number {first} on are missing\n")
        disk = logreading.unreadable(segments[-1])
        self.assertEqual(messages(self.folder, status=1, error=error, wrapper=disk), PLAIN[:first - 1])
        self.assertIn("damaged: 1 gap", run("--verify", self.folder, status=1, error=error, wrapper=disk).decode())

    def test_a_damaged_index(self):
        path = self.log.segments()[1]
        logreading.damage(path, os.path.getsize(path) - 100)
        error = "answerlog: segment 2: its index is damaged; no record is missing\n"
        self.assertIn("damaged: only indexes", self.verify(status=1, error=error))
        self.assertEqual(messages(self.folder), PLAIN)
        self.assertEqual(messages("-r", self.folder), PLAIN[::-1])

    def test_the_oldest_segments_may_be_gone(self):
        segments = self.log.segments()
        first = self.first_number(segments[2])
        os.unlink(segments[0])
        os.unlink(segments[1])
        self.assertIn("no damage\n", self.verify())
        self.assertEqual(messages(self.folder), PLAIN[first - 1:])


class Space(unittest.TestCase):
    def setUp(self):
        self.log = Log(self)
        self.log.record(PLAIN * 3)
        self.folder = self.log.folder

    def test_disk_usage(self):
        # Until then it may be making the next segment's file.
        self.log.daemon.stop()
        text = run("--disk-usage", self.folder).decode()
        used = sum(os.stat(os.path.join(self.folder, name)).st_blocks * 512
                   for name in os.listdir(self.folder) if name != "lock")
        shown = f"{used / (1 << 10):.1f}K" if used < 1 << 20 else f"{used / (1 << 20):.1f}M"
        self.assertEqual(text, f"the log takes {shown} on disk, in {len(self.log.segments())} segments\n")

    def test_by_size(self):
        before = self.log.segments()
        text = run("--vacuum-size=300K", self.folder).decode()
        after = self.log.segments()
        n = len(before) - len(after)
        self.assertGreater(n, 2)
        self.assertEqual(after, before[n:])
        self.assertEqual(re.findall(r"(?m)^removed segment (\d+) ", text), [str(i) for i in range(1, n + 1)])
        self.assertRegex(text, rf"(?m)^removed {n} segments; \d+\.\dK are free again$")
        left = messages(self.folder)
        self.assertEqual(left, (PLAIN * 3)[-len(left):])
        self.assertIn("no damage\n", run("--verify", self.folder).decode())

    def test_the_newest_segment_stays(self):
        newest = self.log.segments()[-1]
        run("--vacuum-size=0", "--vacuum-time=0s", self.folder)
        self.assertEqual(self.log.segments(), [newest])
        # The daemon goes on with it, and with the next one.
        before = len(messages(self.folder))
        self.log.record(PLAIN)
        self.assertEqual(messages(self.folder)[before:], PLAIN)
        self.log.daemon.stop()
        self.log.start()
        run("--vacuum-size=0", self.folder)
        self.log.record([b"one more"])
        self.assertEqual(objects("-n", "1", self.folder)[0]["number"], 8001)

    def test_nothing_to_remove(self):
        self.log.daemon.stop()
        text = run("--vacuum-size=1G", self.folder).decode()
        self.assertRegex(text, r"\Anothing to remove: the log takes \d+\.\d[KM], no more than 1\.0G\n\Z")
        self.assertEqual(run("--vacuum-size=1G", "--vacuum-time=1h", self.folder).decode(),
                         text[:-1] + ", and the oldest segment has a younger record\n")
        run("--vacuum-size=0", self.folder)
        self.assertRegex(run("--vacuum-size=1G", self.folder).decode(), "^nothing to remove: the log takes ")
        self.assertEqual(run("--vacuum-size=0", self.folder), b"nothing to remove: the newest segment always stays\n")
        empty = self.log.copy()
        for path in os.listdir(empty):
            if path.endswith(".log"):
                os.unlink(os.path.join(empty, path))
        self.assertEqual(run("--vacuum-size=0", empty), b"nothing to remove: the log has no segment\n")

    def test_by_age(self):
        before = self.log.segments()
        self.assertEqual(run("--vacuum-time=1h", self.folder),
                         b"nothing to remove: the oldest segment has a younger record\n")
        self.assertEqual(self.log.segments(), before)
        run("--vacuum-time=0s", self.folder)
        self.assertEqual(self.log.segments(), before[-1:])

    @unittest.skipUnless(shutil.which("strace"), "strace is needed")
    def test_by_age_of_the_file_where_the_disk_cannot_read(self):
        before = self.log.segments()
        said = "answerlog: segment 1 cannot be read, so its file's modification time counts\n"
        disk = logreading.unreadable(before[0])
        text = run("--vacuum-time=1h", self.folder, error=said, wrapper=disk).decode()
        self.assertIn("nothing to remove", text)
        os.utime(before[0], (1, 1))
        run("--vacuum-time=1h", self.folder, error=said, wrapper=disk)
        self.assertEqual(self.log.segments(), before[1:])

    def test_a_reader_does_not_mind(self):
        process = logreading.start("--lines=all", "-f", "-o", "cat", self.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        output = Output(process.stdout)
        output.wait_for("message 1999", 3)
        run("--vacuum-size=0", self.folder)
        self.log.record([b"and more"])
        output.wait_for("and more")
        process.kill()
        with process.stderr:
            self.assertEqual(process.stderr.read(), b"")


if __name__ == "__main__":
    tap.main()
