# SPDX-License-Identifier: LGPL-2.1-or-later
"""Repeats the sessions in README: each line after `$` or `#` in a ```console block, and its output.

Details that differ between runs (ports, IDs, times, process numbers) are masked on both sides. Lines with systemctl and
the package manager need a booted system and are not run here.
"""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import journald
import net
import readme
import tap

ADDRESS = "127.0.0.1:8080"  # the address in README
NO_JOURNAL = "answerd: this machine has no journal: messages are only printed, and a reply promises nothing\n"
MESSAGE_SIZE_MAX = 64 * 1024
JOURNAL_REMOTE = "/lib/systemd/systemd-journal-remote"
BACK = "MESSAGE_ID=a9f387909544466c8a9c892d12a14a36"  # the journal takes records again


def has_editor():
    """Whether ask was built with libedit."""
    with open(os.path.join(os.path.dirname(os.path.abspath(daemon.program("ask"))), "config.h"),
              encoding="utf-8") as file:
        return "#define HAVE_LIBEDIT 1" in file.read()


class Terminal:
    """A command on its own terminal, so it behaves as for a user."""

    def __init__(self, test, command, env):
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.execve("/bin/sh", ["sh", "-c", "exec " + command], env)
        self._text = ""
        test.addCleanup(self.close)

    def _read(self, seconds):
        if not select.select([self._fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._fd, 65536)
        except OSError:  # EIO: the other end is closed
            return None
        self._text += data.decode(errors="replace")
        return bool(data) or None

    @property
    def text(self):
        """The output, without the control sequences of the editor."""
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self._text).replace("\r\r\n", "\r\n")
        return re.sub(r"\r+\n", "\n", plain)

    def wait_for(self, pattern, count=1):
        deadline = time.monotonic() + net.TIMEOUT
        while len(re.findall(pattern, self.text)) < count:
            if self._read(max(deadline - time.monotonic(), 0)) is not True:
                raise AssertionError(f"no {pattern!r} ({count}) in {self.text!r}")

    def wait_for_editor(self):
        """An editor shows its prompt first, then turns off the terminal's echo."""
        net.wait_until(lambda: not termios.tcgetattr(self._fd)[3] & (termios.ECHO | termios.ICANON),
                       what="the editor to take over the terminal")

    def type(self, text):
        os.write(self._fd, text.encode() + b"\n")

    def end(self, number=None):
        """Waits for the end of the command, after a signal if one is given."""
        if number:
            os.kill(self._pid, number)
        while self._read(net.TIMEOUT):
            pass
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
        os.close(self._fd)


class Conversation(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = os.path.dirname(os.path.abspath(daemon.program("ask")))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("LISTEN_", "NOTIFY_", "JOURNAL_", "WATCHDOG_"))}
        self.env.update(PATH=folder + ":" + self.env["PATH"], TERM="dumb", LC_ALL="C.UTF-8",
                        ANSWERD_JOURNAL_SOCKET="/nonexistent/socket")
        self.port = 0

    def start(self, command):
        shown = Terminal(self, f"{command} --config=/dev/null --listen=127.0.0.1:0", self.env)
        shown.wait_for(r"listening on \S+\n")
        self.port = int(re.search(r"listening on 127\.0\.0\.1:(\d+)", shown.text).group(1))
        return shown

    def hold(self, command, expected):
        """Runs a line against the test's daemon and compares the output."""
        command = command.replace(ADDRESS, f"127.0.0.1:{self.port}")
        command = re.sub(r"\b127\.0\.0\.1 8080\b", f"127.0.0.1 {self.port}", command)
        if " nc " in f" {command} " and not shutil.which("nc"):
            self.skipTest("nc is not installed")
        if ">>> " in expected:
            said = self.type(command, re.findall(r"^>>> (.*)$", expected, re.MULTILINE))
        else:
            said = subprocess.run(command, shell=True, env=self.env, check=False, text=True, timeout=net.TIMEOUT,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
        self.assertEqual(readme.mask(said.replace(str(self.port), "8080")), readme.mask(expected), command)

    def type(self, command, lines):
        terminal = Terminal(self, command, self.env)
        for number, line in enumerate(lines, 1):
            terminal.wait_for(r"(?m)^>>> ", number)
            if has_editor():
                terminal.wait_for_editor()
            terminal.type(line)
            if number < len(lines):
                terminal.wait_for(r"(?m)^ok$", number)
        self.assertEqual(terminal.end(), 0)
        return re.sub(r"(?m)^>>> \n", "", terminal.text)

    def compare_shown(self, shown, expected):
        shown.wait_for(r"\n127\.0\.0\.1:\d+: ", expected.count("\n") - 1)
        said = shown.text.replace(str(self.port), "8080")
        # README shows a machine with a journal.
        self.assertTrue(said.startswith(NO_JOURNAL), said)
        said = said[len(NO_JOURNAL):]
        self.assertEqual(readme.mask(said), readme.mask(expected))
        self.assertEqual(shown.end(signal.SIGTERM), 0)

    def test_first_conversation(self):
        asked, told = readme.conversations("Talk to it")[:2]
        ((command, expected),) = told
        shown = self.start(command)
        self.assertGreater(len(asked), 2)
        for line, reply in asked:
            self.hold(line, reply)
        self.compare_shown(shown, expected)

    def test_the_others(self):
        others = readme.conversations("Talk to it")[2:]
        self.assertGreater(len(others), 0)
        for (command, expected), *asked in others:
            shown = self.start(command)
            for line, reply in asked:
                self.hold(line, reply)
            self.compare_shown(shown, expected)


class Look(unittest.TestCase):
    """The questions of an administrator, about a journal with the same events as in README."""

    maxDiff = None

    def setUp(self):
        self.journal = journald.Journal(self)
        listener = net.listener()
        self.addCleanup(listener.close)
        # With a watchdog the daemon pings every half second. That is the clock of this test.
        self.daemon = daemon.Daemon.activate(
            self, [(listener, "default")], journal=self.journal, env={"WATCHDOG_USEC": "2000000"},
            config="[Listener default]\nReply=ok {id}\nMessageTimeout=500ms\n")
        folder = tempfile.mkdtemp(prefix="ar", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        # Reads the test's journal. It has no unit names, because no systemd started the daemon.
        with open(os.path.join(folder, "journalctl"), "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\nexec " + shutil.which("journalctl") + f" --directory={self.journal.logs} "
                       '"${@/#-u/-t}"\n')
        os.chmod(file.name, 0o755)
        self.env = dict(os.environ, PATH=folder + ":" + os.environ["PATH"], LC_ALL="C.UTF-8", SYSTEMD_PAGER="",
                        SYSTEMD_COLORS="0")

    def say(self, source, *messages, then=b""):
        """Sends the messages of a connection, each after the last reply; then the bytes that get it cut off."""
        with net.connect(self.daemon.address(), source=(source, 0)) as sock:
            replies = []
            for message in messages:
                sock.sendall(message + b"\n")
                replies.append(net.recv_line(sock))
            if then:
                sock.sendall(then)
                self.assertIn(b"error: ", net.recv_until_eof(sock))
        return replies

    def happen(self):
        self.say("127.0.0.21", b"temp=21.5", b"temp=21.7")
        (reply,) = self.say("127.0.0.22", b"valve 3 open")
        self.say("127.0.0.22", b"flow=\x01\x80 1.25")
        self.say("127.0.0.23", then=b"x" * (MESSAGE_SIZE_MAX + 1))
        # The log writes one event of each kind per second.
        self.wait_for_ticks(3)
        self.say("127.0.0.24", then=b"GET")
        ticks = 1500
        with net.connect(self.daemon.address()) as sock:
            self.journal.pause()
            sock.sendall(b"tick\n" * ticks)
            sock.shutdown(1)
            self.wait_for_a_pause()
            self.journal.resume()
            self.assertEqual(net.recv_until_eof(sock, 60).count(b"\n"), ticks)
        # A journal that has just taken the waiting entries may have no room for this one. It is tried again.
        self.journal.wait_for(1, BACK)
        for _ in range(3):
            self.say("127.0.0.1", b"tick")
        self.assertTrue(self.journal.sync())
        return reply.split()[1].decode()

    def wait_for_ticks(self, count):
        """Waits for that many pings from now on."""
        notify = self.daemon.notify
        notify.all()
        for _ in range(count):
            notify.wait_for("WATCHDOG", after=len(notify.messages))

    def wait_for_a_pause(self):
        """Waits until the journal has blocked the daemon for over a second, long enough for an event."""
        notify = self.daemon.notify
        begin = len(notify.messages)

        def told():
            notify.wait_for("WATCHDOG", after=len(notify.messages))
            return any("waiting for the journal" in m.get("STATUS", "") for m in notify.messages[begin:])

        net.wait_until(told, what="the status line to say that the journal is waited for")
        self.wait_for_ticks(5)

    def test_the_ten_questions(self):
        if os.geteuid() != 0:
            self.skipTest("journald tells only root that it has written everything")
        number = self.happen()
        asked = 0
        for block in readme.conversations("Look into it"):
            for line, expected in block:
                if not line.startswith("journalctl"):
                    continue
                # The ID and the times in README.
                line = re.sub(r"(?<=ANSWERD_ID=)\S+", number, line)
                line = re.sub(r"--since=\d\d:\d\d --until=\d\d:\d\d", "--since=-1hour --until=+1hour", line)
                said = subprocess.run(line, shell=True, env=self.env, check=False, text=True, timeout=60,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT).stdout
                with self.subTest(line):
                    self.assertEqual(readme.mask(said), readme.mask(expected))
                asked += 1
        self.assertGreaterEqual(asked, 11)


class RecordLog(unittest.TestCase):
    """What README says of the log: what answerlog shows, and the recipes of the cookbook."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ar", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = daemon.Daemon(self, [], config=f"[Log]\nDirectory={self.folder}/log\nMirror=none\n"
                                                     "[Listener default]\nListen=127.0.0.1:0\nRecord=log\n"
                                                     "Reply=ok {id}\n")
        # The one in README reads the usual folder.
        with open(os.path.join(self.folder, "answerlog"), "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec {os.path.abspath(daemon.program("answerlog"))} "$@" {self.folder}/log\n')
        os.chmod(file.name, 0o755)
        os.symlink(os.path.join(daemon.TOP, "examples"), os.path.join(self.folder, "examples"))
        programs = os.path.dirname(os.path.abspath(daemon.program("ask")))
        self.env = dict(os.environ, PATH=":".join((self.folder, programs, os.environ["PATH"])), LC_ALL="C.UTF-8")

    def mask(self, text):
        text = re.sub(r"(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", "TIME", text)
        return readme.mask(re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "TIME", text))

    def hold(self, line, expected):
        """Runs a line and compares the output. Without output in README, the line must only succeed."""
        done = subprocess.run(line, shell=True, env=self.env, cwd=self.folder, check=False, text=True,
                              timeout=net.TIMEOUT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        if expected:
            self.assertEqual(self.mask(done.stdout), self.mask(expected))
        return done.stdout

    def test_answerlog(self):
        replies = net.exchange(self.server.address(), b"hello\nand more\n")
        self.assertRegex(replies, rb"^ok \S+\nok \S+\n$")
        self.server.stop()
        (block,) = readme.conversations("What a reply promises")
        for line, expected in block:
            with self.subTest(line):
                self.hold(line, expected)

    def forward(self, line, address):
        """Runs a line that does not end by itself. Returns the first message that it sends to that address."""
        with net.listener() as central:
            central.settimeout(net.TIMEOUT)
            line = line.replace(address, "%s:%d" % central.getsockname()[:2])
            with subprocess.Popen(line, shell=True, env=self.env, stdin=subprocess.DEVNULL,
                                  start_new_session=True) as running:
                try:
                    with central.accept()[0] as sock:
                        return json.loads(net.recv_line(sock))
                finally:
                    os.killpg(running.pid, signal.SIGKILL)

    def test_recipes(self):
        other = daemon.Daemon(self, ["--listen=127.0.0.1:0", "--framing=length"])
        lines = [pair for block in readme.conversations("Cookbook") for pair in block]
        # These read the machine's journal.
        lines = [(line, expected) for line, expected in lines if not line.startswith("journalctl -o ")]
        if not os.path.exists(JOURNAL_REMOTE):
            lines = [(line, expected) for line, expected in lines if "answerd.journal" not in line]
        self.assertGreaterEqual(len(lines), 8)
        receipt = ""
        for line, expected in lines:
            line = re.sub(r"(?<=--id=)\S+", receipt, line)
            line = line.replace(ADDRESS, "%s:%d" % self.server.address())
            line = line.replace("central.example 8080", "%s %d" % other.address())
            with self.subTest(line):
                if " -f " in line:
                    self.assertEqual(self.forward(line, "central.example:8080")["message"], "valve 3 open")
                else:
                    said = self.hold(line, expected)
                if line.startswith("ask "):
                    receipt = said.split()[1]


class Copies(unittest.TestCase):
    def test_the_python_client(self):
        (text,) = readme.fenced("Cookbook", "python")
        with open(os.path.join(daemon.TOP, "examples", "client.py"), encoding="utf-8") as file:
            self.assertTrue(file.read().endswith("\n" + text))


if __name__ == "__main__":
    tap.main()
