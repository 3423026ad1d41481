# SPDX-License-Identifier: LGPL-2.1-or-later
"""Single figures: the resources that a server used for a piece of work from ask-bench."""

import concurrent.futures
import contextlib
import ctypes
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import daemon
import journald
import net
import servers


def load_command(server, *options, message=None):
    """The command for ask-bench against a server. It prints its result as JSON."""
    return [daemon.program("ask-bench"), *options, *([f"--message={message}"] if message else []), "--json=-",
            server.address]


def load(server, *options, message=None, cpus=None, check=True):
    """Runs ask-bench against a server and returns its result. Every error is an error of the bench."""
    command = load_command(server, *options, message=message)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus or os.sched_getaffinity(0)))
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.stderr.decode()}\n{server.said()}")
    result = json.loads(done.stdout)
    if check and result["errors"]:
        raise AssertionError(f"{' '.join(command)}: {result['errors']}\n{server.said()}")
    return result


def answered(sock):
    """Reads a reply, up to the end of a line."""
    while not sock.recv(1 << 16).endswith(b"\n"):
        pass


def idle_memory(server, connections, message=None):
    """(idle, after a burst): the server's own bytes per connection: once each has been answered; and once all, at
    the same time, have sent half a message, then the rest, and been answered again."""
    message = (message or "x" * 1000).encode() + b"\n"
    host, port = server.address.split(":")
    net.exchange((host, int(port)), message)
    before = server.anonymous_bytes()
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(net.connect((host, int(port)))) for _ in range(connections)]
        for sock in crowd:
            sock.sendall(message)
            answered(sock)
        idle = server.anonymous_bytes()
        half = len(message) // 2
        for part in (message[:half], message[half:]):
            for sock in crowd:
                sock.sendall(part)
        for sock in crowd:
            answered(sock)
        burst = server.anonymous_bytes()
    return (idle - before) / connections, (burst - before) / connections


def instructions(answerd, connections, total, cpus=None):
    """User instructions of an answerd per message, counted by callgrind in two runs. One has `total` messages more."""
    if not shutil.which("valgrind"):
        raise servers.Missing("valgrind is not installed")

    def count(n):
        with tempfile.TemporaryDirectory() as folder:
            command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                       *answerd.command("--record=none", "--workers=1")]
            with servers.Server(command, cpus=cpus) as server:
                sent = load(server, f"--connections={connections}", f"--messages={n}", "--workers=1",
                            "--timeout=60s")["achieved"]["messages"]
                collected = re.search(r"Collected : (\d+)", server.end())
        return int(collected.group(1)), sent

    few, n_few = count(connections)
    many, n_many = count(connections + total)
    return (many - few) / (n_many - n_few)


CLONE_NEWNET = 0x40000000
QUEUE = 512  # datagrams: what systemd, as PID 1, sets net.unix.max_dgram_qlen to


def queue_as_booted():
    """Gives new sockets of this thread the queue length that they have after a boot with systemd. The length belongs
    to a network namespace, and to a socket from its creation (unix(7)). Without permission it stays unchanged."""
    if ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0:
        with open("/proc/sys/net/unix/max_dgram_qlen", "w", encoding="ascii") as length:
            length.write(str(QUEUE))


def in_new_thread(function):
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


class Journal(journald.Journal):
    """A journald on its own CPUs."""

    def create_socket(self):
        def create():
            queue_as_booted()
            super(Journal, self).create_socket()

        in_new_thread(create)

    def __init__(self, cpus):
        super().__init__()
        for task in os.listdir(f"/proc/{self.pid}/task"):
            os.sched_setaffinity(int(task), cpus)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def journal_capture(n, connections, in_flight, path):
    """Writes the entries of answerd for n messages to a file, in the form that flood reads."""

    def receive(sock):
        n_received = 0
        with open(path, "wb") as file:
            while n_received < n:
                entry = sock.recv(1 << 16)
                # Other entries are events of the daemon.
                if b"\nANSWERD_DATA\n" in entry:
                    file.write(len(entry).to_bytes(4, sys.byteorder) + entry)
                    n_received += 1

    with tempfile.TemporaryDirectory(prefix="aj", dir="/tmp") as folder, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, \
            concurrent.futures.ThreadPoolExecutor(1) as thread:
        sock.settimeout(60)
        sock.bind(os.path.join(folder, "socket"))
        with recording(servers.ANSWERD, sock.getsockname()) as server:
            received = thread.submit(receive, sock)
            journal_load(server, n, connections, in_flight)
            received.result()


def recording(answerd, socket_path, cpus=None):
    return servers.Server(answerd.command("--record=journal", "--workers=1"), cpus=cpus,
                          env={"ANSWERD_JOURNAL_SOCKET": socket_path})


def journal_load(server, n, connections, in_flight, cpus=None):
    return load(server, f"--connections={connections}", f"--pipeline={in_flight}", f"--messages={n}", "--workers=1",
                cpus=cpus)


def journal_flood(n, entries, cpus, journal_cpus):
    """Entries/s that journald takes from a bare flood of these n."""
    with Journal(journal_cpus) as journal:
        begun = time.monotonic()
        subprocess.run([servers.tool("flood"), journal.socket_path, entries], check=True,
                       stdin=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        journal.sync()
        seconds = time.monotonic() - begun
        kept(journal, n)
    return n / seconds


def journal_answerd(answerd, n, connections, in_flight, cpus, journal_cpus):
    """Messages/s that answerd records in such a journald and answers, n in all, once all are connected."""
    with Journal(journal_cpus) as journal, recording(answerd, journal.socket_path, cpus) as server:
        seconds = journal_load(server, n, connections, in_flight, cpus)["achieved"]["seconds"]
        begun = time.monotonic()
        journal.sync()
        seconds += time.monotonic() - begun
        kept(journal, n)
    return n / seconds


def kept(journal, n):
    """Fails unless the journal has n messages, with different IDs."""
    done = subprocess.run(["journalctl", f"--directory={journal.logs}", "--field=ANSWERD_ID"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)
    found = done.stdout.count(b"\n")
    if found != n:
        raise AssertionError(f"the journal holds {found} messages of {n}")
