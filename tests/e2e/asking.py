# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs ask, and the servers that it talks to: plain ones that share no code with answerd."""

import contextlib
import os
import socket
import struct
import subprocess
import tempfile
import threading

import daemon
import net

ASK = daemon.program("ask")
DEADLINE = 60.0


class Server:
    """Accepts connections and passes each to a function in a thread of its own.

    An error there fails the test, except when ask has gone.
    """

    def __init__(self, test, handler, address=("127.0.0.1", 0)):
        self._listener = net.listener(address)
        self._handler = handler
        self._threads = []
        self._errors = []
        self.connections = 0
        name = self._listener.getsockname()
        self.address = name
        self.port = name[1] if isinstance(name, tuple) else None
        accepting = threading.Thread(target=self._accept, daemon=True)
        accepting.start()
        test.addCleanup(self._end, test, accepting)

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            sock.settimeout(DEADLINE)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock):
        with sock:
            try:
                self._handler(sock)
            except (BrokenPipeError, ConnectionResetError):
                pass
            except Exception as error:  # any error: the test's own thread raises it again
                self._errors.append(error)

    def _end(self, test, accepting):
        # close() alone would not wake accept().
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        accepting.join(DEADLINE)
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE)
            test.assertFalse(thread.is_alive(), "a server's connection did not end")
        for error in self._errors:
            raise error


def lines_of(sock):
    """The lines that arrive, without LF."""
    with sock.makefile("rb") as stream:
        for line in stream:
            yield line[:-1] if line.endswith(b"\n") else line


def echo_lines(sock):
    """A server for --framing=line that echoes each line."""
    for line in lines_of(sock):
        sock.sendall(line + b"\n")


def ask_raw(arguments, stdin=b"", stdin_file=None, env=None, **rest):
    """Runs ask with these arguments to its end; stdin is bytes, or a file."""
    rest.setdefault("stdout", subprocess.PIPE)
    given = {"input": stdin} if stdin_file is None else {"stdin": stdin_file}
    return subprocess.run([ASK, *arguments], stderr=subprocess.PIPE, timeout=DEADLINE,
                          env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, **given, **rest)


def start(arguments, env=None, **rest):
    """Starts ask; its stdin, stdout and stderr are pipes unless told otherwise."""
    for name in ("stdin", "stdout", "stderr"):
        rest.setdefault(name, subprocess.PIPE)
    return subprocess.Popen([ASK, *arguments], bufsize=0,
                            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})}, **rest)


def reset(sock):
    """Closes with RST (socket(7): SO_LINGER with a time of 0)."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def peer_pid(sock):
    """The process at the other end of a UNIX socket (unix(7), SO_PEERCRED)."""
    return struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def directory(test):
    """A folder for the test, with a path short enough for a UNIX socket."""
    folder = tempfile.TemporaryDirectory(prefix="ask", dir="/tmp")
    test.addCleanup(folder.cleanup)
    return folder.name


def memory_peak(pid):
    """The peak memory of a running process, in bytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
