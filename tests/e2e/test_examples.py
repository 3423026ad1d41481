# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients in examples/, unchanged."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import journald
import net
import tap
from daemon import Daemon

MESSAGES = "MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46"


def example(name):
    return os.path.join(daemon.TOP, "examples", name)


class Examples(unittest.TestCase):
    def setUp(self):
        self.listener = net.listener()
        self.addCleanup(self.listener.close)
        self.address = [str(part) for part in self.listener.getsockname()[:2]]

    def serve(self, config="", journal=None):
        return Daemon.activate(self, [(self.listener, "default")], config=config, journal=journal)

    def run_client(self, *command, stdin=b""):
        return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT,
                              check=False)

    def test_in_c(self):
        compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
        if not compiler:
            self.skipTest("there is no C compiler")
        folder = tempfile.mkdtemp(prefix="ae", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        client = os.path.join(folder, "client")
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", client, example("client.c")], check=True)
        self.assertEqual(self.run_client(client, *self.address[:1], "1", "message").returncode, 3)
        self.serve("[Listener default]\nReply={seq} {message}\nMaxMessageSize=10\n")
        done = self.run_client(client, *self.address, "one", "two")
        self.assertEqual((done.returncode, done.stdout), (0, b"1 one\n2 two\n"))
        self.assertEqual(self.run_client(client, *self.address, "longer than ten").returncode, 1)

    def test_in_shell(self):
        self.serve()
        self.assertEqual(self.run_client(example("client.sh"), *self.address, "one").returncode, 0)

    def test_in_shell_refused(self):
        self.serve("[Listener default]\nMaxMessageSize=10\n")
        self.assertEqual(self.run_client(example("client.sh"), *self.address, "longer than ten").returncode, 1)

    def test_in_python_over_a_kill(self):
        """Each line is recorded at least once, and its ID identifies lines sent twice."""
        journal = journald.Journal(self)
        first = self.serve(journal=journal)
        client = subprocess.Popen([sys.executable, example("client.py"), *self.address], stdin=subprocess.PIPE,
                                  stderr=subprocess.PIPE)
        self.addCleanup(client.wait)
        self.addCleanup(client.kill)
        client.stdin.write(b"one\n")
        client.stdin.flush()
        journal.wait_for(1, MESSAGES)
        first.signal(signal.SIGKILL)
        first.wait()
        client.stdin.write(b"two\nthree\n")
        client.stdin.close()
        self.serve(journal=journal)
        self.assertEqual(client.wait(net.TIMEOUT), 0)
        client.stderr.close()
        found = {}
        for entry in journal.wait_for(3, MESSAGES):
            number, text = re.fullmatch(r"(\S{36}) (\w+)", entry.one("ANSWERD_DATA").decode()).groups()
            found[number] = text
        self.assertEqual(sorted(found.values()), ["one", "three", "two"])

    def test_in_python_refused(self):
        self.serve("[Listener default]\nMaxMessageSize=10\n")
        done = self.run_client(sys.executable, example("client.py"), *self.address, stdin=b"one\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"refused: error: message too long", done.stderr)

    def test_resending_what_was_recorded(self):
        journal = journald.Journal(self)
        source = Daemon(self, ["--listen=127.0.0.1:0", "--framing=length"], journal=journal)
        texts = [b"one", b"", b"\x00\xff\ntwo", b"x" * 5000, "drei \u00fc".encode()]
        with source.connect() as sock:
            for text in texts:
                sock.sendall(len(text).to_bytes(4, "big") + text)
                self.assertEqual(net.recv_exactly(sock, 6), b"\0\0\0\2ok")
        journal.wait_for(len(texts), MESSAGES)
        recorded = subprocess.run(["journalctl", f"--directory={journal.logs}", "-o", "json", "--all", MESSAGES],
                                  stdout=subprocess.PIPE, check=True).stdout
        copy = journald.Journal(self)
        self.serve("[Listener default]\nFraming=length\n", journal=copy)
        done = self.run_client(sys.executable, example("resend.py"), *self.address, stdin=recorded)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual([e.one("ANSWERD_DATA") for e in copy.wait_for(len(texts), MESSAGES)], texts)


if __name__ == "__main__":
    tap.main()
