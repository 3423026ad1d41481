# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages: built, installed, upgraded under load, removed, purged."""

import collections
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import crowd
import debian
import tap

system = None


def setUpModule():
    global system
    system = debian.start()
    # The next version differs only in its number.
    system.run("mkdir /packages && cd /packages && cp /answerd-tree/build/deb/answerd_*.deb first.deb && "
               "cp /answerd-tree/build/deb/answerd-clients_*.deb clients.deb && dpkg-deb -R first.deb next && "
               "sed -i 's/^Version: .*/Version: 99.0-1/' next/DEBIAN/control && dpkg-deb -b next next.deb")


def install(name):
    system.run(f"DEBIAN_FRONTEND=noninteractive dpkg -i /packages/{name}.deb")


class Package(unittest.TestCase):
    def setUp(self):
        self.addCleanup(system.run, "dpkg --purge answerd answerd-clients", check=False)
        install("first")

    def test_install(self):
        self.assertEqual(system.run("systemctl is-enabled answerd.socket").strip(), "enabled")
        self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")
        self.assertEqual(system.ask(b"packaged"), b"ok\n")
        self.assertIn(b"packaged", system.messages())
        system.run("answerlog --version && test -s /usr/share/man/man1/answerlog.1.gz")
        system.run("answerd --check && test -s /etc/answerd/answerd.conf")
        self.assertIn("A client sent a message", system.run("journalctl -q -x -n 3 -u answerd.service"))

    def test_the_daemon_does_without_the_clients(self):
        self.assertNotEqual(system.container.status("command -v ask ask-bench"), 0)
        self.assertEqual(system.run("dpkg-query -W -f '${Recommends}' answerd"), "answerd-clients")

    def test_the_clients_do_without_the_daemon(self):
        system.run("dpkg --purge answerd")
        install("clients")
        system.run("ask --version && ask-bench --version")
        self.assertNotEqual(system.container.status("command -v answerd answerlog"), 0)
        listed = system.run("dpkg -L answerd-clients")
        for manual in ("ask", "ask-bench"):
            self.assertIn(f"/usr/share/man/man1/{manual}.1", listed)

    def test_the_clients_take_over_from_the_package_that_had_all(self):
        system.run("dpkg --purge answerd")
        system.run("cd /packages && dpkg-deb -R first.deb all && dpkg-deb -x clients.deb all && "
                   "sed -i -e 's/^Version: .*/Version: 0.1.0-1/' -e /^Recommends:/d all/DEBIAN/control && "
                   "dpkg-deb -b all all.deb")
        install("all")
        system.run("DEBIAN_FRONTEND=noninteractive dpkg -i /packages/first.deb /packages/clients.deb")
        self.assertEqual(system.run("ask 127.0.0.1:8080 upgraded"), "ok\n")
        self.assertIn("answerd-clients: ", system.run("dpkg -S /usr/bin/ask"))

    def test_shells_find_the_completions(self):
        install("clients")
        for name in ("answerd", "answerlog", "ask", "ask-bench"):
            system.run(f"test -s /usr/share/bash-completion/completions/{name}")
        if system.container.status("command -v zsh") != 0:
            self.skipTest("zsh is not installed")
        found = system.run("zsh -fc 'autoload -Uz compinit && compinit -D && echo $_comps[answerd] $_comps[answerlog] "
                           "$_comps[ask] $_comps[ask-bench]'")
        self.assertEqual(found, "_answerd _answerlog _ask _ask-bench\n")

    def test_upgrade_under_load(self):
        system.ask(b"before")
        pid = system.main_pid()
        clients = crowd.Load(self, system.container)
        install("next")
        result = clients.stop()
        self.assertNotEqual(system.main_pid(), pid)
        print(f"{len(result.answered)} answers, longest gap {result.longest_gap * 1000:.0f} ms, "
              f"without an answer: {dict(result.failed)}")
        self.assertNotIn("ECONNREFUSED", result.failed)
        self.assertGreater(len(result.answered), 100)
        recorded = collections.Counter(system.messages())
        self.assertEqual([m for m in result.answered if recorded[m] != 1], [])

    def test_remove_and_purge(self):
        system.ask(b"last")
        system.run("dpkg --remove answerd")
        with self.assertRaises(ConnectionRefusedError):
            system.connect(booted.PORT)
        self.assertNotEqual(system.container.status("systemctl is-active answerd.service"), 0)
        self.assertTrue(os.path.exists(system.container.path("/etc/answerd/answerd.conf")))
        system.run("dpkg --purge answerd")
        left = system.run("find /etc /usr /lib/systemd /var/lib /var/cache /run/systemd -xdev -name '*answerd*'"
                          " ! -path '/usr/share/*' 2>/dev/null; dpkg -l answerd 2>&1 | grep '^[a-z][a-z] ' || :")
        self.assertEqual(left, "")


if __name__ == "__main__":
    tap.main()
