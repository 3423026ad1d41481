# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets with deadlines, waiting for conditions, and the resources of a process. Nothing here sleeps blindly.

An address is `(host, port)` for TCP, or a string for a UNIX socket. It begins with `@` if abstract, as in answerd.
"""

import os
import select
import socket
import time

# The longest wait for an event that must come. A wait ends with the event, so a long limit costs nothing.
TIMEOUT = 60.0
# The tolerance if the time itself is promised: how late it may be on a busy machine. A fault that such a test can find
# must be later than this.
LATE = 10.0


def wait_until(predicate, timeout=TIMEOUT, what=None, interval=0.01):
    """Returns the predicate's first true value. Fails after `timeout` seconds.

    For conditions without an event, such as a number in /proc. If there is an event, wait for the event.
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
    """A connected stream socket. Each operation fails after `timeout` seconds."""
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
    """Exactly `count` bytes. AssertionError with the bytes so far if the stream or the time ends."""
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
    """One line with its LF, read a byte at a time, for tests with few messages."""
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
    """Sends data, half-closes, and returns all replies, as `printf DATA | nc -N` does."""
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
    """The number of sockets among them."""
    count, folder = 0, f"/proc/{pid}/fd"
    for name in os.listdir(folder):
        try:
            count += os.readlink(os.path.join(folder, name)).startswith("socket:")
        except FileNotFoundError:
            pass  # closed meanwhile
    return count


def watched_sockets(pid):
    """The sockets in epoll sets of a process, by their names in /proc/PID/fd (proc(5), fdinfo)."""
    found = set()
    for name in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{name}", encoding="ascii") as info:
            watched = [line.split()[1] for line in info if line.startswith("tfd:")]
        found |= {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in watched}
    return {link for link in found if link.startswith("socket:")}


def _ends(address):
    """The port of a TCP address as in /proc/net/tcp."""
    return "%04X" % address[1]


def unread(pid, address, client):
    """The bytes from a TCP client that a process has not read (proc(5), /proc/net/tcp); None if it has closed."""
    wanted = [_ends(address), _ends(client.getsockname())]
    with open(f"/proc/{pid}/net/tcp", encoding="ascii") as table:
        for row in table.read().splitlines()[1:]:
            fields = row.split()
            if [end.rpartition(":")[2] for end in fields[1:3]] == wanted and fields[9] != "0":
                return int(fields[4].partition(":")[2], 16)
    return None


def stopped_reading(pid, address, client):
    """Whether a process leaves the data of a client unread: there is some, and all its threads sleep.

    A process about to read it would be runnable.
    """
    left = unread(pid, address, client)
    return bool(left) and asleep(pid) and unread(pid, address, client) == left


def asleep(pid):
    """Whether all threads of a process wait for an event, and none for a processor."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8", errors="replace") as stat:
            if stat.read().rpartition(")")[2].split()[0] != "S":
                return False
    return True


def send_until_full(sock, data, stopped, limit=64 << 20):
    """Sends `data` over and over until stopped() says that the peer has stopped reading, and no more fits.

    Returns the number of bytes. The socket is left non-blocking.
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
    """A line of /proc/PID/status in kB, such as VmRSS, RssAnon or VmHWM."""
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
    """User and system time of a process (proc(5), /proc/PID/stat fields 14 and 15)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
