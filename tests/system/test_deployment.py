# SPDX-License-Identifier: LGPL-2.1-or-later
"""Installed, enabled, asked: the first steps of an administrator, and the journal afterwards."""

import json
import os
import re
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import hang
import net
import tap

system = None


def setUpModule():
    global system
    system = booted.start()


class Case(unittest.TestCase):
    def setUp(self):
        system.run("systemctl enable --now answerd.socket")


class Activation(Case):
    def test_first_connection_starts_it(self):
        times = []
        for _ in range(5):
            system.run("systemctl stop answerd.service")
            self.assertEqual(system.show("answerd.service", "ActiveState"), "inactive")
            begun = time.monotonic()
            self.assertEqual(system.ask(b"first"), b"ok\n")
            times.append(time.monotonic() - begun)
        print("from first connection to first answer: "
              f"{sorted(times)[2] * 1000:.0f} ms (median of 5, at most {max(times) * 1000:.0f} ms)")
        # systemd may see READY=1 after the client sees the reply.
        net.wait_until(lambda: system.show("answerd.service", "ActiveState") == "active", what="the service to be up")
        self.assertLess(max(times), net.LATE)

    def test_enabled_at_boot(self):
        self.assertEqual(system.run("systemctl is-enabled answerd.socket").strip(), "enabled")
        self.assertIn("answerd.socket", system.run("systemctl list-dependencies --plain sockets.target"))

    def test_enabled_by_the_service(self):
        system.run("systemctl disable --now answerd.socket answerd.service")
        self.addCleanup(system.run, "systemctl disable answerd.service; systemctl enable --now answerd.socket")
        said = system.run("systemctl enable --now answerd")
        self.assertNotIn("installation config", said)
        for unit in "answerd.service", "answerd.socket":
            self.assertEqual(system.run(f"systemctl is-enabled {unit}").strip(), "enabled")
            self.assertEqual(system.show(unit, "ActiveState"), "active")
        self.assertEqual(system.ask(b"enabled"), b"ok\n")
        system.run("systemctl stop answerd.service")
        self.assertEqual(system.ask(b"activated"), b"ok\n")
        system.run("systemctl disable --now answerd")
        for unit in "answerd.service", "answerd.socket":
            self.assertEqual(system.run(f"systemctl is-enabled {unit}", check=1).strip(), "disabled")

    def test_the_manual_and_the_unit_start_instances_alike(self):
        unit = system.run("cat /lib/systemd/system/answerd@.socket")
        commands = re.findall(r"^#     (systemctl .*)$", unit, re.MULTILINE)
        self.assertEqual(len(commands), 3)
        with open(os.path.join(booted.daemon.TOP, "man/answerd.8"), encoding="utf-8") as page:
            self.assertIn("\n".join(commands), page.read().replace("\\-", "-"))

    def test_ask(self):
        self.assertEqual(system.run("ask 127.0.0.1:8080 'hello from ask'"), "ok\n")
        self.assertIn(b"hello from ask", system.messages())

    def test_status_line_is_live(self):
        system.ask(b"x")

        def connections():
            return re.search(r"(\d+) connections?", system.show("answerd.service", "StatusText"))

        sockets = [system.connect(booted.PORT) for _ in range(7)]
        net.wait_until(lambda: connections() and connections().group(1) == "7",
                       what="7 connections in the status line")
        text = system.show("answerd.service", "StatusText")
        self.assertIn(text, system.run("systemctl status answerd.service"))
        for sock in sockets:
            sock.close()
        net.wait_until(lambda: "7 conn" not in system.show("answerd.service", "StatusText"),
                       what="the status line to change")

    def test_instances_share_the_port(self):
        system.run("systemctl disable --now answerd.socket")
        self.addCleanup(system.run, "systemctl disable --now answerd@1.socket answerd@2.socket answerd.target;"
                                    "systemctl stop 'answerd@*'")
        unit = system.run("cat /lib/systemd/system/answerd@.socket")
        system.run(" && ".join(re.findall(r"^#     (systemctl .*)$", unit, re.MULTILINE)))
        self.assertEqual(system.run("systemctl is-enabled answerd.target").strip(), "enabled")
        for number in range(100):
            self.assertEqual(system.ask(b"shared %d" % number), b"ok\n")
        units = {e.text("_SYSTEMD_UNIT") for e in system.entries("MESSAGE_ID=" + booted.MESSAGE_ID)
                 if e.one("ANSWERD_DATA").startswith(b"shared")}
        self.assertEqual(units, {"answerd@1.service", "answerd@2.service"})
        system.run("systemctl stop answerd.target")

        def refused():
            try:
                system.connect(booted.PORT).close()
            except ConnectionRefusedError:
                return True
            return False

        # systemctl waits for the target, but not for units that are PartOf= it.
        net.wait_until(refused, what="the port to be closed")


class UnixSocket(Case):
    def test_who_a_peer_is(self):
        """With PrivateUsers= the service knows only root and its own user (user_namespaces(7))."""
        self.addCleanup(system.run, "systemctl restart answerd.socket")
        self.addCleanup(system.drop_in, "answerd.service", "")
        self.addCleanup(system.drop_in, "answerd.socket", "")
        system.drop_in("answerd.socket", "[Socket]\nListenStream=/run/answerd.sock\n")
        system.run("systemctl restart answerd.socket")
        self.assertEqual(self.peer(0), 0)
        self.assertEqual(self.peer(1), 65534)
        system.drop_in("answerd.service", "[Service]\nPrivateUsers=no\n")
        system.run("systemctl restart answerd.service")
        self.assertEqual(self.peer(0), 0)
        self.assertEqual(self.peer(1), 1)

    def peer(self, uid):
        """Asks as that user and checks the process in the reply. Returns the user in the journal."""
        script = f"exec setpriv --reuid={uid} --clear-groups ask -t 10s unix:/run/answerd.sock"
        said = system.run(f"sh -c 'echo $$; {script} $$'").split()
        self.assertEqual(said[1:], ["ok"])
        entry = [e for e in system.entries("MESSAGE_ID=" + booted.MESSAGE_ID)
                 if e.text("ANSWERD_PEER").startswith("pid=")][-1]
        self.assertEqual(entry.one("ANSWERD_DATA"), said[0].encode())
        self.assertNotIn("ANSWERD_PEER_PORT", entry)
        pid, user = re.fullmatch(r"pid=(\d+),uid=(\d+)", entry.text("ANSWERD_PEER")).groups()
        self.assertEqual(pid, said[0])
        return int(user)


class Confinement(Case):
    def test_what_the_process_can_do(self):
        system.ask(b"x")
        pid = system.container.host_pid(system.main_pid())
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertGreaterEqual(int(status["Uid"].split()[0]), 61184, "not a dynamic user")
        for name in ("net", "user", "mnt"):
            self.assertNotEqual(os.readlink(f"/proc/{pid}/ns/{name}"),
                                os.readlink(f"/proc/{system.container.leader}/ns/{name}"), name)
        self.assertEqual(status["Threads"], str(len(hang.threads(pid))))

    def test_nothing_is_filtered_that_it_needs(self):
        """No system call of start, work, reload and stop is refused. An audit record or SIGSYS would show it."""
        system.run("systemctl restart answerd.service")
        for _ in range(100):
            system.ask(b"x")
        system.run("systemctl kill --signal=USR1 answerd.service && systemctl reload answerd.service")
        system.run("systemctl stop answerd.service")
        self.assertEqual(system.show("answerd.service", "Result"), "success")
        said = system.run("journalctl -u answerd.service -o cat")
        self.assertNotRegex(said, r"(?i)operation not permitted|bad system call|read-only file system")


class Entries(Case):
    def test_all_fields(self):
        data = b"a\tb\x00\xff\x1b[31m PRIORITY=0"
        with system.connect(booted.PORT) as sock:
            port = sock.getsockname()[1]
            sock.sendall(b"one\n" + data + b"\n")
            net.recv_exactly(sock, 6)
        (entry,) = [e for e in system.entries(f"ANSWERD_PEER_PORT={port}", "ANSWERD_SEQ=2")
                    if e.one("ANSWERD_DATA") == data]
        self.assertEqual(entry.text("_SYSTEMD_UNIT"), "answerd.service")
        self.assertEqual(entry.text("SYSLOG_IDENTIFIER"), "answerd")
        self.assertEqual(entry.text("PRIORITY"), "6")
        self.assertEqual(entry.text("ANSWERD_PEER"), "127.0.0.1")
        self.assertEqual(entry.text("ANSWERD_LISTENER"), "default")
        self.assertRegex(entry.text("ANSWERD_CONNECTION"), r"^\d+$")
        self.assertNotIn(b"\x1b", entry.one("MESSAGE"))
        found = system.entries("ANSWERD_ID=" + entry.text("ANSWERD_ID"))
        self.assertEqual([e.one("ANSWERD_DATA") for e in found], [data])

    def test_the_ways_to_look(self):
        system.ask(b"needle in a haystack")
        system.run("journalctl --sync")
        self.assertIn("needle in a haystack", system.run("journalctl -q -u answerd.service"))
        self.assertIn("needle in a haystack", system.run("journalctl -q ANSWERD_PEER=127.0.0.1"))
        lines = system.run("journalctl -q -u answerd -o json ANSWERD_PEER=127.0.0.1").splitlines()
        self.assertIn("needle in a haystack", [json.loads(line)["ANSWERD_DATA"] for line in lines])
        self.assertIn("A client sent a message, and it was recorded",
                      system.run("journalctl -q -x -n 5 ANSWERD_PEER=127.0.0.1"))

    def test_log_namespace(self):
        self.addCleanup(system.run, "systemctl restart answerd.service")
        self.addCleanup(system.drop_in, "answerd.service", "")
        system.drop_in("answerd.service", "[Service]\nLogNamespace=answerd\n")
        system.run("systemctl restart answerd.service")
        system.ask(b"in the namespace")
        system.run("journalctl --namespace=answerd --sync")
        self.assertIn("in the namespace", system.run("journalctl -q --namespace=answerd -u answerd.service"))
        self.assertNotIn("in the namespace", system.run("journalctl -q -u answerd.service"))


if __name__ == "__main__":
    tap.main()
