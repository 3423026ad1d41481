# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask and a server that refuses: an `error: ` reply, then the end of the connection."""

import json
import struct
import unittest

import asking
import net
import tap
from asking import Server, ask_raw, lines_of


class Refusals(unittest.TestCase):
    def ask(self, handler, *arguments, options=(), **rest):
        server = Server(self, handler)
        done = ask_raw([*options, f":{server.port}", *arguments], **rest)
        if b"built without JSON" in done.stderr:
            self.skipTest("ask is built without jansson")
        return done.returncode, done.stdout, done.stderr.decode().replace(f"ask: :{server.port}: ", "")

    @staticmethod
    def has_json():
        return b"+jansson" in ask_raw(["-V"]).stdout

    @staticmethod
    def refuse(sock):
        sock.recv(1024)
        sock.sendall(b"error: message too long\n")
        sock.shutdown(asking.socket.SHUT_WR)
        sock.recv(1024)

    REFUSED = (1, b"error: message too long\n", "the server refused: message too long\n")

    def test_the_only_message(self):
        self.assertEqual(self.ask(self.refuse, "x"), self.REFUSED)

    def test_from_a_pipe(self):
        self.assertEqual(self.ask(self.refuse, stdin=b"x\n"), self.REFUSED)

    def test_the_reset_of_a_connection_is_its_end(self):
        def refuse(sock):
            sock.recv(1)
            sock.sendall(b"error: no\n")
            # The reply and the reset arrive together, because part of the message is unread.
            sock.close()
        self.assertEqual(self.ask(refuse, "x"), (1, b"error: no\n", "the server refused: no\n"))

    def test_later_messages_are_unanswered(self):
        status, out, said = self.ask(self.refuse, "x", "y")
        self.assertEqual((status, out), self.REFUSED[:2])
        self.assertEqual(said, "the server refused: message too long; unanswered messages: 1 of 2\n")

    def test_many_in_flight(self):
        def third(sock):
            lines = lines_of(sock)
            for _ in range(5):
                next(lines)
            sock.sendall(b"ok\nok\nerror: no\n")
        status, out, said = self.ask(third, stdin=b"1\n2\n3\n4\n5\n")
        self.assertEqual((status, out), (1, b"ok\nok\nerror: no\n"))
        self.assertEqual(said, "the server refused: no; unanswered messages: 2 of 5\n")

    def test_with_count(self):
        status, out, said = self.ask(self.refuse, "x", options=["-n1"])
        self.assertEqual((status, out), self.REFUSED[:2])
        self.assertIn("1 sent, 0 answered, 100% loss", said)
        self.assertTrue(said.endswith("the server refused: message too long\n"), said)

    def test_before_any_message(self):
        def crowded(sock):
            sock.sendall(b"error: too many connections from your address\n")
            sock.shutdown(asking.socket.SHUT_WR)
            sock.recv(1024)
        status, _, said = self.ask(crowded, "x")
        self.assertEqual(status, 1)
        self.assertTrue(said.startswith("the server refused: too many connections from your address"), said)

    def test_other_framings(self):
        for framing, reply in (("length", struct.pack("!I", 9) + b"error: no"), ("netstring", b"9:error: no,"),
                               ("chunk", b"error: no")):
            def refuse(sock, reply=reply):
                sock.recv(1024)
                sock.sendall(reply)
            with self.subTest(framing):
                self.assertEqual(self.ask(refuse, "x", options=["-f", framing]),
                                 (1, b"error: no\n", "the server refused: no\n"))

    def test_a_refusal_that_was_expected_is_one(self):
        self.assertEqual(self.ask(self.refuse, "x", options=["--expect=^error: "]), self.REFUSED)
        self.assertEqual(self.ask(self.refuse, "x", options=["--expect=^ok"]), self.REFUSED)

    def test_json(self):
        status, out, _ = self.ask(self.refuse, "x", options=["--json"])
        got = json.loads(out)
        self.assertEqual((status, got["refusal"], got["reply"], got["message"]),
                         (1, True, "error: message too long", "x"))

    def test_a_reply_like_any_other(self):
        """The connection goes on."""
        def template(sock):
            for _ in lines_of(sock):
                sock.sendall(b"error: no such device\n")
        for rest in ({}, {"stdin": b"x\ny\n"}):
            arguments = [] if rest else ["x", "y"]
            self.assertEqual(self.ask(template, *arguments, **rest), (0, b"error: no such device\n" * 2, ""))
        status, out, _ = self.ask(template, "x", "y", options=["--json"])
        self.assertEqual((status, [json.loads(line).get("refusal") for line in out.splitlines()]), (0, [None] * 2))

    def test_a_dialogue_goes_on(self):
        """The reply is shown, also as JSON, though none follows."""
        def template(sock):
            for _ in lines_of(sock):
                sock.sendall(b"error: no such device\n")
        address = f":{Server(self, template).port}"
        for options in ([], ["--json"] if self.has_json() else []):
            with asking.start([*options, address]) as process:
                for _ in range(2):
                    process.stdin.write(b"x\n")
                    self.assertIn(b"error: no such device", process.stdout.readline())
                process.stdin.close()
                self.assertEqual(process.wait(net.TIMEOUT), 0)


if __name__ == "__main__":
    tap.main()
