# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists the tests that took longest in the last run: slowest.py [BUILD [COUNT]].

It reads the logs of a build's test suite. A Python file says how long each of its tests took, if that was a second or
more; a program in C says how long all of its tests took together.
"""

import os
import re
import sys

RESULT = re.compile(r"(?:not )?ok \d+ - (\S+)")
SECONDS = re.compile(r"# (\d+\.\d) s( in all)?")


def read(path, name):
    """Yields (seconds, test) for each time in a log."""
    case = name
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            result = RESULT.match(line)
            if result:
                case = result.group(1)
                continue
            said = SECONDS.fullmatch(line.rstrip("\n"))
            if said:
                yield float(said.group(1)), name if said.group(2) else f"{name} {case}"


def collect(build):
    """All times in the logs of a build, the slowest first."""
    times = []
    for folder, _, files in os.walk(os.path.join(build, "tests")):
        for file in files:
            stem, extension = os.path.splitext(os.path.join(folder, file))
            # A file without a result next to it is not the log of a test.
            if extension == ".log" and os.path.exists(stem + ".trs"):
                times += read(stem + extension, os.path.relpath(stem, build))
    return sorted(times, reverse=True)


def main(build="build", count="10"):
    times = collect(build)
    if not times:
        sys.exit(f"slowest.py: {build} has no results of tests: run ./dev check first")
    for seconds, name in times[:int(count)]:
        print(f"{seconds:7.1f} s  {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
