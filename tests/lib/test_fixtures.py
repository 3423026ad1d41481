# SPDX-License-Identifier: LGPL-2.1-or-later
"""The basis of other tests: the journal fixture and the reader of the export format."""

import os
import socket
import struct
import subprocess
import sys
import unittest

import journal_export
import journald
import net
import tap


class ExportFormat(unittest.TestCase):
    def test_text_and_binary_fields(self):
        value = b"a\0b\n\xff\nFORGED=1\n"
        data = b"A=1\nA=2\nD\n" + struct.pack("<Q", len(value)) + value + b"\n\nB=x=y\n\n"
        first, second = journal_export.parse(data)
        self.assertEqual(first, {"A": [b"1", b"2"], "D": [value]})
        self.assertEqual(second.one("B"), b"x=y")
        with self.assertRaises(AssertionError):
            first.one("A")

    def test_cut_anywhere_is_an_error_or_fewer_entries(self):
        data = b"A=1\nD\n" + struct.pack("<Q", 3) + b"a\nb\n\nB=2\n\n"
        whole = journal_export.parse(data)
        for end in range(len(data)):
            with self.subTest(end=end):
                try:
                    entries = journal_export.parse(data[:end])
                except ValueError:
                    continue
                self.assertEqual(entries, whole[:len(entries)])
                self.assertLess(len(entries), len(whole))


class Activate(unittest.TestCase):
    def test_sockets_arrive_in_order(self):
        sockets = [net.listener() for _ in range(3)]
        self.addCleanup(lambda: [s.close() for s in sockets])
        # Numbers that overlap the targets, in reverse.
        numbers = [s.fileno() for s in reversed(sockets)]
        script = ("import os, socket\n"
                  "assert os.environ['LISTEN_PID'] == str(os.getpid())\n"
                  "for fd in range(3, 3 + int(os.environ['LISTEN_FDS'])):\n"
                  "    print(socket.socket(fileno=fd).getsockname()[1])\n"
                  "print(len(os.listdir('/proc/self/fd')))\n")
        done = subprocess.run(
            [sys.executable, "-SE", journald.ACTIVATE, ",".join(map(str, numbers)), sys.executable,
             "-c", script],
            pass_fds=numbers, stdout=subprocess.PIPE, check=True, timeout=net.TIMEOUT)
        *ports, left = map(int, done.stdout.split())
        self.assertEqual(ports, [s.getsockname()[1] for s in reversed(sockets)])
        # Standard input, output and error, and the descriptor of the listing. The loop closed the three.
        self.assertEqual(left, 4)


class Journal(unittest.TestCase):
    def setUp(self):
        self.journal = journald.Journal(self)
        self.sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.sender.connect(self.journal.socket_path)

    def send(self, number, value=b"x"):
        self.sender.send(b"MESSAGE=m\nN=%d\nDATA\n" % number + struct.pack("<Q", len(value)) + value
                         + b"\n")

    def numbers(self, count):
        return [int(e.one("N")) for e in self.journal.wait_for(count, "MESSAGE=m")]

    def test_bytes_come_back_as_they_were(self):
        values = [b"", b"\0", b"a\nPRIORITY=0", bytes(range(256)), b"y" * 100000]
        for number, value in enumerate(values):
            self.send(number, value)
        entries = self.journal.wait_for(len(values), "MESSAGE=m")
        self.assertEqual([e.one("DATA") for e in entries], values)
        self.assertNotIn("PRIORITY", entries[2])

    def test_restart_keeps_what_is_queued(self):
        for number in range(0, 20, 2):
            self.journal.pause()
            self.send(number)
            self.journal.restart()
            self.send(number + 1)
        self.assertEqual(self.numbers(20), list(range(20)))

    def test_kill_keeps_what_was_not_read(self):
        self.journal.pause()
        for number in range(5):
            self.send(number)
        self.journal.kill()
        self.journal.start()
        self.assertEqual(self.numbers(5), list(range(5)))

    def test_the_queue_is_bounded(self):
        self.journal.pause()
        self.sender.setblocking(False)
        sent = 0
        with self.assertRaises(BlockingIOError):
            while sent < 100000:
                self.send(sent)
                sent += 1
        self.assertLessEqual(sent, journald.places())
        self.assertTrue(self.journal.full())
        self.journal.resume()
        self.assertEqual(self.numbers(sent), list(range(sent)))

    def test_socket_away_and_back(self):
        self.journal.remove_socket()
        with self.assertRaises(ConnectionRefusedError):
            self.send(1)
        self.assertFalse(os.path.exists(self.journal.socket_path))
        self.journal.create_socket()
        self.journal.start()
        self.sender.connect(self.journal.socket_path)
        self.send(2)
        self.assertEqual(self.numbers(1), [2])


if __name__ == "__main__":
    tap.main()
