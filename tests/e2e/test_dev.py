# SPDX-License-Identifier: LGPL-2.1-or-later
"""./dev with a fake package manager: what it prints before it installs anything."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import tap

DEV = os.path.join(daemon.TOP, "dev")
# The output of apt-get, which then asks or takes no for an answer.
PLAN = """Reading package lists...
The following NEW packages will be installed:
  autoconf automake gcc
0 upgraded, 37 newly installed, 0 to remove and 2 not upgraded.
Need to get {} of archives.
After this operation, 168 MB of additional disk space will be used.
Do you want to continue? [Y/n] N
Abort.
"""
APT = """#!/bin/sh
printf '%s\\n' "$*" >>"$0.log"
case " $* " in
*" --assume-no "*) cat "$0.plan"; exit 1 ;;
*" install "*) exit 100 ;;
esac
"""


class Installs(unittest.TestCase):
    """Nothing is installed: the fake apt-get fails on purpose, and that ends ./dev."""

    def setUp(self):
        with open("/etc/os-release", encoding="utf-8") as file:
            if not re.search(r"(?m)^ID(_LIKE)?=.*\b(debian|ubuntu)\b", file.read()):
                self.skipTest("only on Debian and Ubuntu is anything installed")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.write("apt-get", APT)
        self.write("dpkg-query", "#!/bin/sh\n")  # nothing is installed yet
        self.write("id", "#!/bin/sh\necho 0\n")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)

    def dev(self, command, download="45.6 MB"):
        self.write("apt-get.plan", PLAN.format(download))
        env = dict(os.environ, PATH=self.folder + ":" + os.environ["PATH"], BUILD=os.path.join(self.folder, "build"))
        done = subprocess.run([DEV, command], check=False, text=True, env=env, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 100, done.stderr)
        with open(os.path.join(self.folder, "apt-get.log"), encoding="utf-8") as file:
            return done.stderr, file.read().splitlines()

    def test_says_how_much_and_goes_on(self):
        for command in ("run", "check"):
            said, calls = self.dev(command)
            self.assertIn("\nPackages to install: 37 (download 45.6 MB, disk 168 MB)\n", said)
            self.assertRegex(calls[-3], "^update ")
            self.assertRegex(calls[-2], "^install --assume-no .* gcc")
            self.assertRegex(calls[-1], "^install .*-y .* gcc")

    def test_what_is_in_the_cache_already(self):
        said, _ = self.dev("build", "1,234 kB/45.6 MB")
        self.assertIn("Packages to install: 37 (download 1,234 kB, disk 168 MB)\n", said)

    def test_a_plan_that_is_not_understood(self):
        said, calls = self.dev("build", "45.6 MB")
        self.assertIn("Packages to install: 37 ", said)
        self.write("apt-get", APT.replace('cat "$0.plan"', "echo anything else"))
        said, calls = self.dev("build")
        self.assertNotIn("Packages to install", said)
        self.assertRegex(calls[-1], "^install .*-y ")


class Help(unittest.TestCase):
    def test_names_every_command_and_the_quick_way(self):
        said = subprocess.run([DEV, "--help"], check=True, text=True, stdout=subprocess.PIPE).stdout
        with open(DEV, encoding="utf-8") as file:
            commands = re.search(r"(?m)^(run \|.*)\) ;;$", file.read()).group(1).split(" | ")
        for command in commands:
            self.assertRegex(said, rf"(?m)^  {command} ")
        self.assertIn("SUITES=check ./dev check", said)


if __name__ == "__main__":
    tap.main()
