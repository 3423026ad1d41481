# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients in examples/, unchanged."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
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

    def answer(self, reply):
        """Accepts one connection, sends this when its first message has come, and closes it."""
        def serve():
            with self.listener.accept()[0] as sock:
                net.recv_line(sock)
                sock.sendall(reply)

        self.listener.settimeout(net.TIMEOUT)
        thread = threading.Thread(target=serve)
        thread.start()
        self.addCleanup(thread.join)

    def check(self, done, status, out=b"", error=b""):
        """Checks how a client ended. error: what standard error contains; nothing may be there if that is empty."""
        self.assertEqual((done.returncode, done.stdout), (status, out), done.stderr)
        self.assertIn(error, done.stderr)
        self.assertEqual(bool(error), bool(done.stderr), done.stderr)

    def test_usage(self):
        for name in "client.sh", "client.py", "resend.py":
            with self.subTest(name):
                self.check(self.run_client(example(name)), 2, error=f": usage: {name} HOST PORT".encode())
        self.check(self.run_client(self.compiled()), 2, error=b"client: usage: client HOST PORT")

    def compiled(self):
        """client.c, as a program."""
        compiler = shutil.which(os.environ.get("CC", "cc").split()[0])
        if not compiler:
            self.skipTest("there is no C compiler")
        folder = tempfile.mkdtemp(prefix="ae", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        client = os.path.join(folder, "client")
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-o", client, example("client.c")], check=True)
        return client

    def test_in_c(self):
        client = self.compiled()
        self.check(self.run_client(client, self.address[0], "1", "message"), 3, error=b"cannot connect")
        self.serve("[Listener default]\nReply={seq} {message}\nMaxMessageSize=2000\n")
        self.check(self.run_client(client, *self.address, "one", "two"), 0, b"1 one\n2 two\n")
        self.check(self.run_client(client, *self.address, "x" * 2000), 0, b"1 " + b"x" * 2000 + b"\n")
        self.check(self.run_client(client, *self.address, "one", "x" * 2001), 1, b"1 one\n",
                   b"client: refused: error: message too long\n")

    def test_in_c_without_a_whole_reply(self):
        client = self.compiled()
        self.answer(b"o")
        self.check(self.run_client(client, *self.address, "one"), 1, error=b"client: the reply was cut off: o\n")
        self.answer(b"")
        self.check(self.run_client(client, *self.address, "one"), 5, error=b"client: no reply")

    def test_in_shell(self):
        self.serve("[Listener default]\nReply=ok {seq}\nMaxMessageSize=10\n")
        client = example("client.sh")
        self.check(self.run_client(client, *self.address, "one"), 0, b"ok 1\n")
        self.check(self.run_client(client, *self.address, "longer than ten"), 1,
                   error=b"client: refused: error: message too long\n")

    def test_in_shell_without_a_whole_reply(self):
        client = example("client.sh")
        self.check(self.run_client(client, self.address[0], "1", "message"), 3, error=b"refused")
        self.answer(b"o")
        self.check(self.run_client(client, *self.address, "one"), 1, error=b"client: the reply was cut off: o\n")
        self.answer(b"")
        self.check(self.run_client(client, *self.address, "one"), 5, error=b"client: no reply")

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
        self.check(self.run_client(sys.executable, example("client.py"), *self.address, stdin=b"one\n"), 1,
                   error=b"client: refused: error: message too long\n")

    def record(self, journal, config=""):
        """Starts a server with these settings, and sends it messages of all kinds. Returns the messages."""
        source = Daemon(self, ["--listen=127.0.0.1:0", "--framing=length"], config=config, journal=journal)
        texts = [b"one", b"", b"\x00\xff\ntwo", b"x" * 5000, "drei \u00fc".encode()]
        with source.connect() as sock:
            for text in texts:
                sock.sendall(len(text).to_bytes(4, "big") + text)
                self.assertEqual(net.recv_exactly(sock, 6), b"\0\0\0\2ok")
        return texts

    def resend(self, recorded, texts):
        copy = journald.Journal(self)
        self.serve("[Listener default]\nFraming=length\n", journal=copy)
        self.check(self.run_client(sys.executable, example("resend.py"), *self.address, stdin=recorded), 0)
        self.assertEqual([e.one("ANSWERD_DATA") for e in copy.wait_for(len(texts), MESSAGES)], texts)

    def test_resending_from_the_journal(self):
        journal = journald.Journal(self)
        texts = self.record(journal)
        journal.wait_for(len(texts), MESSAGES)
        self.resend(subprocess.run(["journalctl", f"--directory={journal.logs}", "-o", "json", "--all", MESSAGES],
                                   stdout=subprocess.PIPE, check=True).stdout, texts)

    def test_resending_from_the_log(self):
        log = tempfile.mkdtemp(prefix="ae", dir="/tmp")
        self.addCleanup(shutil.rmtree, log)
        texts = self.record(None, f"[Log]\nDirectory={log}\nMirror=none\n[Listener default]\nRecord=log\n")
        self.resend(subprocess.run([daemon.program("answerlog"), "-o", "json", log], stdout=subprocess.PIPE,
                                   check=True).stdout, texts)

    def refuse_to_resend(self, stdin, error):
        """Runs resend.py with this input. It must exit with status 1, and say only this."""
        self.check(self.run_client(example("resend.py"), *self.address, stdin=stdin), 1, error=b"resend: " + error)

    def test_resending_what_is_no_record(self):
        self.serve("[Listener default]\nFraming=length\n")
        lines = b"no JSON", b"", b"\xff", b"5", b"{}", b'{"message":null}'
        for line in lines:
            with self.subTest(line):
                self.refuse_to_resend(b'{"message":"one"}\n' + line + b"\n", b"line 2: not a record as JSON")

    def test_resending_to_nobody(self):
        self.listener.close()
        self.refuse_to_resend(b"", b"cannot connect to %s:%s: " % tuple(part.encode() for part in self.address))

    def test_resending_to_the_wrong_framing(self):
        question = b"; does %s:%s use Framing=length?\n" % tuple(part.encode() for part in self.address)
        self.serve("[Listener default]\nMessageTimeout=100ms\n")
        self.refuse_to_resend(b'{"message":"one"}\n', b"message 1: the server closed the connection" + question)

    def test_resending_without_a_reply(self):
        """The same program, but with a short timeout."""
        question = b"; does %s:%s use Framing=length?\n" % tuple(part.encode() for part in self.address)
        self.serve("[Listener default]\nMessageTimeout=infinity\n")
        short = "import resend, sys; resend.TIMEOUT = 0.1; sys.exit(resend.main())"
        done = subprocess.run([sys.executable, "-c", short, *self.address], input=b'{"message":"one"}\n',
                              cwd=example(""), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT,
                              env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"), check=False)
        self.check(done, 1, error=b"resend: no reply within 0.1 s" + question)


if __name__ == "__main__":
    tap.main()
