# SPDX-License-Identifier: LGPL-2.1-or-later
"""The simulation finds nothing with many seeds, and finds a planted fault."""

import os
import re
import subprocess
import unittest
from pathlib import Path

from daemon import sanitized

TOP = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parent.parent.parent))
BUILD = Path(os.environ.get("top_builddir", TOP / "build"))
# A sanitizer checks each run more closely, and takes longer.
SEEDS = int(os.environ.get("SIMULATE_SEEDS", "400" if sanitized() else "4000"))
# A killed process leaves memory behind, which is no leak. The world finds leaks itself.
ENVIRONMENT = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")


def simulate(*arguments):
    run = subprocess.run([BUILD / "tests/sim/simulate", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                         env=ENVIRONMENT, check=False)
    return run.returncode, run.stdout.decode(errors="replace")


def kept():
    """Seeds that once found a fault, with their options."""
    lines = (TOP / "tests/sim/seeds").read_text().splitlines()
    words = [line.split() for line in lines if line and not line.startswith("#")]
    return [[f"--seed={seed}", *(word for word in others if word.startswith("--"))] for seed, *others in words]


def digest(*arguments):
    """Of all that the runs did, and of every byte that was sent. It is the sum of the runs' own."""
    code, text = simulate(*arguments)
    found = re.search(r"^# digest ([0-9a-f]{16})$", text, re.MULTILINE)
    return code, found and int(found[1], 16)


class Simulate(unittest.TestCase):
    def test_many_seeds_violate_nothing(self):
        code, text = simulate(f"--seeds={SEEDS}")
        print("".join(f"{line}\n" for line in text.splitlines() if line.startswith("#")), end="")
        self.assertEqual(code, 0, text)

    def test_seeds_with_tls_violate_nothing(self):
        code, text = simulate("--tls", f"--seeds={SEEDS // 20}")
        self.assertEqual(code, 0, text)

    def test_a_run_does_not_depend_on_those_before_it(self):
        for kind in [], ["--tls"]:
            with self.subTest(kind=kind):
                runs = [digest(*kind, "--from=1", "--seeds=3"), digest(*kind, "--from=4", "--seeds=3")]
                self.assertEqual(digest(*kind, "--from=1", "--seeds=6"), (0, sum(found for _, found in runs) % 2**64))

    def test_what_once_failed_does_not_any_more(self):
        for arguments in kept():
            with self.subTest(arguments=arguments):
                code, text = simulate(*arguments)
                self.assertEqual(code, 0, text)

    def test_a_crowd_is_served_in_few_turns(self):
        code, text = simulate("--crowd=100000")
        self.assertEqual(code, 0, text)

    def test_a_canary_is_found(self):
        code, text = simulate("--canary", "--seeds=100")
        self.assertEqual(code, 1)
        self.assertIn("record", text)
        self.assertRegex(text, r"again: .*--seed=\d+ --verbose --canary")

    def test_what_fails_is_shortened(self):
        _, found = simulate("--canary", "--seeds=100")
        seed = found.partition("seed ")[2].partition(":")[0]
        code, text = simulate("--canary", f"--seed={seed}", "--shorten")
        self.assertEqual(code, 1)
        self.assertIn("decisions are enough", text)
        self.assertIn("VIOLATED", text)

    def test_a_wrong_option_is_refused(self):
        self.assertEqual(simulate("--nothing")[0], 2)
        self.assertEqual(simulate("--help")[0], 0)


if __name__ == "__main__":
    unittest.main()
