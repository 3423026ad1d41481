# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients do to each other: the latency of some, alone and beside others, by ask-bench."""

import json
import os
import statistics
import subprocess

from daemon import program

ROUNDS = 3
ATTEMPTS = 4
# Below it a percentile is a matter of which of two processes the kernel runs first, on however quiet a machine: a turn
# on a processor lasts up to 3 ms (sched(7), EEVDF's base slice).
NOISE_US = 3000.0


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
    """Compares the medians of two measurements, taken in turns so that what the machine does else hits both.

    `alone` and `beside` return a p99. Others at the machine may spoil a comparison, hence it may be repeated, ATTEMPTS
    times in all; what it compares stays as it is.
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
    """For the clients that are the abuse: the daemon has to be fair, and not this machine's scheduler."""
    os.nice(19)
