# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian package: built, installed, upgraded while clients are at work, removed, purged."""

import collections
import glob
import os
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import daemon
import load
import tap

TOOLS = ("dpkg-buildpackage", "dh", "lintian")

system = None
package = None


def build():
    """Builds the package with the project's own command, which ends with lintian's opinion of it."""
    for tool in TOOLS:
        if not shutil.which(tool):
            raise unittest.SkipTest(f"{tool} is not installed")
    done = subprocess.run([os.path.join(daemon.TOP, "dev"), "deb"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise AssertionError("./dev deb failed:\n" + done.stdout[-8000:])
    (path,) = glob.glob(os.path.join(daemon.TOP, "build/deb/answerd_*.deb"))
    return path


def setUpModule():
    global system, package
    booted.nspawn.require()
    package = build()
    system = booted.start(install=False)
    # Images of containers forbid packages to start services.
    system.run("rm -f /usr/sbin/policy-rc.d")
    os.mkdir(system.container.path("/packages"))
    shutil.copy(package, system.container.path("/packages/first.deb"))
    # The next version is the same but for its number.
    system.run("cd /packages && dpkg-deb -R first.deb next && "
               "sed -i 's/^Version: .*/Version: 99.0-1/' next/DEBIAN/control && dpkg-deb -b next next.deb")


def install(name):
    system.run(f"DEBIAN_FRONTEND=noninteractive dpkg -i /packages/{name}.deb")


class Package(unittest.TestCase):
    def setUp(self):
        self.addCleanup(system.run, "dpkg --purge answerd", check=False)
        install("first")

    def test_install(self):
        self.assertEqual(system.run("systemctl is-enabled answerd.socket").strip(), "enabled")
        self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")
        self.assertEqual(system.ask(b"packaged"), b"ok\n")
        self.assertIn(b"packaged", system.messages())
        system.run("answerd --check && test -s /etc/answerd/answerd.conf")
        self.assertIn("A client sent a message", system.run("journalctl -q -x -n 3 -u answerd.service"))

    def test_upgrade_under_load(self):
        system.ask(b"before")
        pid = system.main_pid()
        clients = load.Load(self, system.container)
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
