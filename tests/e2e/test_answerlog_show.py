# SPDX-License-Identifier: LGPL-2.1-or-later
"""What answerlog shows of a log: which records, in which order, in which form."""

import datetime
import os
import re
import subprocess
import unittest

import net
import logreading
import tap
from logreading import ANSWERLOG, Log, messages, objects, run

PLAIN = [b"message %d" % i for i in range(2000)]


def read_terminal(command):
    """What a command prints on a terminal, whose newlines are CR LF."""
    ours, theirs = os.openpty()
    with os.fdopen(theirs, "wb", buffering=0) as terminal:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=terminal)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        text = b""
        try:
            while piece := terminal.read(1 << 16):
                text += piece
        except OSError:  # EIO: its other end is closed
            pass
    return process.wait(timeout=logreading.DEADLINE), text.replace(b"\r\n", b"\n")


class Which(unittest.TestCase):
    def setUp(self):
        self.log = Log(self)
        self.folder = self.log.folder

    def test_all_in_order(self):
        self.log.record(PLAIN)
        self.assertGreater(len(self.log.segments()), 2)
        self.assertEqual(messages(self.folder), PLAIN)
        self.log.daemon.stop()
        self.assertEqual(messages(self.folder), PLAIN)
        self.assertEqual(messages(self.log.copy()), PLAIN)

    def test_the_last(self):
        self.log.record(PLAIN)
        for n in 0, 1, 1500, 5000:
            with self.subTest(n=n):
                self.assertEqual(messages("-n", str(n), self.folder), PLAIN[-n:] if n else [])
        self.assertEqual(messages("--lines=all", self.folder), PLAIN)

    def test_backwards(self):
        self.log.record(PLAIN)
        self.assertEqual(messages("-r", self.folder), PLAIN[::-1])
        self.assertEqual(messages("-r", "-n", "700", self.folder), PLAIN[:-701:-1])

    def test_a_pattern(self):
        self.log.record(PLAIN)
        self.assertEqual(messages("-g", "^message (7|1.*)99$", self.folder),
                         [m for m in PLAIN if re.match(rb"message (7|1.*)99$", m)])
        self.assertEqual(messages("-g", "9$", "-n", "3", self.folder), [m for m in PLAIN if m.endswith(b"9")][-3:])
        self.assertEqual(messages("-g", "nothing like this", self.folder, status=1), [])

    def test_an_id(self):
        self.log.record(PLAIN)
        every = objects(self.folder)
        for number in 0, 700, 1999:
            self.assertEqual(objects("--id=" + every[number]["id"], self.folder), [every[number]])
        unknown = re.sub("-1-", "-77-", every[0]["id"])
        self.assertEqual(objects("--id=" + unknown, self.folder, status=1), [])

    def test_a_peer_and_a_listener(self):
        self.log.record([b"one"])
        self.log.record([b"two"])
        one, two = objects(self.folder)
        self.assertEqual(objects("--peer=127.0.0.1", self.folder), [one, two])
        self.assertEqual(objects(f"--peer=127.0.0.1:{two['port']}", self.folder), [two])
        self.assertEqual(objects("--peer=127.0.0.2", self.folder, status=1), [])
        self.assertEqual(objects("--listener=default", self.folder), [one, two])
        self.assertEqual(objects("--listener=other", self.folder, status=1), [])
        for address in "[::1]:80", "2001:db8::7", "pid=1,uid=0":
            self.assertEqual(objects("--peer=" + address, self.folder, status=1), [])
        for wrong in "localhost", "127.0.0.0/8", "127.0.0.1:", "127.0.0.1:x", "[::1", "", ":80":
            run("--peer=" + wrong, self.folder, status=2,
                error=f"answerlog: --peer: '{wrong}' is not an address like 192.0.2.7, 192.0.2.7:4711, "
                      "[2001:db8::7]:4711 or pid=1234,uid=1000\n")

    def test_what_never_ends(self):
        run("-f", "--until=now", self.folder, status=2,
            error="answerlog: --follow and --until exclude each other\n")

    def test_times(self):
        for part in range(3):
            self.log.record(PLAIN[part * 500:(part + 1) * 500])
        every = objects(self.folder)
        first = min(o["time"] for o in every if o["message"] == "message 500")
        last = max(o["time"] for o in every if o["message"] == "message 999")
        wanted = [o for o in every if first <= o["time"] <= last]
        self.assertGreaterEqual(len(wanted), 500)
        self.assertEqual(objects("--since=" + first, "--until=" + last, self.folder), wanted)
        self.assertEqual(objects("-S", first, "-U", last, "-r", self.folder), wanted[::-1])
        self.assertEqual(objects("--since=-1h", self.folder), every)
        self.assertEqual(objects("--since=1 hour ago", "--until=+1h", self.folder), every)
        self.assertEqual(objects("--until=yesterday", self.folder, status=1), [])

    def test_an_empty_log(self):
        self.assertEqual(messages(self.folder), [])
        self.assertEqual(messages("-r", self.folder), [])
        self.assertEqual(messages("-n", "5", self.folder), [])

    def test_through_restarts(self):
        self.log.record(PLAIN[:300])
        self.log.daemon.stop()
        self.log.start()
        self.log.record(PLAIN[300:600])
        self.log.daemon.kill()
        self.assertEqual(messages(self.folder), PLAIN[:600])
        self.log.start()
        self.log.record(PLAIN[600:900])
        self.assertEqual(messages(self.folder), PLAIN[:900])
        self.assertEqual([o["number"] for o in objects("-r", self.folder)], list(range(900, 0, -1)))


class Forms(unittest.TestCase):
    BYTES = [b"plain", b"", b"a\nb\0c\xff\x1b[1m", "größe \u202e \x85".encode(), b'quote " and \\ back',
             bytes(range(256))]

    def setUp(self):
        self.log = Log(self, framing="length")
        self.log.record(self.BYTES)
        self.folder = self.log.folder

    def test_data_is_the_bytes_alone(self):
        self.assertEqual(run("-o", "data", self.folder), b"".join(self.BYTES))

    def test_cat(self):
        self.assertEqual(run("-o", "cat", self.folder), b"".join(m + b"\n" for m in self.BYTES))

    def test_cat_on_a_terminal(self):
        status, text = read_terminal([ANSWERLOG, "-o", "cat", self.folder])
        lines = text.split(b"\n")
        self.assertEqual(status, 0)
        self.assertEqual(lines[:3], [b"plain", b"", rb"a\nb\x00c\xff\x1b[1m"])
        self.assertEqual(lines[4], rb'quote " and \\ back')

    def test_short(self):
        text = run(self.folder, env={"TZ": "UTC"}).decode()
        for line, end in zip(text.splitlines(), ["plain", "", r"a\nb\x00c\xff\x1b[1m"]):
            match = re.fullmatch(r"(\w{3} \d\d \d\d:\d\d:\d\d) 127\.0\.0\.1:\d+: (.*)", line)
            self.assertTrue(match, line)
            self.assertEqual(match.group(2), end)
            then = datetime.datetime.strptime(match.group(1), "%b %d %H:%M:%S")
            now = datetime.datetime.utcnow()
            self.assertEqual((then.month, then.day), (now.month, now.day))

    def test_short_iso(self):
        text = run("-o", "short-iso", self.folder, env={"TZ": "Asia/Kolkata"}).decode()
        match = re.match(r"(\S+) 127\.0\.0\.1:\d+: plain\n", text)
        then = datetime.datetime.strptime(match.group(1), "%Y-%m-%dT%H:%M:%S%z")
        self.assertLess(abs(datetime.datetime.now(datetime.timezone.utc) - then), datetime.timedelta(hours=1))

    def test_json(self):
        raw = run("-o", "json", self.folder)
        self.assertFalse(re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", raw))
        self.assertNotIn("\u202e".encode(), raw)
        found = objects(self.folder)
        for number, (entry, data) in enumerate(zip(found, self.BYTES), 1):
            self.assertEqual(entry["number"], number)
            self.assertEqual(entry["seq"], number)
            self.assertRegex(entry["id"], f"^[0-9a-f]{{16}}-{entry['connection']}-{number}$")
            self.assertRegex(entry["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assertEqual((entry["peer"], entry["listener"], entry["unfinished"]), ("127.0.0.1", "default", False))
            value = entry["message"]
            self.assertEqual(value.encode() if isinstance(value, str) else bytes(value), data)
        self.assertIsInstance(found[2]["message"], list)
        self.assertEqual(len(found), len(self.BYTES))

    def test_unfinished(self):
        log = Log(self)
        log.record([b"whole"])
        net.exchange(log.daemon.address(), b"half")
        self.assertEqual([(o["message"], o["unfinished"]) for o in objects(log.folder)],
                         [("whole", False), ("half", True)])


class Ends(unittest.TestCase):
    def test_usage(self):
        for arguments in (["--no-such-option"], ["-n", "x"], ["-o", "xml"], ["--since=soon"], ["--id=7"], ["-g", "("],
                          ["-f", "-r"], ["a", "b"], ["--verify", "--disk-usage"], ["--verify", "-n", "3"],
                          ["--vacuum-size=much"], ["--vacuum-time=long"], ["--since=now", "--until=-1h"]):
            with self.subTest(arguments):
                self.assertEqual(run(*arguments, status=2, error=None), b"")

    def test_version(self):
        self.assertRegex(run("--version").decode(),
                         r"\Aanswerlog [0-9.]+( \(git [0-9a-f]+\))?\nLicence: LGPL-2\.1-or-later\n\Z")

    def test_no_log(self):
        run("/nothing/here", status=3, error="answerlog: /nothing/here: No such file or directory\n")
        run("/usr", status=3, error="answerlog: /usr: no log is here\n")
        for option in "--verify", "--disk-usage", "--vacuum-size=1G":
            run(option, "/nothing/here", status=3, error="answerlog: /nothing/here: No such file or directory\n")

    def test_a_reader_that_has_enough(self):
        log = Log(self)
        log.record(PLAIN)
        done = subprocess.run(["bash", "-c", '"$0" "$1" | head -n 1; exit "${PIPESTATUS[0]}"', ANSWERLOG, log.folder],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=logreading.DEADLINE, check=False)
        self.assertIn(done.returncode, (0, 141))
        self.assertEqual(done.stderr, b"")
        self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_output_that_fails(self):
        log = Log(self)
        log.record(PLAIN)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([ANSWERLOG, log.folder], stdout=full, stderr=subprocess.PIPE,
                                  timeout=logreading.DEADLINE, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (3, b"answerlog: standard output: No space left on device\n"))


if __name__ == "__main__":
    tap.main()
