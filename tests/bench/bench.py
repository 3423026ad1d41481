#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares answerd with a floor that nothing of its kind can beat, and with servers that people use.

    make bench
    tests/bench/bench.py [--quick] [--rounds=N] [--only=NAME,…] [--output=FILE]

Each server runs alone, on one CPU, and ask-bench on another. In a round every server does every piece of work
once, so that whatever else the machine does meanwhile meets all of them; the table has the medians of all
rounds, and their ratios to the floor's. CPU is what the server's threads used, user and system, of the
scheduler's own account in ns.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import journald
import measure
import servers
import table


class Sizes:
    """How much of everything."""

    def __init__(self, quick):
        self.seconds = 0.1 if quick else 0.5
        self.many = 100 if quick else 1000
        self.idle = 200 if quick else 15000
        self.crowd = 200 if quick else 10000
        self.counted = 500 if quick else 30000
        self.recorded = 2000 if quick else 150000


def two_cpus():
    """One CPU for the server and one for the load."""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        sys.exit("bench: two CPUs are needed, one for the server and one for the load")
    return {cpus[-1]}, {cpus[0]}


class Bench:
    def __init__(self, sizes, contenders):
        self.sizes = sizes
        self.contenders = contenders
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
        """Every piece of work that all servers do: (name, what does it)."""
        s = self.sizes

        def messages(name, connections, pipeline):
            def run(server, message):
                cpu, rate = measure.messages(server, connections, pipeline, s.seconds, message, self.load_cpus)
                return {name: cpu, name + " rate": rate}
            return name, run

        def churn(server, message):
            cpu, rate = measure.churn(server, s.seconds, message, self.load_cpus)
            return {"churn": cpu, "churn rate": rate}

        return [messages("50", 50, 1), messages("1000", s.many, 1), messages("pipeline", 50, 16), ("churn", churn)]

    def compare(self, rounds):
        """The interleaved rounds: within one, server after server for each piece of work."""
        for number in range(rounds):
            self.say(f"round {number + 1} of {rounds}")
            for _, run in self.work():
                for c in self.contenders:
                    self.with_server(c, run)

    def with_server(self, contender, run):
        if contender.name in self.missing:
            return
        try:
            with contender.start(self.server_cpus) as server:
                self.add(contender.name, **run(server, contender.message))
        except servers.Missing as reason:
            self.missing[contender.name] = str(reason)
            self.say(f"{contender.name}: skipped: {reason}")

    def memory(self):
        self.say(f"memory of {self.sizes.idle} idle connections")
        # The crowd's own descriptors.
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

        def run(server, message):
            idle, burst = measure.idle_memory(server, self.sizes.idle, message)
            return {"idle": idle, "burst": burst}

        for c in self.contenders:
            self.with_server(c, run)

    def instructions(self):
        self.say("user instructions per message")
        try:
            for name, connections in (("instructions 50", 50), ("instructions crowd", self.sizes.crowd)):
                self.add("answerd", **{name: measure.instructions(connections, self.sizes.counted)})
        except servers.Missing as reason:
            self.missing["instructions"] = str(reason)

    def journal(self, rounds):
        n = self.sizes.recorded
        try:
            journald.require()
        except unittest.SkipTest as reason:
            self.missing["journal"] = str(reason)
            return
        with tempfile.NamedTemporaryFile(prefix="answerd-entries") as entries:
            measure.journal_capture(n, entries.name)
            for number in range(rounds):
                self.say(f"journal, round {number + 1} of {rounds}")
                cpus = self.load_cpus, self.server_cpus
                self.add("journal", flood=measure.journal_flood(n, entries.name, *cpus),
                         answerd=measure.journal_answerd(n, *cpus))

    def workers(self, rounds):
        """One worker and two, each with the load on the same two CPUs. The load has as many processes as
        there are workers: one alone could not keep two busy, and a worker that sleeps between two messages
        pays for its waking."""
        both = self.server_cpus | self.load_cpus
        for number in range(rounds):
            self.say(f"workers, round {number + 1} of {rounds}")
            for n in (1, 2):
                command = servers.answerd_command("--record=none", f"--workers={n}")
                with servers.Server(command, cpus=both) as server:
                    cpu, rate = measure.messages(server, 50, 1, self.sizes.seconds, cpus=both, workers=n)
                    self.add("workers", **{f"{n}": cpu, f"{n} rate": rate})


def options():
    parser = argparse.ArgumentParser(description="Compare answerd with other servers.")
    parser.add_argument("--quick", action="store_true",
                        help="one tiny round, to see that everything works; its figures mean nothing")
    parser.add_argument("--rounds", type=int, default=11, metavar="N",
                        help="how often everything is measured (%(default)s)")
    parser.add_argument("--only", help="these servers alone, such as floor,answerd")
    parser.add_argument("--parts", default="compare,memory,instructions,journal,workers",
                        help="what to measure (%(default)s)")
    parser.add_argument("--output", help="write the table to this file too")
    return parser.parse_args()


def main():
    asked = options()
    names = asked.only.split(",") if asked.only else [c.name for c in servers.ALL]
    unknown = set(names) - {c.name for c in servers.ALL}
    if unknown:
        sys.exit(f"bench: no such server: {', '.join(sorted(unknown))}")
    bench = Bench(Sizes(asked.quick), [c for c in servers.ALL if c.name in names])
    rounds = 1 if asked.quick else asked.rounds
    parts = {"compare": lambda: bench.compare(rounds), "memory": bench.memory,
             "instructions": bench.instructions, "journal": lambda: bench.journal(rounds),
             "workers": lambda: bench.workers(rounds)}
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
