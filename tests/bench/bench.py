#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares answerd with a floor that no such server can beat, and with servers that people use.

    make bench
    tests/bench/bench.py [--quick] [--rounds=N] [--only=NAME,…] [--also=NAME=BINARY]… [--output=FILE]

Servers run on one CPU, ask-bench on another. Each round starts everything anew. The servers take turns at each
piece of work, so other load on the machine affects them all. The table has the medians of all rounds and their
ratios to the floor. CPU is the time of the server's threads, user and system, from the scheduler's account in ns.

--also adds another answerd, such as the version before a change. It does everything that the built one does, in
turns with it. A second table has the ratios of the built one's figures to its figures, round by round.
"""

import argparse
import contextlib
import os
import resource
import statistics
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import durable
import journald
import measure
import servers
import table
import tls
import turns


class Sizes:
    """The amounts of work."""

    def __init__(self, quick):
        self.turns, self.seconds = (1, 0.1) if quick else (2, 0.15)
        self.many = 100 if quick else 1000
        self.idle = 200 if quick else 15000
        self.crowd = 200 if quick else 10000
        self.counted = 500 if quick else 30000
        self.recorded = 2000 if quick else 150000
        self.durable_seconds, self.largest = (0.2, 200) if quick else (1.5, 10000)
        self.tls_seconds, self.tls_idle, self.tls_disturbed = (0.3, 50, 0.5) if quick else (0.5, 2000, 3)
        self.recording = (50, 100, 200, 400) if quick else (50, 1000, 5000, 15000)


def two_cpus():
    """One CPU for the server and one for the load."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("bench: two CPUs are needed, one for the server and one for the load")
    return {cpus[-1]}, {cpus[0]}


class Bench:
    def __init__(self, sizes, contenders, also):
        self.sizes = sizes
        self.also = also
        self.contenders = contenders + also
        self.answerds = [servers.ANSWERD, *also]
        self.server_cpus, self.load_cpus = two_cpus()
        self.samples = {}  # (row, column) -> [figure, ...]
        self.missing = {}  # row -> why

    def add(self, row, **figures):
        for column, figure in figures.items():
            self.samples.setdefault((row, column), []).append(figure)

    def median(self, row, column):
        samples = self.samples.get((row, column))
        return statistics.median(samples) if samples else None

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def work(self):
        """The pieces of work for all servers: (name, connections, options for ask-bench)."""
        return [("50", 50, []), ("1000", self.sizes.many, []), ("pipeline", 50, ["--pipeline=16"]),
                ("churn", 50, ["--churn"])]

    def compare(self, rounds):
        for number in range(rounds):
            self.say(f"round {number + 1} of {rounds}")
            for name, connections, options in self.work():
                self.piece(name, connections, ["--workers=1", *options])

    def piece(self, name, connections, options):
        """One piece of work, by all servers in turns."""
        with contextlib.ExitStack() as stack:
            rows, loads = [], []
            for c in self.contenders:
                server = self.start(c, stack)
                if server:
                    rows.append(c.name)
                    loads.append(turns.Load(server, c.message, options, connections, self.load_cpus))
            for row, (cpu, rate) in zip(rows, turns.take(loads, self.sizes.turns, self.sizes.seconds)):
                self.add(row, **{name: cpu, name + " rate": rate})

    def start(self, contender, stack):
        """The running server, or None if there is none."""
        if contender.name in self.missing:
            return None
        try:
            return stack.enter_context(contender.start(self.server_cpus))
        except servers.Missing as reason:
            self.missing[contender.name] = str(reason)
            self.say(f"{contender.name}: skipped: {reason}")
            return None

    def raise_limit(self):
        """A crowd needs that many descriptors."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def memory(self):
        self.say(f"memory of {self.sizes.idle} idle connections")
        self.raise_limit()
        for c in self.contenders:
            with contextlib.ExitStack() as stack:
                server = self.start(c, stack)
                if server:
                    idle, burst = measure.idle_memory(server, self.sizes.idle, c.message)
                    self.add(c.name, idle=idle, burst=burst)

    def instructions(self):
        self.say("user instructions per message")
        try:
            for name, connections in (("instructions 50", 50), ("instructions crowd", self.sizes.crowd)):
                for a in self.answerds:
                    self.add(a.name, **{name: measure.instructions(a, connections, self.sizes.counted)})
        except servers.Missing as reason:
            self.missing["instructions"] = str(reason)

    def journal(self, rounds):
        self.record("journal", rounds, [("recorded", 50, 16)])

    def crowd(self, rounds):
        """The cost of a crowd whose messages are recorded, each in its own turn."""
        self.raise_limit()
        self.record("crowd", rounds, [(f"recorded {n}", n, 1) for n in self.sizes.recording])

    def record(self, part, rounds, work):
        """Work for every answerd, (column, connections, in flight), in turns with a flood of the same entries.
        Entries from many connections differ more and cost journald more."""
        n, cpus = self.sizes.recorded, (self.load_cpus, self.server_cpus)
        try:
            journald.require()
        except unittest.SkipTest as reason:
            self.missing[part] = str(reason)
            return
        with tempfile.TemporaryDirectory(prefix="answerd-entries") as folder:
            for column, connections, in_flight in work:
                measure.journal_capture(n, connections, in_flight, os.path.join(folder, column))
            for number in range(rounds):
                self.say(f"{part}, round {number + 1} of {rounds}")
                for column, connections, in_flight in turns.rotated(work, number):
                    self.add("flood", **{column: measure.journal_flood(n, os.path.join(folder, column), *cpus)})
                    for a in turns.rotated(self.answerds, number):
                        self.add(a.name, **{column: measure.journal_answerd(a, n, connections, in_flight, *cpus)})

    def durable(self, rounds):
        """Servers that answer when a message is on the disk."""
        self.raise_limit()
        durable.measure_all(self, rounds, self.sizes.durable_seconds, self.sizes.largest)

    def tls(self, rounds):
        """Servers that speak TLS."""
        tls.measure_all(self, rounds)

    def workers(self, rounds):
        """One and two workers, with the load on the same two CPUs. The load has as many processes as workers: one
        alone could not keep two busy, and a worker that sleeps between messages pays for waking up."""
        both = self.server_cpus | self.load_cpus
        for number in range(rounds):
            self.say(f"workers, round {number + 1} of {rounds}")
            with contextlib.ExitStack() as stack:
                rows, loads = [], []
                for a in self.answerds:
                    for n in (1, 2):
                        server = stack.enter_context(
                            servers.Server(a.command("--record=none", f"--workers={n}"), cpus=both))
                        rows.append((a.name, f"workers {n}"))
                        loads.append(turns.Load(server, None, [f"--workers={n}"], 50, both))
                for (name, column), (cpu, _) in zip(rows, turns.take(loads, self.sizes.turns, self.sizes.seconds)):
                    self.add(name, **{column: cpu})


def other_answerd(text):
    name, _, program = text.partition("=")
    if not name or name in {c.name for c in servers.ALL} or not os.access(program, os.X_OK):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME=BINARY, with a name of its own and a program")
    return servers.Answerd(name, program)


def options():
    parser = argparse.ArgumentParser(description="Compare answerd with other servers.")
    parser.add_argument("--quick", action="store_true",
                        help="one tiny round, to see that everything works; its figures mean nothing")
    parser.add_argument("--rounds", type=int, default=21, metavar="N",
                        help="how often everything is measured (%(default)s)")
    parser.add_argument("--only", help="these servers alone, such as floor,answerd")
    parser.add_argument("--also", type=other_answerd, action="append", default=[], metavar="NAME=BINARY",
                        help="another answerd, by turns with the built one")
    parser.add_argument("--parts", default="compare,memory,instructions,journal,crowd,workers,durable,tls",
                        help="what to measure (%(default)s)")
    parser.add_argument("--output", help="write the table to this file too")
    return parser.parse_args()


def main():
    asked = options()
    names = asked.only.split(",") if asked.only else [c.name for c in servers.ALL]
    unknown = set(names) - {c.name for c in servers.ALL}
    if unknown:
        sys.exit(f"bench: no such server: {', '.join(sorted(unknown))}")
    bench = Bench(Sizes(asked.quick), [c for c in servers.ALL if c.name in names], asked.also)
    rounds = 1 if asked.quick else asked.rounds
    parts = {"compare": lambda: bench.compare(rounds), "memory": bench.memory,
             "instructions": bench.instructions, "journal": lambda: bench.journal(rounds),
             "crowd": lambda: bench.crowd(rounds), "workers": lambda: bench.workers(rounds),
             "durable": lambda: bench.durable(rounds), "tls": lambda: bench.tls(rounds)}
    for part in asked.parts.split(","):
        if part not in parts:
            sys.exit(f"bench: no such part: {part}")
        parts[part]()
    text = table.write(bench, rounds)
    print(text)
    if asked.output:
        with open(asked.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
