# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sockets with deadlines, waiting for conditions, and what a process holds. Nothing here sleeps blindly.

An address is `(host, port)` for TCP or a string for a UNIX socket, which starts with `@` when it is
abstract, as answerd writes them.
"""

import os
import socket
import time

TIMEOUT = 10.0


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


def cpu_seconds(pid):
    """User and system time that a process has used (proc(5), /proc/PID/stat fields 14 and 15)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
