# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that say "ok" when a message is on the disk, or in the journal: how many a second, how fast, at what cost.

All use both CPUs, as the load does, and one disk. Each measurement starts its server anew, in a folder of its own.
"""

import contextlib
import os
import shutil
import tempfile
import unittest

import journald
import measure
import net
import servers
import turns

VALUE = "0123456789abcdef"
SEGMENT = 64 << 20
# (column, connections, in flight, messages a second or None for as many as go)
WORK = [("1", 1, 1, None), ("50", 50, 1, None), ("500", 500, 1, None), ("1000", 1000, 1, None),
        ("2000", 2000, 1, None), ("10000", 10000, 1, None), ("50x16", 50, 16, None), ("paced", 1000, 1, 20000)]
TITLES = {"1": "1 connection", "50x16": "50, 16 in flight", "paced": "1,000, at 20,000/s"}


def title(column):
    return TITLES.get(column) or f"{int(column):,} connections"


def syncs(path):
    """Flushes that the disk below has completed (Documentation/block/stat.rst); None where it does not count them."""
    device = os.stat(path).st_dev
    try:
        with open(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat", encoding="ascii") as stat:
            fields = stat.read().split()
    except FileNotFoundError:
        return None
    return int(fields[15]) if len(fields) > 15 else None


class Durable:
    """A row: how it starts in a folder, and what is asked of it. settle waits until its start is over."""

    def __init__(self, name, start, message=VALUE, options=(), settle=lambda folder: None):
        self.name, self.start, self.message, self.options = name, start, message, list(options)
        self.settle = settle

    def skips(self, in_flight):
        return in_flight > 1 and "--framing=chunk" in self.options


@contextlib.contextmanager
def answerd_log(folder, workers, sync="always"):
    config = os.path.join(folder, "answerd.conf")
    with open(config, "w", encoding="utf-8") as file:
        file.write(f"[Log]\nDirectory={folder}/log\nSync={sync}\n[Listener default]\nRecord=log\n")
    command = [servers.daemon.program("answerd"), "--config=" + config, "--listen=127.0.0.1:0", f"--workers={workers}"]
    with servers.Server(command) as server:
        yield server


def spare_is_there(folder):
    """Its first records took the spare segment. A log that has run for a while has the next one."""
    path = os.path.join(folder, "log", "spare")
    net.wait_until(lambda: os.path.exists(path) and os.stat(path).st_size == SEGMENT, timeout=60, what="the spare")


@contextlib.contextmanager
def answerd_none(_folder):
    with servers.ANSWERD.start(os.sched_getaffinity(0)) as server:
        yield server


@contextlib.contextmanager
def answerd_journal(_folder):
    try:
        journald.require()
    except unittest.SkipTest as reason:
        raise servers.Missing(str(reason)) from None
    with measure.Journal(os.sched_getaffinity(0)) as journal, \
            measure.recording(servers.ANSWERD, journal.socket_path) as server:
        yield server


@contextlib.contextmanager
def redis(folder):
    port = servers.free_port()
    with servers.Server([servers.installed("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                         "--appendonly", "yes", "--appendfsync", "always", "--dir", folder,
                         "--auto-aof-rewrite-percentage", "0", "--protected-mode", "no", "--maxclients", "19000",
                         "--tcp-backlog", "4096"], port) as server:
        yield server


ROWS = [
    Durable("answerd, log, 1 worker", lambda folder: answerd_log(folder, 1), settle=spare_is_there),
    Durable("answerd, log, 2 workers", lambda folder: answerd_log(folder, 2), settle=spare_is_there),
    Durable("answerd, log, Sync=100ms, 1 worker", lambda folder: answerd_log(folder, 1, "100ms"),
            settle=spare_is_there),
    Durable("answerd, journal, 1 worker", answerd_journal),
    Durable("answerd, none, 1 worker", answerd_none),
    Durable("redis, fsync always, SET", redis, f"SET k {VALUE}"),
    # Its reply has two lines: what comes at once is one.
    Durable("redis, fsync always, XADD", redis, f"XADD s MAXLEN ~ 1000 * m {VALUE}\n", ["--framing=chunk"]),
]


def one(row, connections, in_flight, rate, seconds):
    """A dict of figures."""
    folder = tempfile.mkdtemp(prefix="answerd-durable", dir=os.environ.get("BENCH_DISK", "/var/tmp"))
    try:
        with row.start(folder) as server:
            options = [f"--connections={connections}", f"--pipeline={in_flight}", "--workers=1", *row.options]
            if rate:
                options.append(f"--rate={rate}")
            # Once, so that connecting does not count, nor what a server does only at its start.
            measure.load(server, *options[:3], *row.options, f"--messages={connections * in_flight}", message=row.message)
            row.settle(folder)
            before, flushed = server.cpu_ns(), syncs(folder)
            result = measure.load(server, *options, f"--duration={seconds}s", message=row.message)
            cpu, after = server.cpu_ns() - before, syncs(folder)
    finally:
        shutil.rmtree(folder)
    achieved, latency = result["achieved"], result["latency_us"]
    figures = {"rate": achieved["rate"], "p50": latency["p50"], "p99": latency["p99"],
               "cpu": cpu / achieved["messages"] / 1000}
    if flushed is not None:
        figures["syncs"] = (after - flushed) / achieved["messages"]
    return figures


def measure_all(bench, rounds, seconds, largest):
    """By turns: a round does all work with all rows, each time in another order."""
    for number in range(rounds):
        bench.say(f"durable, round {number + 1} of {rounds}")
        for column, connections, in_flight, rate in turns.rotated(WORK, number):
            for row in turns.rotated(ROWS, number):
                if row.skips(in_flight) or row.name in bench.missing:
                    continue
                try:
                    figures = one(row, min(connections, largest), in_flight, rate, seconds)
                except servers.Missing as reason:
                    bench.missing[row.name] = str(reason)
                    continue
                bench.add(row.name, **{f"durable {column} {k}": v for k, v in figures.items()})


KINDS = [("rate", "recorded and answered a second", ",.0f"), ("p50", "half of the replies within, µs", ",.0f"),
         ("p99", "99 % of the replies within, µs", ",.0f"), ("cpu", "server CPU, µs per message", ".2f"),
         ("syncs", "disk flushes per message", ".4f")]


def tables(bench, row_text, figure):
    """Markdown, one table for each kind of figure."""
    parts = []
    for kind, text, form in KINDS:
        columns = [c for c, *_ in WORK if any(bench.median(r.name, f"durable {c} {kind}") for r in ROWS)]
        if not columns:
            continue
        parts.append([row_text([text] + [title(c) for c in columns]), row_text(["---"] + ["---:"] * len(columns))] +
                     [row_text([r.name] + [figure(bench.median(r.name, f"durable {c} {kind}"), form) for c in columns])
                      for r in ROWS if any(bench.median(r.name, f"durable {c} {kind}") for c in columns)])
    return parts
