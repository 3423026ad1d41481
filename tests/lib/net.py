# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets with deadlines, waiting for conditions, and what a process holds. Nothing here sleeps blindly.

An address is `(host, port)` for TCP or a string for a UNIX socket, which starts with `@` when it is
abstract, as answerd writes them.
"""

import os
import select
import socket
import time

# How long what must come may take before it counts as not coming. Waiting ends with the event, so that much costs nothing.
TIMEOUT = 60.0
# Where a time is itself what is promised: how much later it may be seen on a machine that has other work to do. A mistake
# that such a test is to find has to be later than that.
LATE = 10.0


def wait_until(predicate, timeout=TIMEOUT, what=None, interval=0.01):
    """Returns the predicate's first true value, or fails once `timeout` seconds have gone by.

    For conditions which nothing announces, such as a number in /proc. Where there is an event to wait
    for, wait for the event.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not so within {timeout} s: {what or predicate}")
        time.sleep(interval)


def parse_address(text):
    """Turns `HOST:PORT`, `[V6]:PORT`, `/path`, `unix:/path` or `@name` into an address."""
    if text.startswith("unix:"):
        return text[len("unix:"):]
    if text[:1] in "/@":
        return text
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def connect(address, timeout=TIMEOUT, source=None):
    """A connected stream socket whose every operation fails after `timeout` seconds."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        address = "\0" + address[1:] if address.startswith("@") else address
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
    sock.settimeout(timeout)
    try:
        if source is not None:
            sock.bind(source)
        sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def _receive(sock, count, deadline):
    left = deadline - time.monotonic()
    if left <= 0:
        raise socket.timeout("deadline reached")
    sock.settimeout(left)
    return sock.recv(count)


def recv_exactly(sock, count, timeout=TIMEOUT):
    """Exactly `count` bytes; AssertionError with what came before, if the stream ends or the time does."""
    deadline = time.monotonic() + timeout
    data = bytearray()
    while len(data) < count:
        try:
            piece = _receive(sock, count - len(data), deadline)
        except socket.timeout:
            raise AssertionError(f"{len(data)} of {count} bytes in {timeout} s: {bytes(data[-200:])!r}")
        if not piece:
            raise AssertionError(f"ended after {len(data)} of {count} bytes: {bytes(data[-200:])!r}")
        data += piece
    return bytes(data)


def recv_until_eof(sock, timeout=TIMEOUT):
    """Everything up to the end of the stream. A reset raises ConnectionResetError."""
    deadline = time.monotonic() + timeout
    data = bytearray()
    while True:
        try:
            piece = _receive(sock, 1 << 16, deadline)
        except socket.timeout:
            raise AssertionError(f"no end of stream in {timeout} s after {len(data)} bytes")
        if not piece:
            return bytes(data)
        data += piece


def recv_line(sock, timeout=TIMEOUT):
    """One line with its LF, and nothing after it: read a byte at a time, for tests of few messages."""
    deadline = time.monotonic() + timeout
    data = bytearray()
    while not data.endswith(b"\n"):
        try:
            piece = _receive(sock, 1, deadline)
        except socket.timeout:
            raise AssertionError(f"no line in {timeout} s, only {bytes(data)!r}")
        if not piece:
            raise AssertionError(f"ended inside a line: {bytes(data)!r}")
        data += piece
    return bytes(data)


def exchange(address, data, timeout=TIMEOUT):
    """Sends data, half-closes, and returns all that comes back, as `printf DATA | nc -N` does."""
    with connect(address, timeout) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return recv_until_eof(sock, timeout)


def listener(address=("127.0.0.1", 0), backlog=4096):
    """A listening socket; port 0 lets the kernel choose."""
    if isinstance(address, str):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.bind("\0" + address[1:] if address.startswith("@") else address)
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
    sock.listen(backlog)
    return sock


def free_port():
    """A port that was free a moment ago, for both families."""
    with socket.socket(socket.AF_INET6) as probe:
        probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        probe.bind(("::", 0))
        return probe.getsockname()[1]


def fd_count(pid):
    """The number of descriptors that a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def socket_count(pid):
    """How many of them are sockets."""
    count, folder = 0, f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            count += os.readlink(os.path.join(folder, name)).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


def watched_sockets(pid):
    """The sockets, by their names in /proc/PID/fd, that a process has in an epoll set (proc(5), fdinfo)."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
            watched = [line.split()[1] for line in info if line.startswith("tfd:")]
        found |= {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in watched}
    return {link for link in found if link.startswith("socket:")}


def _ends(address):
    """A TCP address as /proc/net/tcp writes its port."""
    return "%04X" % address[1]


def unread(pid, address, client):
    """The bytes that a process has not read yet from a TCP client (proc(5), /proc/net/tcp); None where it has closed."""
    wanted = [_ends(address), _ends(client.getsockname())]
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for row in table.read().splitlines()[1:]:
            fields = row.split()
            if [end.rpartition(":")[2] for end in fields[1:3]] == wanted and fields[9] != "0":
                return int(fields[4].partition(":")[2], 16)
    return None


def stopped_reading(pid, address, client):
    """Whether a process leaves what a client has sent where it is: there is something, and all of its threads sleep.

    One that had yet to come to it would be runnable.
    """
    left = unread(pid, address, client)
    return bool(left) and asleep(pid) and unread(pid, address, client) == left


def asleep(pid):
    """Whether all threads of a process wait for something, and none of them for a processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as stat:
            if stat.read().rpartition(")")[2].split()[0] != "S":
                return False
    return True


def send_until_full(sock, data, stopped, limit=64 << 20):
    """Sends `data` again and again, until the peer has stopped reading, as stopped() says, and no more fits in.

    Returns how many bytes that were. The socket is left non-blocking.
    """
    sock.setblocking(False)
    deadline, sent = time.monotonic() + TIMEOUT, 0
    while sent < limit:
        if select.select([], [sock], [], 0.05)[1]:
            sent += sock.send(data[sent % len(data):])
        elif stopped():
            return sent
        elif time.monotonic() > deadline:
            raise AssertionError(f"{sent} bytes are sent, no more fit in, and the peer has not stopped reading")
    raise AssertionError(f"{sent} bytes are taken, and more would be")


def status_kib(pid, field):
    """A line of /proc/PID/status that is in kB, such as VmRSS, RssAnon or VmHWM."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith(field + ":"):
                return int(line.split()[1])
    raise KeyError(field)


def rss_bytes(pid):
    """Resident memory of a process, in bytes."""
    return status_kib(pid, "VmRSS") * 1024


def forget_peak(pid):
    """Makes VmHWM count from now on (proc(5), /proc/PID/clear_refs). Returns resident memory, in bytes."""
    with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")
    return rss_bytes(pid)


def cpu_seconds(pid):
    """User and system time that a process has used (proc(5), /proc/PID/stat fields 14 and 15)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
