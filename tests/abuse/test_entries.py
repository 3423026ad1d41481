# SPDX-License-Identifier: LGPL-2.1-or-later
"""Entries too large for a datagram, or for a kernel short of memory: they are sent as files, each with its own."""

import errno
import os
import shutil
import unittest

import net
import tap
from daemon import Daemon
from life import too_large
from witness import JournalSocket, strace

CONFIG = """
[Server]
Workers=1
[Listener default]
Listen=127.0.0.1:0
Record=journal
MaxMessageSize=64M
"""
FRAMES = {"line": lambda m: m + b"\n", "netstring": lambda m: b"%d:%s," % (len(m), m)}
HUGE = too_large()
# Smaller entries wait until the kernel has memory. A datagram may be three times as large.
LARGE = 70000


@unittest.skipUnless(shutil.which("strace"), "strace is needed")
class Entries(unittest.TestCase):
    def setUp(self):
        self.journal = JournalSocket(self)

    def daemon(self, *injected, framing="line"):
        options = [option for what in injected for option in ("-e", "inject=" + what)]
        return Daemon(self, ["--framing=" + framing], config=CONFIG, journal=self.journal,
                      wrapper=strace("-o", "/dev/null", *options))

    def expect_entries(self, messages):
        net.wait_until(lambda: len(self.journal.records()) >= len(messages), what="the entries")
        self.assertEqual([m[:20] for m in self.journal.records()], [m[:20] for m in messages])
        self.assertEqual(self.journal.records(), messages)

    def test_a_file_belongs_to_its_entry(self):
        """One entry can go neither as a datagram nor as a file, and then goes as a datagram. The next goes as a
        file."""
        daemon = self.daemon("sendmmsg:error=ENOBUFS:when=1+2", "sendmsg:error=EAGAIN:when=1")
        messages = [b"%d" % i + b"." * LARGE for i in range(4)]
        with daemon.connect() as client:
            for message in messages:
                client.sendall(message + b"\n")
                self.assertEqual(net.recv_line(client), b"ok\n")
        self.expect_entries(messages)
        daemon.stop()

    def refuse(self, error, framing="line"):
        """No file can be made. A client gets an error after its due replies, and others go on."""
        daemon = self.daemon(f"memfd_create:error={error}", framing=framing)
        frame = FRAMES[framing]
        with daemon.connect() as other:
            other.sendall(frame(b"before"))
            ok = frame(b"ok")
            self.assertEqual(net.recv_exactly(other, len(ok)), ok)
            for _ in range(2):
                with daemon.connect() as client:
                    client.sendall(frame(b"first") + frame(b"." * HUGE))
                    self.assertEqual(net.recv_until_eof(client), ok + frame(b"error: message cannot be recorded"))
                other.sendall(frame(b"after"))
                self.assertEqual(net.recv_exactly(other, len(ok)), ok)
        number = getattr(errno, error)
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: cut off: a message cannot be recorded: "
                               + os.strerror(number))
        self.expect_entries([b"before"] + [b"first", b"after"] * 2)
        daemon.stop()

    def test_an_entry_that_cannot_be_made(self):
        for error in "EPERM", "ENOSYS", "EINVAL":
            with self.subTest(error):
                self.journal.entries.clear()
                self.refuse(error)

    def test_it_is_said_in_the_framing(self):
        self.refuse("EPERM", "netstring")

    def test_nothing_is_answered_behind_it(self):
        """Later messages on the connection may be recorded, but get no replies that suggest that all earlier ones
        were."""
        daemon = self.daemon("memfd_create:error=EPERM")
        huge = b"." * HUGE + b"\n"
        with daemon.connect() as client:
            client.sendall(b"first\n" + huge + b"behind\n" * 10 + huge + b"behind\n")
            self.assertEqual(net.recv_until_eof(client), b"ok\nerror: message cannot be recorded\n")
        self.assertEqual(net.exchange(daemon.address(), b"next\n"), b"ok\n")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
