# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon that records into a log of its own, and answerlog, which reads it."""

import json
import os
import shutil
import struct
import subprocess
import tempfile

import daemon
import net

ANSWERLOG = daemon.program("answerlog")
DEADLINE = 60.0
CONFIG = """
[Listener default]
Record=log
Framing={framing}
MaxMessageSize={max_message}
[Log]
Directory={folder}
SegmentSize={segment_size}
"""


class Log:
    """The folder of a log, and the daemon that writes to it. Both end with the test."""

    def __init__(self, test, framing="line", segment_size="64K", max_message="32K"):
        self._test = test
        self.root = tempfile.mkdtemp(prefix="al", dir="/tmp")
        test.addCleanup(shutil.rmtree, self.root)
        self.folder = os.path.join(self.root, "log")
        self._framing = framing
        self._config = CONFIG.format(framing=framing, folder=self.folder, segment_size=segment_size,
                                     max_message=max_message)
        self.daemon = None
        self.start()

    def start(self):
        self.daemon = daemon.Daemon(self._test, config=self._config)

    def record(self, messages):
        """Sends the messages on one connection, and waits until each is answered."""
        if self._framing == "line":
            data, reply = b"".join(m + b"\n" for m in messages), b"ok\n"
        else:
            data, reply = b"".join(struct.pack(">I", len(m)) + m for m in messages), struct.pack(">I", 2) + b"ok"
        replies = net.exchange(self.daemon.address(), data)
        self._test.assertEqual(replies, reply * len(messages))

    def segments(self):
        """The paths of the segments, oldest first."""
        return sorted(os.path.join(self.folder, name) for name in os.listdir(self.folder) if name.endswith(".log"))

    def copy(self):
        """A copy of the folder, without the daemon's lock on it."""
        path = os.path.join(self.root, f"copy{len(os.listdir(self.root))}")
        shutil.copytree(self.folder, path)
        return path


def unreadable(path, when="1+"):
    """A wrapper for run(): of the reads of this file, these fail."""
    # The leak check uses ptrace(), which only one tracer can.
    leaks = "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    return ["env", leaks, "strace", "-qq", "-o", "/dev/null", "-P", path, "-e", "trace=pread64",
            "-e", f"inject=pread64:error=EIO:when={when}"]


def run(*arguments, status=0, error="", env=None, wrapper=()):
    """Runs answerlog, checks its exit status and standard error, and returns the bytes that it printed."""
    done = subprocess.run([*wrapper, ANSWERLOG, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=DEADLINE, check=False, env={**os.environ, **(env or {})})
    said = done.stderr.decode()
    if done.returncode != status or (said != error if error is not None else False):
        raise AssertionError(f"answerlog {' '.join(arguments)}: exit status {done.returncode}, not {status}; "
                             f"standard error {said!r}, not {error!r}")
    return done.stdout


def messages(*arguments, **rest):
    """The messages that answerlog shows, which have no newline in them."""
    return run("-o", "cat", *arguments, **rest).splitlines()


def objects(*arguments, **rest):
    """What -o json shows."""
    return [json.loads(line) for line in run("-o", "json", *arguments, **rest).splitlines()]


def damage(path, offset, byte=0x10):
    """Flips bits of one byte in a file."""
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ byte]))


def start(*arguments):
    """answerlog in the background, with pipes for its output; the test ends it."""
    return subprocess.Popen([ANSWERLOG, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)
