# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benches still work: each in its smallest form, whatever the results."""

import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import daemon
import tap


def run(*command):
    done = subprocess.run([sys.executable, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise AssertionError(f"exit status {done.returncode}:\n{done.stderr.decode()}")
    return done.stdout.decode()


@unittest.skipIf(len(os.sched_getaffinity(0)) < 2, "needs a CPU for the server and one for the load")
class Bench(unittest.TestCase):
    def test_every_figure_is_measured(self):
        # Without counting instructions: valgrind cannot do that with a sanitizer in the program.
        said = run(os.path.join(HERE, "bench.py"), "--quick", "--only=floor,answerd",
                   f"--also=again={daemon.program()}", "--parts=compare,memory,journal,crowd,workers")
        for name in ("answerd", "again"):
            rows = [line for line in said.splitlines() if line.startswith(f"| {name} |")]
            self.assertEqual(len(rows), 3 if "journal: " in said else 4, said)
            for row in rows:
                self.assertNotIn("–", row)
        self.assertRegex(said, r"figure by that of \| again \|")
        if "journal: " not in said:
            self.assertRegex(said, r"recorded and answered \| \d")
        self.assertRegex(said, r"with one worker \| \d")
        self.assertTrue(re.search(r"Medians of 1 rounds", said))

    def test_each_server_that_syncs_is_measured(self):
        said = run(os.path.join(HERE, "bench.py"), "--quick", "--only=answerd", "--parts=durable")
        rows = [line for line in said.splitlines() if line.startswith("| answerd, log, 1 worker |")]
        self.assertGreaterEqual(len(rows), 4, said)
        for row in rows:
            self.assertNotIn("–", row)

    def test_each_server_that_speaks_tls_is_measured(self):
        said = run(os.path.join(HERE, "bench.py"), "--quick", "--parts=tls")
        if "tls: ask-bench is built without OpenSSL" in said:
            self.skipTest("built without OpenSSL")
        for name in "floor", "answerd":
            rows = [line for line in said.splitlines() if line.startswith(f"| {name}, TLS |")]
            self.assertTrue(rows, said)
            for row in rows:
                self.assertNotIn("–", row)

    def test_a_small_million_in_the_log(self):
        said = run(os.path.join(HERE, "million"), "--connections=2000", "--idle=1", "--record=log")
        self.assertRegex(said, r"answered +4,000 of 4,000\n")
        self.assertRegex(said, r"in the logs +4,000 records\n")

    def test_a_small_million(self):
        said = run(os.path.join(HERE, "million"), "--connections=2000", "--idle=1")
        self.assertRegex(said, r"answered +4,000 of 4,000\n")
        self.assertRegex(said, r"errors +0\n")


if __name__ == "__main__":
    tap.main()
