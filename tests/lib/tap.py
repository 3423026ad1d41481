# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs unittest cases and reports them in TAP, which automake's tap-driver.sh reads.

A test file ends with

    if __name__ == "__main__":
        tap.main()

and can be run by itself, or as `python3 tests/lib/tap.py FILE [CASE[.METHOD]…]`.

The plan comes last: a run that dies early has none and counts as failed. Prints of tests go to stderr, so they are not
mistaken for results.
"""

import faulthandler
import importlib.util
import os
import signal
import sys
import time
import traceback
import unittest

# A guard against hangs alone: no test on a busy machine comes near it.
DEFAULT_TIMEOUT = 900.0


def timeout(seconds):
    """Gives one test, or all tests of a class, another time limit than DEFAULT_TIMEOUT."""

    def mark(item):
        item.tap_timeout = seconds
        return item

    return mark


class TapResult(unittest.TestResult):
    """Writes one line at the end of each test, and any errors as `#` lines below it."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream
        self.count = 0
        self._begun = 0.0
        self._reset()

    def _reset(self):
        self._details = []
        self._directive = ""
        self._passed = True

    def diagnose(self, text):
        for line in text.splitlines():
            self.stream.write(f"# {line}\n")
        self.stream.flush()

    def plan(self, reason=""):
        self.stream.write(f"1..{self.count}" + (f" # SKIP {reason}" if reason else "") + "\n")
        self.stream.flush()

    def startTest(self, test):
        super().startTest(test)
        self._reset()
        self._begun = time.monotonic()
        method = getattr(test, test._testMethodName, None)
        limit = getattr(method, "tap_timeout", getattr(test, "tap_timeout", DEFAULT_TIMEOUT))
        # A hanging test shows a trace of each thread, then ends the run.
        faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__)

    def stopTest(self, test):
        faulthandler.cancel_dump_traceback_later()
        super().stopTest(test)
        self._report(test.id(), time.monotonic() - self._begun)

    def _report(self, name, seconds=None):
        self.count += 1
        verdict = "ok" if self._passed else "not ok"
        name = name.replace("__main__.", "").replace("#", "\\#")
        self.stream.write(f"{verdict} {self.count} - {name}{self._directive}\n")
        for text in self._details:
            self.diagnose(text)
        if seconds is not None and seconds >= 1:
            self.diagnose(f"{seconds:.1f} s")
        self.stream.flush()
        self._reset()

    def _fail(self, test, text):
        self._passed = False
        self._details.append(text)
        # If setUpClass or setUpModule fails, there is no test. unittest passes a stand-in without calling startTest or
        # stopTest.
        if not isinstance(test, unittest.TestCase):
            self._report(str(test))

    def addError(self, test, err):
        super().addError(test, err)
        self._fail(test, "".join(traceback.format_exception(*err)))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._fail(test, "".join(traceback.format_exception(*err)))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._fail(test, f"{subtest.id()}\n" + "".join(traceback.format_exception(*err)))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._directive = f" # SKIP {reason}"
        if not isinstance(test, unittest.TestCase):
            self._report(str(test))


def run(module, names=()):
    """Runs the tests of a module, or the named ones. Returns the exit status."""
    real, sys.stdout = sys.stdout, sys.stderr
    # A signal ends it like Ctrl-C: functions registered with atexit still run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    result = TapResult(real)
    loader = unittest.TestLoader()
    try:
        if names:
            suite = loader.loadTestsFromNames(names, module)
        else:
            suite = loader.loadTestsFromModule(module)
        suite.run(result)
    finally:
        sys.stdout = real
    result.plan()
    return 0 if result.wasSuccessful() else 1


def load(path):
    """Imports a test file by its path, with the file's own folder on the module search path."""
    sys.path.insert(1, os.path.dirname(os.path.abspath(path)))
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def main():
    """The last line of a test file: runs its tests and exits."""
    sys.exit(run(sys.modules["__main__"], sys.argv[1:]))


def command(arguments):
    if not arguments:
        print("usage: tap.py FILE [CASE[.METHOD]...]", file=sys.stderr)
        return 2
    try:
        module = load(arguments[0])
    except unittest.SkipTest as skip:
        print(f"1..0 # SKIP {skip}")
        return 0
    return run(module, arguments[1:])


if __name__ == "__main__":
    sys.exit(command(sys.argv[1:]))
