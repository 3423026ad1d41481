# SPDX-License-Identifier: LGPL-2.1-or-later
"""`make install` puts files where pkg-config says, and `make uninstall` leaves none. Needs no container."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import tap

BUILD = os.environ.get("top_builddir") or os.path.join(daemon.TOP, "build")

# A folder of configure, the package and variable that name it, and a file that must be in it.
FOLDERS = (
    ("systemdsystemunitdir", "systemd", "systemdsystemunitdir",
     {"answerd.service", "answerd.socket", "answerd.target", "answerd@.service", "answerd@.socket"}),
    ("catalogdir", "systemd", "catalogdir", {"answerd.catalog"}),
    ("bashcompletiondir", "bash-completion", "completionsdir", {"answerd", "answerlog", "ask", "ask-bench"}),
    ("zshcompletiondir", None, None, {"_answerd", "_answerlog", "_ask", "_ask-bench"}),
)


class Install(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="ai", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.root)
        self.make("install", "DESTDIR=" + self.root)

    def make(self, *arguments):
        # The make that runs the tests has set variables that would confuse another make.
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")}
        done = subprocess.run(["make", "-s", "-C", BUILD, *arguments], check=False, env=env, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def files(self):
        return {os.path.join(folder, name) for folder, _, names in os.walk(self.root) for name in names}

    def configured(self, name):
        """A folder as configure and make know it, below the test's root."""
        return self.root + self.make("--eval", f"show-folder: ; @echo $({name})", "show-folder").strip()

    def test_folders(self):
        with open(os.path.join(BUILD, "config.status"), encoding="utf-8") as file:
            arguments = re.search(r"^ac_cs_config='?(.*)", file.read(), re.MULTILINE).group(1)
        for name, module, variable, files in FOLDERS:
            with self.subTest(name):
                folder = self.configured(name)
                self.assertEqual({os.path.basename(f) for f in self.files() if os.path.dirname(f) == folder}, files)
                if module and f"--with-{name}" not in arguments:
                    done = subprocess.run(["pkg-config", "--variable=" + variable, module], check=False, text=True,
                                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                    if done.stdout.strip():
                        self.assertEqual(folder, self.root + done.stdout.strip())

    def test_the_unit_starts_what_is_installed(self):
        with open(os.path.join(self.configured("systemdsystemunitdir"), "answerd.service"), encoding="utf-8") as file:
            program = re.search(r"^ExecStart=(\S+)", file.read(), re.MULTILINE).group(1)
        self.assertTrue(os.access(self.root + program, os.X_OK), program)

    def test_the_configuration_is_an_example(self):
        """An installation never touches the administrator's settings: all of them have defaults."""
        example = os.path.join(self.configured("docdir"), "examples", "answerd.conf")
        self.assertEqual([f for f in self.files() if os.path.basename(f) == "answerd.conf"], [example])

    def test_uninstall_leaves_nothing(self):
        other = os.path.join(self.configured("systemdsystemunitdir"), "other.service")
        with open(other, "w", encoding="utf-8"):
            pass
        self.assertGreater(len(self.files()), 15)
        self.make("uninstall", "DESTDIR=" + self.root)
        self.assertEqual(self.files(), {other})
        # Folders that only answerd uses are removed, too.
        self.assertEqual([f for f, _, _ in os.walk(self.root) if os.path.basename(f) == "answerd"], [])


if __name__ == "__main__":
    tap.main()
