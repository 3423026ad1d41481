# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/slowest.py, on logs written by this file's own runner."""

import os
import subprocess
import sys
import tempfile
import unittest

import daemon
import tap

SLOWEST = os.path.join(daemon.TOP, "tests", "slowest.py")
PYTHON_LOG = """ok 1 - Case.test_quick
PASS: tests/e2e/test_a.py 1 - Case.test_quick
ok 2 - Case.test_slow
PASS: tests/e2e/test_a.py 2 - Case.test_slow
# 12.5 s
not ok 3 - Case.test_wrong
# AssertionError: 3.0 s passed
# 2.0 s
1..3
"""
C_LOG = """ok 1 - path/test-b.c:b:one: Passed
ok 2 - path/test-b.c:b:two: Passed
1..2
# 4.0 s in all
"""


class Slowest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = folder.name

    def write(self, name, log, result=True):
        path = os.path.join(self.build, "tests", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        for extension, text in ((".log", log), (".trs", ":test-result: PASS\n"))[:1 + result]:
            with open(path + extension, "w", encoding="utf-8") as file:
                file.write(text)

    def slowest(self, *arguments):
        return subprocess.run([sys.executable, SLOWEST, self.build, *arguments], check=False, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_in_order(self):
        self.write("e2e/test_a", PYTHON_LOG)
        self.write("unit/test-b", C_LOG)
        self.write("unit/no-test", "# 99.0 s in all\n", result=False)
        said = self.slowest()
        self.assertEqual((said.returncode, said.stderr), (0, ""))
        self.assertEqual(said.stdout.splitlines(), [
            "   12.5 s  tests/e2e/test_a Case.test_slow",
            "    4.0 s  tests/unit/test-b",
            "    2.0 s  tests/e2e/test_a Case.test_wrong",
        ])

    def test_so_many(self):
        self.write("e2e/test_a", PYTHON_LOG)
        self.assertEqual(len(self.slowest("1").stdout.splitlines()), 1)

    def test_nothing_was_run(self):
        said = self.slowest()
        self.assertEqual((said.returncode, said.stdout), (1, ""))
        self.assertIn("run ./dev check first", said.stderr)


class Runners(unittest.TestCase):
    """The programs print what the script expects."""

    def test_in_c(self):
        program = os.path.join(os.environ["top_builddir"], "tests", "unit", "test-macros")
        if not os.access(program, os.X_OK):
            self.skipTest("there are no unit tests in this build")
        said = subprocess.run([program], check=True, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE).stdout
        self.assertRegex(said, r"(?m)^# \d+\.\d s in all$")


if __name__ == "__main__":
    tap.main()
