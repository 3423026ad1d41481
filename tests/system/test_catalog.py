# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every event in the code has a text in the catalog, and vice versa. Needs no container."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import tap


def source(name):
    with open(os.path.join(daemon.TOP, name), encoding="utf-8") as file:
        return file.read()


class Catalog(unittest.TestCase):
    def setUp(self):
        self.events = re.findall(r'X\((\w+), "([0-9a-f]{32})", \d\)', source("src/record/event.h"))
        self.catalog = source("systemd/answerd.catalog")
        self.texts = re.split(r"^-- ", self.catalog, flags=re.MULTILINE)[1:]

    def test_same_events_in_the_same_order(self):
        self.assertGreater(len(self.events), 1)
        self.assertEqual([text.split()[0] for text in self.texts], [number for _, number in self.events])

    def test_numbers_are_unique(self):
        numbers = [number for _, number in self.events]
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_each_text_is_whole(self):
        for text in self.texts:
            with self.subTest(text.split()[0]):
                head, _, body = text.partition("\n\n")
                self.assertRegex(head, r"\nSubject: \S.{10,70}\n")
                self.assertIn("\nDefined-By: answerd\n", head + "\n")
                self.assertRegex(head + "\n", r"\nDocumentation: man:[a-z.-]+\(\d\)")
                self.assertGreater(len(body.strip()), 20)

    def test_journalctl_takes_it(self):
        with tempfile.TemporaryDirectory() as root:
            folder = os.path.join(root, "usr/lib/systemd/catalog")
            os.makedirs(folder)
            os.makedirs(os.path.join(root, "var/lib/systemd/catalog"))
            with open(os.path.join(folder, "answerd.catalog"), "w", encoding="utf-8") as file:
                file.write(self.catalog)
            try:
                done = subprocess.run(["journalctl", "--update-catalog", "--root=" + root], check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertEqual((done.returncode, done.stdout), (0, b""))
                done = subprocess.run(["journalctl", "--list-catalog", "--root=" + root], check=True,
                                      stdout=subprocess.PIPE, text=True)
            except FileNotFoundError:
                self.skipTest("journalctl is not installed")
            listed = {line.split()[0] for line in done.stdout.splitlines()}
            self.assertEqual(listed, {number for _, number in self.events})


if __name__ == "__main__":
    tap.main()
