# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask and answerd together."""

import os
import unittest

import asking
import tap
from asking import ask_raw
from daemon import Daemon


class Together(unittest.TestCase):
    def daemon(self, *options, **rest):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", *options], **rest)
        return daemon, f"127.0.0.1:{daemon.address()[1]}"

    def ask(self, *arguments, status=0, **rest):
        done = ask_raw(arguments, **rest)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout

    def test_every_framing(self):
        for framing in ("line", "length", "netstring", "chunk"):
            with self.subTest(framing=framing):
                daemon, address = self.daemon(f"--framing={framing}", "--reply=got {message}")
                out = self.ask(f"--framing={framing}", address, "one", "你好 🎉", "x" * 5000)
                self.assertEqual(out.decode(), "got one\ngot 你好 🎉\ngot " + "x" * 5000 + "\n")
                daemon.stop()

    def test_unix_socket(self):
        path = os.path.join(asking.directory(self), "socket")
        daemon = Daemon(self, [f"--listen={path}"])
        self.assertEqual(self.ask(path, "a", "b"), b"ok\nok\n")
        daemon.stop()

    def test_many_lines(self):
        daemon, address = self.daemon("--reply={seq} {message}")
        lines = b"".join(b"%d\n" % i for i in range(1, 200_001))
        out = self.ask(address, stdin=lines)
        self.assertEqual(out, b"".join(b"%d %d\n" % (i, i) for i in range(1, 200_001)))
        daemon.stop()

    def test_a_message_that_is_too_long(self):
        _, address = self.daemon()
        self.assertEqual(self.ask(address, "x" * 100_000, status=1), b"error: message too long\n")
        # The connection ends with this error, so later messages get no reply.
        out = self.ask(address, stdin=b"a\n" + b"x" * 100_000 + b"\nb\n", status=1)
        self.assertEqual(out, b"ok\nerror: message too long\n")

    def test_a_template_that_reads_like_a_refusal(self):
        _, address = self.daemon("--reply=error: no such device")
        self.assertEqual(self.ask("-n3", address, "x"), b"error: no such device\n" * 3)

    def test_ids_are_all_different(self):
        _, address = self.daemon("--reply={id}")
        ids = self.ask("--count=1000", address, "x").splitlines()
        self.assertEqual(len(set(ids)), 1000)


if __name__ == "__main__":
    tap.main()
