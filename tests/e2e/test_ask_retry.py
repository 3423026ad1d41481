# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask --retry after a failed connection or an early end, and ask --quiet."""

import subprocess
import unittest

import asking
import net
import tap
from asking import Server, ask_raw, echo_lines, lines_of


class Retry(unittest.TestCase):
    def failing(self, rounds):
        """A server whose nth connection takes rounds[n] lines, answers all but the last two, and ends. Later
        connections answer every line."""
        self.got = []
        left = list(rounds)

        def handle(sock):
            lines = lines_of(sock)
            if not left:
                for line in lines:
                    self.got.append(line)
                    sock.sendall(line + b"\n")
                return
            count = left.pop(0)
            taken = [next(lines) for _ in range(count)]
            self.got.extend(taken)
            sock.sendall(b"".join(line + b"\n" for line in taken[:-2]))
        return Server(self, handle)

    def test_what_has_no_reply_is_sent_again_in_order(self):
        server = self.failing([5, 3])
        done = ask_raw(["--retry=2", f":{server.port}"], stdin=b"1\n2\n3\n4\n5\n6\n")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(done.stdout, b"1\n2\n3\n4\n5\n6\n")
        # 4 and 5 had no reply on the first connection, and 5 and 6 had none on the second.
        self.assertEqual(self.got, [b"1", b"2", b"3", b"4", b"5", b"4", b"5", b"6", b"5", b"6"])

    def test_a_message_that_is_an_argument(self):
        server = self.failing([1])
        done = ask_raw(["--retry=1", "--json" if self.has_json() else "-q", f":{server.port}", "x"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.got, [b"x", b"x"])

    @staticmethod
    def has_json():
        return b"+jansson" in ask_raw(["-V"]).stdout

    def test_not_more_often_than_asked(self):
        server = self.failing([1, 1, 1, 1])
        done = ask_raw(["--retry=2", f":{server.port}", "x"])
        self.assertEqual((done.returncode, done.stderr.decode()),
                         (5, f"ask: :{server.port}: the server closed the connection; "
                             "unanswered messages: 1 of 1\n"))
        self.assertEqual(server.connections, 3)

    def test_no_retry_where_it_is_not_asked_for(self):
        server = self.failing([1])
        self.assertEqual(ask_raw([f":{server.port}", "x"]).returncode, 5)
        self.assertEqual(server.connections, 1)

    def test_a_cut_off_reply_is_none(self):
        left = [True]

        def handle(sock):
            sock.recv(1024)
            sock.sendall(b"o" if left and left.pop() else b"ok\n")
        done = ask_raw(["--retry=1", f":{Server(self, handle).port}", "x"])
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"ok\n", b""))

    def test_a_refusal_is_an_answer(self):
        def handle(sock):
            sock.recv(1024)
            sock.sendall(b"error: no\n")
        server = Server(self, handle)
        self.assertEqual(ask_raw(["--retry=5", f":{server.port}", "x"]).returncode, 1)
        self.assertEqual(server.connections, 1)

    def test_a_server_that_comes_later(self):
        with net.listener() as reserved:
            address = reserved.getsockname()
            reserved.close()
            process = asking.start(["--retry=20", f"127.0.0.1:{address[1]}", "x"], stdin=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            listener = net.listener(address)
        with listener:
            listener.settimeout(net.TIMEOUT)
            sock, _ = listener.accept()
            with sock:
                self.assertEqual(net.recv_line(sock), b"x\n")
                sock.sendall(b"ok\n")
                self.assertEqual(process.communicate(timeout=net.TIMEOUT), (b"ok\n", b""))
        self.assertEqual(process.returncode, 0)

    def test_a_server_that_does_not_come_back(self):
        listener = net.listener()
        listener.settimeout(net.TIMEOUT)
        port = listener.getsockname()[1]
        process = asking.start(["--retry=1", f"127.0.0.1:{port}", "x"], stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        sock, _ = listener.accept()
        listener.close()
        with sock:
            sock.recv(1024)
        out, said = process.communicate(timeout=net.TIMEOUT)
        self.assertEqual((process.returncode, out), (5, b""))
        self.assertEqual(said.decode(), f"ask: 127.0.0.1:{port}: cannot connect: Connection refused; "
                                        "unanswered messages: 1 of 1\n")


class Quiet(unittest.TestCase):
    def test_nothing_is_printed_and_the_status_tells(self):
        address = f":{Server(self, echo_lines).port}"
        for arguments, status in ((["-q", address, "ok"], 0), (["--quiet", "--expect=^ok$", address, "no"], 1),
                                  (["-q", "--hex", address, "x"], 0)):
            done = ask_raw(arguments)
            self.assertEqual((done.returncode, done.stdout), (status, b""))
        done = ask_raw(["-q", address], stdin=b"a\nb\n")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))

    def test_a_failure_is_still_said(self):
        def close(sock):
            sock.recv(1024)
        done = ask_raw(["-q", f":{Server(self, close).port}", "x"])
        self.assertEqual((done.returncode, done.stdout), (5, b""))
        self.assertIn(b"unanswered messages: 1 of 1", done.stderr)


if __name__ == "__main__":
    tap.main()
