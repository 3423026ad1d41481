# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is said of the project in several places is the same in all of them: its version, and what is installed."""

import os
import re
import unittest

import daemon
import tap

# Where a version stands, and how.
VERSIONS = {
    "packaging/arch/PKGBUILD": r"^pkgver=(.*)",
    "packaging/debian/changelog": r"\Aanswerd \((.*)-\d+\)",
    "packaging/rpm/answerd.spec": r"^Version: +(.*)",
}


def read(path):
    with open(os.path.join(daemon.TOP, path), encoding="utf-8") as file:
        return file.read()


class Packaging(unittest.TestCase):
    def setUp(self):
        self.version = re.search(r"(?m)^AC_INIT\(\[answerd\], \[(.*)\]\)$", read("configure.ac")).group(1)

    def test_one_version(self):
        for path, pattern in VERSIONS.items():
            with self.subTest(path):
                self.assertEqual(re.search(pattern, read(path), re.MULTILINE).group(1), self.version)

    def test_changes_of_this_version_are_described(self):
        self.assertIn(f"\n## [{self.version}]", read("CHANGELOG.md"))

    def test_the_spec_has_each_manual_unit_and_completion(self):
        spec = read("packaging/rpm/answerd.spec")
        for folder in ("man", "completions/bash", "completions/zsh", "systemd"):
            for name in os.listdir(os.path.join(daemon.TOP, folder)):
                # An instance is made from the same source as the service; the rest is for make.
                if not name.endswith(".mk"):
                    self.assertIn("/" + name.removesuffix(".in"), spec)


if __name__ == "__main__":
    tap.main()
