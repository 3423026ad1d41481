# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each allocation in the daemon's life fails in turn: once, and for a while."""

import concurrent.futures
import os
import tempfile
import unittest

import tap
from daemon import measured
from life import Life
from witness import preload

AT_ONCE = 2
WHILE = 8  # failing allocations in a row


class Allocations(unittest.TestCase):
    def setUp(self):
        if measured():
            self.skipTest("gcov does not survive it: as the process ends it allocates on its own account")
        self.library = preload(self, "fail-allocation.so")
        directory = tempfile.TemporaryDirectory(prefix="aa", dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def live(self, number, count=1, workers=1):
        """Returns the numbers of allocations and of leaks, and the place of the failed allocation."""
        path = os.path.join(self.directory, f"report-{number}")
        wrapper = ["env", "LD_PRELOAD=" + self.library, f"FAIL_ALLOCATION={number}", f"FAIL_COUNT={count}",
                   "FAIL_REPORT=" + path]
        try:
            Life(self, wrapper, workers, tries=count + 1).live()
            with open(path, encoding="utf-8") as file:
                asked, held, where = file.read().split()
        except Exception as error:
            raise AssertionError(f"allocation {number} and {count - 1} more failed: {error}") from error
        return int(asked), int(held), where

    def every(self, count, workers=1):
        asked, held, _ = self.live(0, workers=workers)
        self.assertGreater(asked, 30)
        failures, reached = [], 0
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = {n: pool.submit(self.live, n, count, workers) for n in range(1, asked + 1)}
            for number, job in jobs.items():
                try:
                    _, left, where = job.result()
                except AssertionError as error:
                    failures.append(str(error))
                    continue
                reached += where != "-+0x0"
                # A life with a failure frees as much as one without.
                if left > held:
                    failures.append(f"allocation {number} failed at {where}: {left - held} others were not freed")
        print(f"# {asked} allocations, {reached} of them failed in turn, with {count - 1} more after it")
        self.assertFalse(failures, "\n".join(failures[:20]))
        # With several workers, chance decides which of them does what.
        self.assertGreater(reached, asked * 0.8)

    def test_each_fails_once(self):
        self.every(1)

    def test_with_two_workers(self):
        self.every(1, 2)

    def test_each_fails_and_those_after_it(self):
        self.every(WHILE)


if __name__ == "__main__":
    tap.main()
