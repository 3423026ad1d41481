# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask at a terminal: the screen while a line is typed and the server speaks."""

import os
import queue
import signal
import stat
import subprocess
import unittest

import asking
import net
import tap
from asking import Server, lines_of
from screen import Terminal


def has_editing():
    libraries = subprocess.run(["ldd", asking.ASK], stdout=subprocess.PIPE, check=False).stdout
    return b"libedit" in libraries


SENT = 'Anything else is sent. "man ask" has the keys.'


class Talker:
    """A server that records the lines of its one client, and sends what the test says."""

    def __init__(self, test):
        self.lines = queue.Queue()
        self.sockets = queue.Queue()
        self.server = Server(test, self._serve)
        self.address = f"127.0.0.1:{self.server.port}"
        self._socket = None

    def _serve(self, sock):
        self.sockets.put(sock)
        for line in lines_of(sock):
            self.lines.put(line.decode())

    def next_line(self):
        return self.lines.get(timeout=net.TIMEOUT)

    def say(self, text):
        self._socket = self._socket or self.sockets.get(timeout=net.TIMEOUT)
        self._socket.sendall(text.encode() if isinstance(text, str) else text)

    def close(self):
        self.say("")
        self._socket.shutdown(asking.socket.SHUT_RDWR)


class PromptCase(unittest.TestCase):
    def setUp(self):
        self.state = asking.directory(self)
        self.history = os.path.join(self.state, "ask", "history")
        self.server = Talker(self)
        self.greeting = f"Connected to {self.server.address}. quit or Ctrl-D ends.\n{SENT}"

    def prompt(self, *options, columns=60, env=None, **rest):
        environment = {"LC_ALL": "C.UTF-8", "XDG_STATE_HOME": self.state, "HOME": self.state, **(env or {})}
        terminal = Terminal(self, [asking.ASK, *options, self.server.address], environment, columns, **rest)
        terminal.expect(f"{self.greeting}\n>>>")
        return terminal

    def shows(self, terminal, *lines):
        terminal.expect("\n".join([self.greeting, *lines]))


@unittest.skipUnless(has_editing(), "ask is built without libedit")
class Editing(PromptCase):
    def test_a_talk(self):
        terminal = self.prompt()
        terminal.type("hello\r")
        self.assertEqual(self.server.next_line(), "hello")
        self.server.say("hi there\r\n")
        self.shows(terminal, ">>> hello", "hi there", ">>>")
        terminal.type("quit\r")
        self.assertEqual(terminal.wait(), 0)

    def test_the_server_speaks_while_a_line_is_typed(self):
        terminal = self.prompt()
        terminal.type("half a li")
        self.shows(terminal, ">>> half a li")
        self.server.say("one\ntwo\n")
        self.shows(terminal, "one", "two", ">>> half a li")
        terminal.expect_cursor((4, 13))
        terminal.type("ne\r")
        self.assertEqual(self.server.next_line(), "half a line")
        self.shows(terminal, "one", "two", ">>> half a line", ">>>")

    def test_with_the_cursor_within_a_long_line(self):
        terminal = self.prompt(columns=50)
        terminal.type("x" * 100)
        self.shows(terminal, ">>> " + "x" * 46, "x" * 50, "xxxx")
        terminal.type("\x01\x06")  # to the second character
        self.server.say("news\n")
        self.shows(terminal, "news", ">>> " + "x" * 46, "x" * 50, "xxxx")
        terminal.expect_cursor((3, 5))
        terminal.type("\x05")
        self.server.say("more\n")
        self.shows(terminal, "news", "more", ">>> " + "x" * 46, "x" * 50, "xxxx")
        terminal.expect_cursor((6, 4))
        terminal.type("!\r")
        self.assertEqual(self.server.next_line(), "x" * 100 + "!")

    def test_a_line_that_ends_at_the_margin(self):
        terminal = self.prompt(columns=50)
        terminal.type("y" * 46)
        self.shows(terminal, ">>> " + "y" * 46)
        self.server.say("news\n")
        self.shows(terminal, "news", ">>> " + "y" * 46)
        terminal.type("z\r")
        self.assertEqual(self.server.next_line(), "y" * 46 + "z")
        self.shows(terminal, "news", ">>> " + "y" * 46, "z", ">>>")

    def test_wide_characters(self):
        terminal = self.prompt()
        terminal.type("你好世界")
        self.shows(terminal, ">>> 你好世界")
        terminal.expect_cursor((2, 12))
        terminal.type("\x7f")
        self.shows(terminal, ">>> 你好世")
        self.server.say("收到 🎉\n")
        self.shows(terminal, "收到 🎉", ">>> 你好世")
        terminal.expect_cursor((3, 10))
        terminal.type("\x02\x02é")  # two back
        self.shows(terminal, "收到 🎉", ">>> 你é好世")
        terminal.type("\r")
        self.assertEqual(self.server.next_line(), "你é好世")

    def test_wide_characters_at_the_margin(self):
        """They do not cross the margin: a column stays empty."""
        terminal = self.prompt(columns=51)
        terminal.type("世" * 30)
        self.shows(terminal, ">>> " + "世" * 23, "世" * 7)
        self.server.say("news\n")
        self.shows(terminal, "news", ">>> " + "世" * 23, "世" * 7)
        terminal.expect_cursor((4, 14))
        terminal.type("\r")
        self.assertEqual(self.server.next_line(), "世" * 30)

    def test_utf8_in_the_c_locale(self):
        terminal = self.prompt(env={"LC_ALL": "C"})
        terminal.type("世界\x7f\r")
        self.assertEqual(self.server.next_line(), "世")

    def test_a_server_cannot_act_on_the_terminal(self):
        terminal = self.prompt()
        self.server.say(b"\x1b[2J\x07\xff\xc2\x9bm\\\n")
        self.shows(terminal, r"\x1b[2J\x07\xff\xc2\x9bm" + "\\\\", ">>>")

    def test_other_forms(self):
        terminal = self.prompt("--hex", columns=80)
        self.server.say("hi\n")
        self.shows(terminal, "00000000  68 69" + " " * 45 + "|hi|", "00000002", ">>>")

    def test_a_half_typed_line_stays_when_the_server_goes(self):
        terminal = self.prompt(columns=80)
        terminal.type("half a li")
        self.shows(terminal, ">>> half a li")
        self.server.close()
        self.shows(terminal, "ask: the server closed the connection. The next line reconnects.",
                   ">>> half a li")
        terminal.type("ne\r")
        self.assertEqual(self.server.next_line(), "half a line")
        self.assertEqual(self.server.server.connections, 2)

    def test_an_empty_line_is_not_sent(self):
        terminal = self.prompt()
        terminal.type("\r\rx\r")
        self.assertEqual(self.server.next_line(), "x")
        self.shows(terminal, ">>>", ">>>", ">>> x", ">>>")

    def test_ctrl_d_ends_and_the_terminal_is_as_before(self):
        terminal = self.prompt()
        self.assertNotEqual(terminal.settings(), Terminal.new_settings())
        terminal.type("x\r\x04")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(terminal.settings(), Terminal.new_settings())

    def test_ctrl_c_drops_the_line_and_then_ends(self):
        terminal = self.prompt()
        terminal.type("wrong")
        self.shows(terminal, ">>> wrong")
        terminal.type("\x03")
        self.shows(terminal, ">>> wrong^C", ">>>")
        terminal.type("right\r")
        self.assertEqual(self.server.next_line(), "right")
        self.shows(terminal, ">>> wrong^C", ">>> right", ">>>")
        terminal.type("\x03")
        self.assertEqual(terminal.wait(), 0)

    def test_a_signal_ends_it_and_the_history_is_kept(self):
        for number in (signal.SIGTERM, signal.SIGHUP):
            terminal = self.prompt()
            terminal.type(f"line {number}\r")
            self.assertEqual(self.server.next_line(), f"line {number}")
            terminal.signal(number)
            self.assertEqual(terminal.wait(), 128 + number)
            with open(self.history, encoding="ascii") as file:
                self.assertIn(f"line\\040{number}", file.read())

    def test_the_terminal_is_resized(self):
        terminal = self.prompt()
        terminal.type("some text")
        self.shows(terminal, ">>> some text")
        terminal.resize(30, 10)
        terminal.expect(">>> some text")
        self.server.say("news\n")
        terminal.expect("news\n>>> some text")

    def test_ctrl_z_stops_where_somebody_can_continue(self):
        """No shell can continue it here: the process group is orphaned, so the line is drawn again."""
        terminal = self.prompt()
        terminal.type("text")
        self.shows(terminal, ">>> text")
        terminal.type("\x1a")
        self.shows(terminal, ">>> text", ">>> text")
        terminal.type("!\r")
        self.assertEqual(self.server.next_line(), "text!")


@unittest.skipUnless(has_editing(), "ask is built without libedit")
class History(PromptCase):
    def test_is_kept_for_the_next_time(self):
        first = self.prompt()
        first.type("erste Zeile\r你好\r你好\rquit\r")
        self.assertEqual(first.wait(), 0)
        self.assertEqual([self.server.next_line() for _ in range(3)], ["erste Zeile", "你好", "你好"])
        self.assertEqual(stat.S_IMODE(os.stat(self.history).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(self.history)).st_mode), 0o700)
        self.assertEqual(os.listdir(os.path.dirname(self.history)), ["history"])

        self.server = Talker(self)
        self.greeting = f"Connected to {self.server.address}. quit or Ctrl-D ends.\n{SENT}"
        second = self.prompt()
        second.type("\x10\x10")  # up over quit
        self.shows(second, ">>> 你好")
        second.type("\x1b[A")
        self.shows(second, ">>> erste Zeile")
        second.type("\r")
        self.assertEqual(self.server.next_line(), "erste Zeile")
        second.type("\x04")
        self.assertEqual(second.wait(), 0)

    def test_below_home_by_default(self):
        terminal = self.prompt(env={"XDG_STATE_HOME": ""})
        terminal.type("x\r\x04")
        self.assertEqual(terminal.wait(), 0)
        self.assertTrue(os.path.exists(os.path.join(self.state, ".local/state/ask/history")))

    def test_a_file_that_is_none_of_ours_is_left_alone(self):
        os.mkdir(os.path.dirname(self.history))
        with open(self.history, "w", encoding="ascii") as file:
            file.write("my diary\n")
        terminal = self.prompt()
        terminal.type("x\rquit\r")
        self.assertEqual(terminal.wait(), 0)
        with open(self.history, encoding="ascii") as file:
            self.assertEqual(file.read(), "my diary\n")

    def test_no_place_for_it(self):
        terminal = self.prompt(env={"XDG_STATE_HOME": "/dev/null"})
        terminal.type("x\rquit\r")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(self.server.next_line(), "x")


class Ends(PromptCase):
    """With and without libedit."""

    def test_a_talk(self):
        terminal = self.prompt()
        terminal.type("hello\n")
        self.assertEqual(self.server.next_line(), "hello")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    AGAIN = "The next line reconnects."

    def test_the_server_closes(self):
        terminal = self.prompt(columns=80)
        self.server.close()
        self.shows(terminal, *self.notice("the server closed the connection"), ">>>")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    def notice(self, why):
        """The plain editor starts a row for it, because the line stays in place."""
        return ([] if has_editing() else [">>>"]) + [f"ask: {why}. {self.AGAIN}"]

    def test_the_server_closes_before_it_answers(self):
        terminal = self.prompt(columns=110)
        terminal.type("hello\n")
        self.assertEqual(self.server.next_line(), "hello")
        self.server.close()
        self.shows(terminal, ">>> hello", *self.notice(
            "the server closed the connection; unanswered messages: 1 of 1"), ">>>")
        terminal.type("again\n")
        self.assertEqual(self.server.next_line(), "again")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    def test_a_refusal_is_said(self):
        terminal = self.prompt(columns=100)
        terminal.type("hello\n")
        self.assertEqual(self.server.next_line(), "hello")
        self.server.say("error: message too long\n")
        self.server.close()
        terminal.expect_end(f"ask: the server refused: message too long. {self.AGAIN}\n>>>")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    def test_the_word_quit_is_sent(self):
        terminal = self.prompt()
        terminal.type("\\quit\n")
        self.assertEqual(self.server.next_line(), "quit")
        terminal.type("exit\n")
        self.assertEqual(self.server.next_line(), "exit")
        terminal.type("quit\n")
        self.assertEqual(terminal.wait(), 0)

    def test_a_pasted_tab_stays_one(self):
        terminal = self.prompt()
        terminal.type("a\tb\n")
        self.assertEqual(self.server.next_line(), "a\tb")

    def test_a_reply_that_does_not_match(self):
        terminal = self.prompt("--expect=^ok", columns=100)
        terminal.type("a\n")
        self.assertEqual(self.server.next_line(), "a")
        self.server.say("no\n")
        terminal.type("\x04")
        self.assertEqual(terminal.wait(), 1)
        self.assertIn("reply 1 does not match '^ok'", terminal.screen.text())


class Reconnecting(unittest.TestCase):
    """The accept queue of the server is full, so connecting takes until the test accepts."""

    def setUp(self):
        folder = asking.directory(self)
        self.path = os.path.join(folder, "socket")
        self.listener = net.listener(self.path, backlog=0)
        self.addCleanup(self.listener.close)
        self.listener.settimeout(net.TIMEOUT)
        self.terminal = Terminal(self, [asking.ASK, "-tinfinity", self.path],
                                 {"LC_ALL": "C.UTF-8", "XDG_STATE_HOME": folder, "HOME": folder}, 100)
        self.accept().close()
        self.terminal.expect_end("ask: the server closed the connection. The next line reconnects.\n>>>")
        self.fill()
        self.terminal.type("hello\n")
        self.terminal.expect_end(">>> hello\n>>>")

    def accept(self):
        sock, _ = self.listener.accept()
        sock.settimeout(net.TIMEOUT)
        return sock

    def fill(self):
        """Fills the accept queue."""
        while True:
            filler = asking.socket.socket(asking.socket.AF_UNIX)
            self.addCleanup(filler.close)
            filler.setblocking(False)
            try:
                filler.connect(self.path)
            except BlockingIOError:
                return

    def accept_all(self):
        """Accepts connections up to the one from ask, and returns it."""
        while True:
            sock = self.accept()
            self.addCleanup(sock.close)
            if asking.peer_pid(sock) == self.terminal.pid:
                return sock

    def test_ctrl_c_ends_it_at_once(self):
        self.terminal.type("\x03")
        self.assertEqual(self.terminal.wait(), 0)

    def test_the_line_is_sent_once_there_is_a_connection(self):
        with self.accept_all() as sock:
            self.assertEqual(net.recv_line(sock), b"hello\n")
            sock.sendall(b"hi\n")
            self.terminal.expect_end("hi\n>>>")

    def test_quit_still_sends_it(self):
        self.terminal.type("quit\n")
        with self.accept_all() as sock:
            self.assertEqual(net.recv_line(sock), b"hello\n")
        self.assertEqual(self.terminal.wait(), 0)


if __name__ == "__main__":
    tap.main()
