# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers do the same work in turns of a fraction of a second.

Every server has its own load, and all loads but one are stopped. The other work of a machine, and the speed of a
virtual one, change within seconds. Turns as short as these see the same conditions.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import daemon
import measure
import net
import servers

LONGEST = 300     # seconds: a forgotten load ends by itself
BEGINNING = 0.02  # seconds, before the first turn
AT_WORK_NS = 2000000


class Load:
    """An ask-bench at work on one server, in turns, and the CPU time of that server."""

    def __init__(self, server, message, options, connections, cpus):
        """Connects, then stops. options: of ask-bench, besides connections. With --churn it begins at once."""
        self._server = server
        self._churn = "--churn" in options
        self._few = self._cpu_few = 0
        options = [f"--connections={connections}", *options]
        self._idle = net.socket_count(server.pid)
        if not self._churn:
            # Connecting and closing must not count: a run that does little else is subtracted.
            before = server.cpu_ns()
            achieved = measure.load(server, *options, f"--messages={connections}", message=message, cpus=cpus)["achieved"]
            self._wait_idle()
            self._few, self._cpu_few = achieved["messages"], server.cpu_ns() - before
        self._cpu_before = server.cpu_ns()
        self._stopped = 0.0  # seconds in total
        # In its own process group, to be stopped with its workers. It dies with its parent.
        self._process = subprocess.Popen(
            [sys.executable, "-SE", servers.ACTIVATE, "",
             *measure.load_command(server, *options, f"--duration={LONGEST}s", f"--timeout={LONGEST}s", message=message)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        # Until all are connected and it begins to ask. Then the clock of ask-bench starts.
        if self._churn:
            net.wait_until(lambda: server.cpu_ns() - self._cpu_before > AT_WORK_NS, interval=0.001, what="some work")
        else:
            net.wait_until(lambda: net.socket_count(server.pid) >= self._idle + connections, interval=0.001,
                           what=f"{connections} connections")
        if "--tls" in options:
            # The handshakes come after that. By then they are over: the run above did nothing else.
            net.wait_until(lambda: server.cpu_ns() - self._cpu_before > self._cpu_few, interval=0.001, what="handshakes")
        time.sleep(BEGINNING)
        self._stop()

    def _wait_idle(self):
        net.wait_until(lambda: net.socket_count(self._server.pid) <= self._idle, what="all connections to be closed")

    def _stop(self):
        os.killpg(self._process.pid, signal.SIGSTOP)
        self._stopped -= time.monotonic()

    def _go(self):
        self._stopped += time.monotonic()
        os.killpg(self._process.pid, signal.SIGCONT)

    def turn(self, seconds):
        self._go()
        time.sleep(seconds)
        self._stop()

    def finish(self):
        """Ends the load. Returns (CPU µs per message, or per connection with --churn; how many of them a second)."""
        self._process.send_signal(signal.SIGINT)
        self._go()
        out, err = self._process.communicate(timeout=60)
        result = json.loads(out) if self._process.returncode == 128 + signal.SIGINT else None
        if not result or result["errors"]:
            raise AssertionError(f"ask-bench: {err.decode()} {result and result['errors']}\n{self._server.said()}")
        achieved = result["achieved"]
        self._wait_idle()
        cpu = self._server.cpu_ns() - self._cpu_before - self._cpu_few
        n = achieved["connects" if self._churn else "messages"]
        if n <= 2 * self._few:
            raise AssertionError(f"{n} in all turns: too few to measure anything\n{self._server.said()}")
        return cpu / (n - self._few) / 1000, n / (achieved["seconds"] - self._stopped)

    def close(self):
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def rotated(items, number):
    """In a different order each time, so that none always follows the same one."""
    first = number % len(items)
    return items[first:] + items[:first]


def take(loads, turns, seconds):
    """That many turns of each. Returns the finish() of each load, in order."""
    with contextlib.ExitStack() as stack:
        for load in loads:
            stack.callback(load.close)
        for number in range(turns):
            for load in rotated(loads, number):
                load.turn(seconds)
        return [load.finish() for load in loads]
