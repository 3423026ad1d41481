# SPDX-License-Identifier: LGPL-2.1-or-later
"""Facts stated in several places agree: the version, and the installed files."""

import os
import re
import unittest

import daemon
import tap

# The places of a version, and patterns for it.
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
                # An instance has the same source as the service. The rest is for make.
                if not name.endswith(".mk"):
                    self.assertIn("/" + name.removesuffix(".in"), spec)


if __name__ == "__main__":
    tap.main()
