# SPDX-License-Identifier: LGPL-2.1-or-later
"""How much answerlog reads: a time and an ID are found by indexes, and memory does not grow with the log."""

import os
import re
import resource
import shutil
import subprocess
import unittest

import daemon
import logreading
import tap
from logreading import ANSWERLOG, Log, objects

MEBI = 1 << 20


@unittest.skipUnless(shutil.which("strace"), "strace is not installed")
class Reads(unittest.TestCase):
    def setUp(self):
        self.log = Log(self, segment_size="1M")
        for part in range(24):
            # On 24 connections: an ID is looked up by its connection.
            self.log.record([b"%d %d " % (part, i) + b"x" * 1000 for i in range(600)])
        self.log.daemon.stop()
        self.size = sum(map(os.path.getsize, self.log.segments()))
        self.assertGreater(self.size, 12 * MEBI)

    def bytes_read(self, *arguments):
        """What answerlog shows, and how many bytes it reads of the log."""
        trace = os.path.join(self.log.root, "trace")
        # A sanitizer that looks for leaks cannot do so while it is traced.
        env = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        done = subprocess.run(["strace", "-o", trace, "-e", "trace=pread64", ANSWERLOG, "-o", "cat", *arguments,
                               self.log.folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                              timeout=logreading.DEADLINE, check=True)
        with open(trace, encoding="ascii", errors="replace") as file:
            return done.stdout.splitlines(), sum(int(n) for n in re.findall(r"(?m)= (\d+)$", file.read()))

    def test_all(self):
        lines, read = self.bytes_read()
        self.assertEqual(len(lines), 24 * 600)
        self.assertGreater(read, self.size * 0.8)

    def test_the_last(self):
        lines, read = self.bytes_read("-n", "10")
        self.assertEqual(len(lines), 10)
        self.assertLess(read, MEBI)

    def test_an_id(self):
        wanted = objects("-g", "^11 300 ", self.log.folder)[0]
        lines, read = self.bytes_read("--id=" + wanted["id"])
        self.assertEqual(len(lines), 1)
        # Of each segment its head and index, and two segments at most.
        self.assertLess(read, len(self.log.segments()) * 64 * 1024 + 2 * MEBI)

    def test_a_time(self):
        wanted = objects("-g", "^11 300 ", self.log.folder)[0]
        lines, read = self.bytes_read("--since=" + wanted["time"], "--until=" + wanted["time"])
        self.assertTrue([line for line in lines if line.startswith(b"11 300 ")])
        self.assertLess(read, len(self.log.segments()) * 64 * 1024 + 2 * MEBI)

    @unittest.skipIf(daemon.sanitized(), "a sanitizer takes memory")
    def test_memory(self):
        """It needs much less than the log is long."""
        for options in [], ["-r"], ["-n", "10000"], ["-o", "json"], ["-o", "export"], ["--verify"]:
            with self.subTest(options):
                subprocess.run([ANSWERLOG, *options, self.log.folder], stdin=subprocess.DEVNULL, check=True,
                               stdout=subprocess.DEVNULL, timeout=logreading.DEADLINE, preexec_fn=self.limit_memory)

    @staticmethod
    def limit_memory():
        resource.setrlimit(resource.RLIMIT_DATA, (MEBI, MEBI))


if __name__ == "__main__":
    tap.main()
