# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sections of README for administrators, line by line in a booted system.

`./dev deb` runs outside of it. `make install`, the other way in README, is used by the other tests here.
"""

import os
import pty
import re
import signal
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import debian
import net
import readme
import tap

CONFIGURATION = "/etc/answerd/answerd.conf"
RECEIPTS = "[Listener default]\nReply=ok {id}\n"
MESSAGE_SIZE_MAX = 64 * 1024
TICKS = 1500
BACK = "MESSAGE_ID=a9f387909544466c8a9c892d12a14a36"  # the journal takes records again

system = None


def setUpModule():
    global system
    system = debian.start()


def run(line, **options):
    return system.run("cd /answerd-tree && " + line, **options)


def on_terminal(script):
    """Runs a shell line on a terminal, which `systemctl edit` requires. Returns its exit status."""
    command = system.container.command("sh", "-c", script)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    try:
        while os.read(terminal, 4096):
            pass
    except OSError:  # EIO: the other end is closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class Deploy(unittest.TestCase):
    maxDiff = None

    def hold(self, line, expected):
        """Runs a line and compares the output. Without output in README, the line must only succeed."""
        said = run(line, check=not expected)
        if expected:
            self.assertEqual(readme.mask(said), readme.mask(expected), line)
        return said

    def test_line_by_line(self):
        (build, *first), second = readme.conversations("Deploy it")
        self.assertEqual(build[0], "./dev deb")
        sockets, settings = readme.fenced("Deploy it", "ini")
        mentioned = readme.mentioned("Deploy it", "make", "systemctl")
        self.assertEqual(mentioned, ["make -C build install", "systemctl disable --now answerd.socket", "make install",
                                     "systemctl enable --now answerd", "systemctl edit answerd.socket",
                                     "systemctl restart answerd.socket", "make install"])

        for line, expected in first:
            said = self.hold(line, expected)
            if line.startswith("apt install"):
                self.opened_by_the_package(mentioned[1])
        self.assertEqual(line, "systemctl status answerd")
        self.assertRegex(said, r"Active: active \(running\)")
        # The daemon updates its status every few seconds.
        net.wait_until(lambda: re.search(r'Status: "\d+ connections, .*, 1 message in all"', run(line)),
                       what="the message in the status line")
        self.listen_for_others(sockets)
        self.configure(settings, second)

    def opened_by_the_package(self, close):
        """The port is open without further commands, until the line `close` closes it."""
        self.assertEqual(system.run("ask 127.0.0.1:8080 first"), "ok\n")
        run(close)
        self.assertEqual(system.container.status("ask -t 5s 127.0.0.1:8080 refused"), 3)

    def listen_for_others(self, text):
        # An address besides loopback, in the network of the container.
        system.run("ip address add 192.0.2.1/32 dev lo")
        self.assertEqual(system.container.status("ask -t 5s 192.0.2.1:8080 refused"), 3)
        system.container.write("/answerd-tree/text", text)
        # The first line says that the text to edit is below it.
        system.container.write("/answerd-tree/editor", "#!/bin/sh\nexec sed -i '2r /answerd-tree/text' \"$1\"\n", mode=0o755)
        self.assertEqual(on_terminal("EDITOR=/answerd-tree/editor systemctl edit answerd.socket"), 0)
        self.assertIn(text.strip(), system.run("systemctl cat answerd.socket"))
        system.run("systemctl restart answerd.socket")
        for host in ("192.0.2.1", "127.0.0.1", "[::1]"):
            self.assertEqual(system.run(f"ask {host}:8080 'from afar'"), "ok\n")
        peers = {e.text("ANSWERD_PEER") for e in system.entries("MESSAGE_ID=" + booted.MESSAGE_ID)}
        self.assertEqual(peers, {"192.0.2.1", "127.0.0.1", "::1"})

    def configure(self, text, lines):
        self.assertEqual(text, RECEIPTS)
        system.container.write(CONFIGURATION, text)
        for line, expected in lines:
            self.assertEqual(self.hold(line, expected), "", line)
        number = re.fullmatch(r"ok (\S+)\n", run("ask 127.0.0.1:8080 receipt")).group(1)
        (entry,) = system.entries("ANSWERD_ID=" + number)
        self.assertEqual(entry.one("ANSWERD_DATA"), b"receipt")

    def test_on_a_hostile_network(self):
        """The settings of these sections."""
        run("apt-get install -q -y ./build/deb/*.deb")
        self.addCleanup(system.run, f"rm -f {CONFIGURATION}")
        for section in "On a hostile network", "Behind a proxy":
            (text,) = readme.fenced(section, "ini")
            system.container.write(CONFIGURATION, text)
            self.assertEqual(run("answerd --check"), "")

    def test_for_the_network(self):
        """With an authority of our own, and a client that is known by its certificate."""
        run("apt-get install -q -y ./build/deb/*.deb && systemctl enable --now answerd.socket")
        make, use = readme.conversations("Deploy it for the network")
        service, settings = readme.fenced("Deploy it for the network", "ini")
        drop_in = "/etc/systemd/system/answerd.service.d"
        self.addCleanup(system.run, f"rm -rf {drop_in} {CONFIGURATION} /etc/answerd/tls && systemctl daemon-reload"
                                    " && systemctl restart answerd")
        # One shell, for the variables and the directory.
        system.run(" && ".join(line for line, _ in make))
        system.run(f"mkdir -p {drop_in}")
        system.container.write(f"{drop_in}/override.conf", service)
        system.container.write(CONFIGURATION, settings)
        system.run("systemctl daemon-reload")
        for line, expected in use:
            system.run("journalctl --sync")
            said = system.run("cd /etc/answerd/tls && " + line)
            self.assertEqual(readme.mask(said), readme.mask(expected), line)
        self.assertEqual(system.container.status("ask --tls --ca=/etc/answerd/tls/ca.crt localhost:8080 stranger"), 3)
        self.assertEqual(system.container.status("ask -t 5s localhost:8080 plain"), 1)

    def test_a_journal_of_its_own(self):
        """The first recipe of the cookbook."""
        run("apt-get install -q -y ./build/deb/*.deb && systemctl enable --now answerd.socket")
        service, journal, _ = readme.fenced("Cookbook", "ini")
        self.addCleanup(system.run, "rm -rf /etc/systemd/system/answerd.service.d /etc/systemd/journald@answerd.conf"
                                    " && systemctl daemon-reload && systemctl restart answerd")
        system.run("mkdir -p /etc/systemd/system/answerd.service.d")
        system.container.write("/etc/systemd/system/answerd.service.d/override.conf", service)
        system.container.write("/etc/systemd/journald@answerd.conf", journal)
        run("systemctl daemon-reload && systemctl restart answerd")
        self.assertEqual(run("ask 127.0.0.1:8080 'kept apart'"), "ok\n")
        net.wait_until(lambda: "kept apart" in run("journalctl -q --namespace=answerd -o cat", check=False),
                       what="the message in the journal of its own")
        self.assertNotIn("kept apart", run("journalctl -q -o cat -u answerd"))


class Look(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        run("apt-get install -q -y ./build/deb/*.deb")
        system.container.write(CONFIGURATION, RECEIPTS + "MessageTimeout=500ms\n")
        # Only the events of this test must be found.
        system.run("systemctl stop answerd.service && journalctl --sync && journalctl --rotate --vacuum-files=1"
                   " && systemctl start answerd.socket answerd.service")
        self.number = self.happen()

    def say(self, source, *messages, then=b""):
        """Sends the messages of a connection, each after the last reply; then the bytes that get it cut off."""
        with system.container.socket() as sock:
            sock.bind((source, 0))
            sock.connect(("127.0.0.1", booted.PORT))
            for message in messages:
                sock.sendall(message + b"\n")
                reply = net.recv_line(sock)
            if then:
                sock.sendall(then)
                reply = net.recv_until_eof(sock)
                self.assertIn(b"error: ", reply)
        return reply

    def happen(self):
        """Repeats the events on the machine of README."""
        self.say("127.0.0.21", b"temp=21.5", b"temp=21.7")
        reply = self.say("127.0.0.22", b"valve 3 open")
        self.say("127.0.0.22", b"flow=\x01\x80 1.25")
        self.say("127.0.0.23", then=b"x" * (MESSAGE_SIZE_MAX + 1))
        # The log writes one event of each kind per second.
        written = time.monotonic()
        net.wait_until(lambda: time.monotonic() > written + 1.1, what="the next event of its kind to be admitted")
        self.say("127.0.0.24", then=b"GET")
        self.make_clients_wait()
        net.wait_until(lambda: run(f"journalctl -q {BACK}", check=False), what="the event that the journal is back")
        for _ in range(3):
            self.say("127.0.0.1", b"tick")
        system.run("journalctl --sync")
        return reply.split()[1].decode()

    def make_clients_wait(self):
        """Stops journald until the status line tells that the daemon waits for it."""
        journald = system.container.host_pid(int(system.show("systemd-journald.service", "MainPID")))
        with system.connect(booted.PORT) as sock:
            os.kill(journald, signal.SIGSTOP)
            try:
                sock.sendall(b"tick\n" * TICKS)
                sock.shutdown(1)
                # A wait of less than a second is not logged.
                for _ in range(2):
                    net.wait_until(lambda: system.show("answerd.service", "StatusText").endswith(
                        "; waiting for the journal"), 30, "the status line to say that the journal is waited for", 1)
            finally:
                os.kill(journald, signal.SIGCONT)
            self.assertEqual(net.recv_until_eof(sock, 60).count(b"\n"), TICKS)

    def test_the_ten_questions(self):
        asked = 0
        clients = [system.connect(booted.PORT) for _ in range(3)]
        for block in readme.conversations("Look into it"):
            for line, expected in block:
                # The ID and the times in README.
                line = re.sub(r"(?<=ANSWERD_ID=)\S+", self.number, line)
                line = re.sub(r"--since=\d\d:\d\d --until=\d\d:\d\d", "--since=-1hour --until=+1hour", line)
                with self.subTest(line):
                    if "StatusText" in line:
                        net.wait_until(lambda: run(line) == expected, 20, f"{line} to print {expected}")
                    said = run(line, check=False)
                    self.assertEqual(readme.mask(said), readme.mask(expected))
                asked += 1
        self.assertGreaterEqual(asked, 13)
        for client in clients:
            client.close()

        mentioned = readme.mentioned("Look into it", "journalctl", "systemctl")
        self.assertEqual(mentioned, ["journalctl -x", "systemctl cat answerd", "systemctl kill -s USR1 answerd"])
        said = [run(line) for line in mentioned]
        self.assertIn("A client sent a message, and it was recorded", said[0])
        self.assertIn("LogRateLimitBurst=1000000", said[1])
        net.wait_until(lambda: re.search(rf" messages={TICKS + 7} ", run("journalctl -q -u answerd -o cat")),
                       what="the counters in the journal")


if __name__ == "__main__":
    tap.main()
