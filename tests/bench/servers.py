# SPDX-License-Identifier: LGPL-2.1-or-later
"""The servers in the bench: how to start each, what to ask it, and what it used."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

import daemon
import net

HERE = os.path.dirname(os.path.abspath(__file__))
ACTIVATE = os.path.join(os.path.dirname(HERE), "lib", "activate.py")


class Missing(Exception):
    """A server that is not installed. Its column stays empty."""


def tool(name):
    """A program of tests/bench that was built."""
    for folder in (os.environ.get("top_builddir", ""), os.path.join(daemon.TOP, "build"), daemon.TOP):
        path = os.path.join(folder, "tests", "bench", name)
        if folder and os.access(path, os.X_OK):
            return path
    raise FileNotFoundError(f"tests/bench/{name} is not built: run this by `make bench`")


def peer_file(name):
    return os.path.join(HERE, "peers", name)


def installed(name):
    path = shutil.which(name)
    if not path:
        raise Missing(f"{name} is not installed")
    return path


def free_port():
    """A port that was free a moment ago, for servers that cannot let the kernel choose."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def listening(said):
    """The addresses in a server's output on which it says that it listens."""
    return re.findall(r"listening on (127\.0\.0\.1:\d+)", said)


class Server:
    """A running server. `with` ends it."""

    def __init__(self, command, port=None, cpus=None, env=None):
        """Starts it on those CPUs and waits until it listens: on `port`, or on the address that it prints."""
        environment = {k: v for k, v in os.environ.items()
                       if not k.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "JOURNAL_", "INVOCATION_"))}
        environment.update(env or {})
        self._log = tempfile.TemporaryFile()
        # activate.py passes no descriptor here. It makes the server die with the bench.
        self._process = subprocess.Popen(
            [sys.executable, "-SE", ACTIVATE, "", *command], env=environment,
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus or os.sched_getaffinity(0)))
        self.pid = self._process.pid
        try:
            self.address = net.wait_until(lambda: self._listening(port), timeout=30.0,
                                          what=f"{command[0]} to listen")
        except AssertionError:
            self.close()
            raise

    def _listening(self, port):
        if self._process.poll() is not None:
            raise AssertionError(f"ended at once:\n{self.said()}")
        if port is None:
            found = listening(self.said())
            return found and found[0]
        try:
            net.connect(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            return None
        return f"127.0.0.1:{port}"

    def said(self):
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    def cpu_ns(self):
        """CPU time of its threads, in ns (proc(5), schedstat)."""
        total = 0
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/schedstat", encoding="ascii") as stat:
                total += int(stat.read().split()[0])
        return total

    def anonymous_bytes(self):
        """Its own memory: neither of files nor shared (proc(5), smaps_rollup)."""
        with open(f"/proc/{self.pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                if line.startswith("Anonymous:"):
                    return int(line.split()[1]) * 1024
        raise KeyError("Anonymous")

    def end(self):
        """Sends SIGTERM. Returns its output."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(timeout=60)
        return self.said()

    def close(self):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def start_floor(cpus):
    return Server([tool("floor")], cpus=cpus)


def start_threaded_floor(cpus):
    return Server([tool("floor"), "--thread"], cpus=cpus)


def start_redis(cpus):
    port = free_port()
    return Server([installed("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                   "--appendonly", "no", "--protected-mode", "no", "--maxclients", "19000",
                   "--tcp-backlog", "4096"], port, cpus)


def start_memcached(cpus):
    port = free_port()
    user = ["-u", "root"] if os.geteuid() == 0 else []
    return Server([installed("memcached"), "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-t", "1",
                   "-c", "19000", "-b", "4096", *user], port, cpus)


def start_node(cpus):
    return Server([installed("node"), peer_file("node-echo.js")], cpus=cpus)


def start_asyncio(cpus):
    return Server([sys.executable, peer_file("asyncio-lines.py")], cpus=cpus)


class Contender:
    """A row of the table."""

    def __init__(self, name, start, message=None):
        self.name = name
        self.start = start
        self.message = message  # the message to send; None: any 16 bytes


class Answerd(Contender):
    """An answerd: the one that was built, or another program."""

    def __init__(self, name, program=None):
        super().__init__(name, self._start)
        self.program = program or daemon.program("answerd")

    def command(self, *options):
        return [self.program, "--config=/dev/null", "--listen=127.0.0.1:0", *options]

    def _start(self, cpus):
        return Server(self.command("--record=none", "--workers=1"), cpus=cpus)


FLOOR = Contender("floor", start_floor)
ANSWERD = Answerd("answerd")
ALL = [
    FLOOR,
    Contender("floor, threaded", start_threaded_floor),
    ANSWERD,
    Contender("redis", start_redis, "PING"),
    Contender("memcached", start_memcached, "mn"),
    Contender("node", start_node),
    Contender("asyncio", start_asyncio),
]
