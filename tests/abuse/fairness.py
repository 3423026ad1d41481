# SPDX-License-Identifier: LGPL-2.1-or-later
"""How clients affect each other: the latency of some, alone and next to others, measured by ask-bench."""

import json
import os
import statistics
import subprocess

from daemon import program

ROUNDS = 3
ATTEMPTS = 4
# Below this, a percentile tells how busy the machine is: who waits for a processor behind a few others, each with a time
# slice of some milliseconds (sched(7)). A daemon that lets clients starve keeps them waiting for seconds. That each gets
# its share of every turn, to the byte, is for the unit tests.
NOISE_US = 100000.0


def percentile(address, connections, rate, seconds):
    """The p99 of `connections` clients that send `rate` messages a second in all, in microseconds."""
    host, port = address
    done = subprocess.run([program("ask-bench"), f"{host}:{port}", "-c", str(connections), "-r", str(rate),
                           "-d", f"{seconds}s", "--json=-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(f"ask-bench: {done.stderr.decode()}")
    result = json.loads(done.stdout)
    if result["errors"]:
        raise AssertionError(f"ask-bench: {result['errors']}")
    return result["latency_us"]["p99"]


def expect_at_most_doubled(test, alone, beside):
    """Compares the medians of two measurements, made in turns so that other load affects both.

    `alone` and `beside` return a p99. Other load can spoil a comparison, so it may be repeated, ATTEMPTS times in all.
    The condition stays the same.
    """
    for attempt in range(1, ATTEMPTS + 1):
        pairs = [(alone(), beside()) for _ in range(ROUNDS)]
        quiet, loud = (statistics.median(column) for column in zip(*pairs))
        print(f"# attempt {attempt}: p99 {quiet:.0f} us alone, {loud:.0f} us beside the others, "
              f"{loud / quiet:.2f} times as much")
        if loud <= 2 * max(quiet, NOISE_US):
            return
    test.fail(f"p99 more than doubled in each of {ATTEMPTS} attempts")


def lower_priority():
    """For the abusive clients: the daemon must be fair, not the scheduler."""
    os.nice(19)
