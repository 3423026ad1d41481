# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard error shared with other writers: no line is lost, and nobody's descriptor changes."""

import os
import shutil
import subprocess
import tempfile
import unittest

import net
import tap
from daemon import program

# $0 is the program, $1 the path of a socket. $2 is where to report a step, $3 where to wait for one. answerd inherits
# descriptor 2 from the shell.
SCRIPT = """
echo 'shell: before' >&2
"$0" --config=/dev/null --record=stderr --listen="$1" --workers=2 &
read -r _ <"$3"
echo 'shell: during' >&2
echo >"$2"
read -r _ <"$3"
kill $!
wait $!
echo "shell: after $?" >&2
"""
ROUNDS = 50


class Shared(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.socket = self.path("socket")
        for name in "told", "step":
            os.mkfifo(self.path(name))

    def path(self, name):
        return os.path.join(self.folder, name)

    def step(self):
        with open(self.path("step"), "w", encoding="ascii") as fifo:
            fifo.write("\n")

    def converse(self, stderr):
        """Runs the script, with messages before and after the shell's own line."""
        shell = subprocess.Popen(["bash", "-c", SCRIPT, program(), self.socket, self.path("told"), self.path("step")],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        self.addCleanup(shell.wait)
        self.addCleanup(shell.kill)
        net.wait_until(lambda: os.path.exists(self.socket), what="the socket")
        for half in "early", "late":
            for number in range(ROUNDS):
                # One connection each, so that both workers write.
                self.assertEqual(net.exchange(self.socket, f"{half} {number}\n".encode()), b"ok\n")
            self.step()
            if half == "early":
                with open(self.path("told"), encoding="ascii") as fifo:
                    fifo.read()
        self.assertEqual(shell.wait(timeout=net.TIMEOUT), 0)

    def check(self, text, first="shell: before\n"):
        lines = text.decode().splitlines()
        self.assertEqual([line for line in lines if line.startswith("shell: ")],
                         ["shell: before", "shell: during", "shell: after 0"])
        self.assertTrue(text.decode().startswith(first), text[:200])
        self.assertNotIn("\0", text.decode())
        for half in "early", "late":
            got = sorted(line.split(": ", 1)[1] for line in lines if f": {half} " in line)
            self.assertEqual(got, sorted(f"{half} {number}" for number in range(ROUNDS)))
        during = lines.index("shell: during")
        self.assertTrue(all(": late" not in line for line in lines[:during]))
        self.assertTrue(all(": early" not in line for line in lines[during:]))

    def test_a_file(self):
        with open(self.path("log"), "wb") as log:
            self.converse(log)
        with open(self.path("log"), "rb") as log:
            self.check(log.read())

    def test_a_file_to_append_to(self):
        with open(self.path("log"), "wb") as log:
            log.write(b"what was there\n")
        with open(self.path("log"), "ab") as log:
            self.converse(log)
        with open(self.path("log"), "rb") as log:
            self.check(log.read(), "what was there\nshell: before\n")

    def test_a_pipe(self):
        read_end, write_end = os.pipe()
        with os.fdopen(read_end, "rb") as pipe:
            with os.fdopen(write_end, "wb") as end:
                self.converse(end)
                self.assertTrue(os.get_blocking(end.fileno()))
            self.check(pipe.read())

    def test_a_socket(self):
        ours, theirs = net.socket.socketpair()
        with ours:
            with theirs:
                self.converse(theirs)
                self.assertTrue(theirs.getblocking())
            self.check(net.recv_until_eof(ours))

    def test_a_terminal(self):
        ours, theirs = os.openpty()
        with os.fdopen(theirs, "wb", buffering=0) as terminal:
            self.converse(terminal)
            self.assertTrue(os.get_blocking(terminal.fileno()))
            text = b""
            while not text.endswith(b"shell: after 0\r\n"):
                text += os.read(ours, 1 << 16)
        os.close(ours)
        self.check(text.replace(b"\r\n", b"\n"))


if __name__ == "__main__":
    tap.main()
