# SPDX-License-Identifier: LGPL-2.1-or-later
"""A message in the journal: every field and every byte, read back from a real journald."""

import os
import re
import struct
import subprocess
import unittest

import journald
import net
import tap
from daemon import Daemon

MESSAGE_ID = "bb76528fac9d4b059a11d46c1196ef46"
NETSTRINGS = "[Listener default]\nListen=127.0.0.1:0\nFraming=length\nReply={id}\nMaxMessageSize=16M\n"
OURS = ["SYSLOG_IDENTIFIER", "PRIORITY", "MESSAGE_ID", "MESSAGE", "ANSWERD_ID", "ANSWERD_PEER",
        "ANSWERD_PEER_PORT", "ANSWERD_CONNECTION", "ANSWERD_SEQ", "ANSWERD_LISTENER", "ANSWERD_DATA"]
NASTY = [
    b"", b"\0", b"\n", b"a\nPRIORITY=0\nMESSAGE=forged", b"\nPRIORITY\n\1\0\0\0\0\0\0\0" + b"0\n", b"\xff\xfe\xc3",
    b"\x1b[31mred\x1b[0m\x07", "\x9b31m\u202e".encode("latin-1", "ignore"), "grüße 你好 😀".encode(), b"\\n is not \n",
    bytes(range(256)), b"=", b"A=B", b"_UID=0\n_PID=1", b"x" * 511, b"x" * 512, b"x" * 513, "é".encode() * 300,
    b"\0" * 200, b"y" * 65536, os.urandom(100000), b"z" * 300000, os.urandom(1 << 20), b"\n" * (4 << 20),
]


def shown(data):
    """The text of MESSAGE as specified: escaped, at most 512 bytes, `…` if cut."""
    pieces = []
    at = 0
    names = {0x0a: "\\n", 0x0d: "\\r", 0x09: "\\t", 0x5c: "\\\\"}
    while at < len(data):
        for size in 1, 2, 3, 4:
            try:
                character = data[at:at + size].decode("utf-8")
                break
            except UnicodeDecodeError:
                character = None
        if character is None:
            pieces.append("\\x%02x" % data[at])
            at += 1
        elif ord(character) in names:
            pieces.append(names[ord(character)])
            at += 1
        elif ord(character) < 0x20 or 0x7f <= ord(character) < 0xa0:
            pieces.append("\\x%02x" % data[at])
            at += 1
        else:
            pieces.append(character)
            at += size
        if sum(len(p.encode()) for p in pieces) > 512 and at < 2000:
            break
    text = "".join(pieces).encode()
    if len(text) <= 512:
        return text.decode()
    while len("".join(pieces).encode()) + len("…".encode()) > 512:
        pieces.pop()
    return "".join(pieces) + "…"


def frame(data):
    return struct.pack("!I", len(data)) + data


class Entries(unittest.TestCase):
    def setUp(self):
        self.journal = journald.Journal(self)

    def send(self, daemon, messages):
        """Sends them on one connection, each after the last reply. Returns the replies and the client's port."""
        replies = []
        with daemon.connect() as client:
            for message in messages:
                client.sendall(frame(message))
                size, = struct.unpack("!I", net.recv_exactly(client, 4))
                replies.append(net.recv_exactly(client, size).decode())
            return replies, client.getsockname()[1]

    def test_a_line_that_the_end_cut_short(self):
        """It is a message, and its entry tells that more may have been meant."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--record=journal"], journal=self.journal)
        self.assertEqual(net.exchange(daemon.address(), b"whole\r\nhal"), b"ok\r\nok\n")
        entries = self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual([e.one("ANSWERD_DATA") for e in entries], [b"whole", b"hal"])
        self.assertNotIn("ANSWERD_UNFINISHED", entries[0])
        self.assertEqual(entries[1].one("ANSWERD_UNFINISHED"), b"1")
        self.assertEqual(self.journal.entries("ANSWERD_UNFINISHED=1"), entries[1:])
        daemon.stop()

    def test_every_field_is_exact(self):
        daemon = Daemon(self, [], config=NETSTRINGS, journal=self.journal)
        replies, port = self.send(daemon, NASTY)
        entries = self.journal.wait_for(len(NASTY), "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual(len(entries), len(NASTY))
        for number, (entry, data, reply) in enumerate(zip(entries, NASTY, replies), 1):
            with self.subTest(number=number, data=data[:40]):
                own = {name: entry.one(name) for name in entry if not name.startswith("_")}
                self.assertEqual(list(sorted(own)), sorted(OURS))
                self.assertEqual(own["ANSWERD_DATA"], data)
                self.assertEqual(own["ANSWERD_ID"].decode(), reply)
                self.assertEqual(own["SYSLOG_IDENTIFIER"], b"answerd")
                self.assertEqual(own["PRIORITY"], b"6")
                self.assertEqual(own["ANSWERD_PEER"], b"127.0.0.1")
                self.assertEqual(own["ANSWERD_PEER_PORT"], b"%d" % port)
                self.assertEqual(own["ANSWERD_CONNECTION"], b"1")
                self.assertEqual(own["ANSWERD_SEQ"], b"%d" % number)
                self.assertEqual(own["ANSWERD_LISTENER"], b"default")
                self.assertEqual(own["MESSAGE"].decode(), f"127.0.0.1:{port}: " + shown(data))
                self.assertEqual(entry.one("_PID"), b"%d" % daemon.pid)
                self.assertNotRegex(own["MESSAGE"], b"[\x00-\x1f\x7f]")
        daemon.stop()

    def test_an_id_finds_its_entry(self):
        daemon = Daemon(self, [], config=NETSTRINGS, journal=self.journal)
        replies, _ = self.send(daemon, [b"one", b"two", b"three"])
        self.assertEqual(len(set(replies)), 3)
        found = self.journal.wait_for(1, "ANSWERD_ID=" + replies[1])
        self.assertEqual([e.one("ANSWERD_DATA") for e in found], [b"two"])
        daemon.stop()

    def test_unix_and_ipv6_peers(self):
        path = os.path.join(self.journal.directory, "s")
        daemon = Daemon(self, ["--listen=[::1]:0", "--listen=" + path], listeners=2, journal=self.journal)
        for address in daemon.addresses:
            self.assertEqual(net.exchange(address, b"x\n"), b"ok\n")
        inet, unix = self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual(inet.text("ANSWERD_PEER"), "::1")
        self.assertEqual(inet.text("MESSAGE"), f"[::1]:{inet.text('ANSWERD_PEER_PORT')}: x")
        who = f"pid={os.getpid()},uid={os.getuid()}"
        self.assertEqual(unix.text("ANSWERD_PEER"), who)
        self.assertEqual(unix.text("MESSAGE"), who + ": x")
        self.assertNotIn("ANSWERD_PEER_PORT", unix)
        daemon.stop()

    def test_listeners_record_as_they_say(self):
        config = "".join(f"[Listener {name}]\nListen=127.0.0.1:0\n{rest}\n" for name, rest in [
            ("default", ""), ("written", "Record=journal"), ("shown", "Record=stderr"), ("plain", "Record=none")])
        daemon = Daemon(self, [], config=config, listeners=4, journal=self.journal)
        for number in range(4):
            self.assertEqual(net.exchange(daemon.address(number), b"to %d\n" % number), b"ok\n")
        entries = self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual([(e.text("ANSWERD_LISTENER"), e.one("ANSWERD_DATA")) for e in entries],
                         [("default", b"to 0"), ("written", b"to 1")])
        daemon.stderr.wait_for(r"^127\.0\.0\.1:\d+: to 2$")
        daemon.stop()
        self.assertFalse([line for line in daemon.stderr.lines if "to 3" in line])

    def test_many_on_one_connection_stay_in_order(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply={seq}"], journal=self.journal)
        count = 3000
        replies = net.exchange(daemon.address(), b"".join(b"%d\n" % n for n in range(1, count + 1)), timeout=30)
        self.assertEqual(replies, b"".join(b"%d\n" % n for n in range(1, count + 1)))
        entries = self.journal.wait_for(count, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual([int(e.one("ANSWERD_DATA")) for e in entries], list(range(1, count + 1)))
        self.assertEqual([int(e.one("ANSWERD_SEQ")) for e in entries], list(range(1, count + 1)))
        daemon.stop()

    def test_no_reply_at_all(self):
        """Reply= and chunk framing: messages are recorded, and no byte is sent."""
        config = "[Listener default]\nListen=127.0.0.1:0\nFraming=chunk\nReply=\n"
        daemon = Daemon(self, [], config=config, journal=self.journal)
        self.assertEqual(net.exchange(daemon.address(), b"telemetry"), b"")
        self.assertEqual(net.exchange(daemon.address(), b"more"), b"")
        entries = self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual([e.one("ANSWERD_DATA") for e in entries], [b"telemetry", b"more"])
        daemon.stop()

    def test_refused_messages_are_not_written(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=netstring"], journal=self.journal)
        self.assertEqual(net.exchange(daemon.address(), b"1:a,1:b,!"), b"2:ok,2:ok,24:error: malformed message,")
        entries = self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        self.assertEqual([e.one("ANSWERD_DATA") for e in entries], [b"a", b"b"])
        daemon.stop()

    def test_ordinary_lines_of_journalctl(self):
        daemon = Daemon(self, [], config=NETSTRINGS, journal=self.journal)
        self.send(daemon, [b"hello", b"a\nb"])
        self.journal.wait_for(2, "MESSAGE_ID=" + MESSAGE_ID)
        lines = subprocess.run(["journalctl", "--directory=" + self.journal.logs, "-q", "-o", "cat", "-t", "answerd"],
                               stdout=subprocess.PIPE, check=True, timeout=net.TIMEOUT).stdout.decode().splitlines()
        self.assertEqual([re.sub(r":\d+:", ":PORT:", line) for line in lines],
                         ["127.0.0.1:PORT: hello", "127.0.0.1:PORT: a\\nb"])
        daemon.stop()


class Events(unittest.TestCase):
    def test_a_service_logs_its_life_to_the_journal(self):
        journal = journald.Journal(self)
        path = os.path.join(journal.directory, "s")
        config = f"[Server]\nMaxConnectionsPerAddress=9\n[Listener default]\nListen={path}\nFraming=netstring\n"
        daemon = Daemon(self, [], config=config, notify=True, listeners=0, journal=journal)
        self.assertEqual(net.exchange(path, b"1:a,!"), b"2:ok,24:error: malformed message,")
        count = len(daemon.notify.messages)
        daemon.signal(1)
        daemon.notify.wait_for("READY", "1", after=count)
        count = len(daemon.notify.messages)
        daemon.write_config("[Broken]\n")
        daemon.signal(1)
        daemon.notify.wait_for("READY", "1", after=count)
        daemon.stop()
        entries = journal.wait_for(9, "SYSLOG_IDENTIFIER=answerd")
        said = [(e.text("MESSAGE_ID")[:8], e.text("PRIORITY"), e.text("MESSAGE")) for e in entries]
        who = f"pid={os.getpid()},uid={os.getuid()}"
        expected = [
            ("36ec94df", "6", f"listening on {path} (default)"),
            ("d7a6e574", "5", f"{who}: cut off: malformed message (netstring framing)"),
            ("09f6c6b3", "5", f"{who}: discarded 1 byte: the client broke the framing"),
            ("bb76528f", "6", f"{who}: a"),
            ("7ad49df4", "5", f"reloaded: {daemon.config_path}"),
            ("b2b6f48c", "3", "reload refused, the old configuration stays in force: "
                              f"{daemon.config_path}:1: unknown section [Broken]"),
            ("193bb95a", "6", "stopping: 0 connections, answering the messages that have arrived"),
            ("d166fb5c", "6", "stopped after 1 message; 0 connections cut off"),
        ]
        started = said.pop(0)
        self.assertEqual(started[:2], ("862e1c8e", "6"))
        self.assertRegex(started[2], r"^answerd \S+: \d+ workers, ")
        self.assertEqual(sorted(said), sorted(expected))
        error = next(e for e in entries if e.text("MESSAGE_ID").startswith("d7a6"))
        self.assertEqual((error.text("ANSWERD_PEER"), error.text("ANSWERD_LISTENER"), error.text("ANSWERD_CONNECTION")),
                         (who, "default", "1"))


if __name__ == "__main__":
    tap.main()
