# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual, --help and the code say the same: options, keys of the configuration, events."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import certificates
import daemon
import tap

PROGRAMS = {"answerd": "answerd.8", "answerlog": "answerlog.1", "ask": "ask.1", "ask-bench": "ask-bench.1"}
SCREEN = (24, 80)
# These depend on the machine's manual pages and the age of their index.
OF_THE_MACHINE = re.compile(r"referenced manual not found|outdated mandoc\.db")


def path(name):
    return os.path.join(daemon.TOP, name)


def source(name):
    with open(path(name), encoding="utf-8") as file:
        return file.read()


def manual(page):
    """The source of a manual page. Skips the test if there is none yet."""
    if not os.path.exists(path("man/" + page)):
        raise unittest.SkipTest(f"man/{page} is not there")
    return source("man/" + page)


def help_text(program):
    return subprocess.run([daemon.program(program), "--help"], check=True, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=60).stdout


def help_options(text):
    """All options that stand at the start of a line of help, short and long."""
    found = set()
    for line in text.splitlines():
        head = re.match(r"\s+(-[\w-]+(?:[ =][^\s,]+)?(?:, +-[\w-]+(?:=[^\s,]+)?)*)", line)
        if head:
            found.update(re.findall(r"(?:^|[ ,])(--?[A-Za-z0-9][\w-]*)", head.group(1)))
    return found


def manual_options(text):
    """All options described in list items (.It Fl ...)."""
    found = set()
    for line in re.findall(r"^\.It (Fl .*)$", text, re.MULTILINE):
        for name in re.findall(r"Fl (\S+)", line):
            found.add("-" + name.replace("\\-", "-").rstrip(","))
    return found


def section(text, heading):
    """The text between a heading of a page and the next one."""
    found = re.search(rf"^\.Sh {re.escape(heading)}\n(.*?)(?=^\.Sh |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise AssertionError(f"no section {heading}")
    return found.group(1)


class Options(unittest.TestCase):
    def compare(self, program):
        listed = help_options(help_text(program))
        self.assertGreaterEqual(len(listed), 10)
        self.assertIn("--help", listed)
        self.assertEqual(listed, manual_options(manual(PROGRAMS[program])))

    def test_answerd(self):
        self.compare("answerd")

    def test_answerlog(self):
        self.compare("answerlog")

    def test_ask(self):
        self.compare("ask")

    def test_ask_bench(self):
        self.compare("ask-bench")

    def test_help_has_one_style(self):
        for program in PROGRAMS:
            with self.subTest(program):
                text = help_text(program)
                self.assertTrue(text.startswith(f"Usage: {program} [OPTION…]"), text)
                self.assertRegex(text, r"\n  -h, --help  +show this help\n  -V, --version  +show the version\n\n")
                self.assertNotIn("...", text)

    def test_help_fits_a_screen(self):
        for program in PROGRAMS:
            with self.subTest(program):
                # The place of installation is unknown here.
                text = re.sub(r"/\S*/answerd/answerd\.conf", "/etc/answerd/answerd.conf", help_text(program))
                text = re.sub(r"/\S*/lib/answerd\b", "/var/lib/answerd", text)
                lines = text.splitlines()
                self.assertLessEqual(max(map(len, lines)), SCREEN[1], max(lines, key=len))
                if program != "ask-bench":
                    self.assertLessEqual(len(lines), SCREEN[0])


class Configuration(unittest.TestCase):
    def setUp(self):
        self.page = manual("answerd.conf.5")
        code = source("src/answerd/config-key.c")
        tables = re.findall(r"config_(server|log|listener|tls)_keys\[\] = \{(.*?)\n\};", code, re.DOTALL)
        self.keys = {name: set(re.findall(r'\{\s*"(\w+)"', body)) for name, body in tables}
        # These own memory, or may be repeated, and are not in the table.
        self.keys["listener"] |= set(re.findall(r'^#define KEY_\w+\s+"(\w+)"', source("src/answerd/config-file.c"),
                                                re.MULTILINE))
        self.keys["tls"] |= set(re.findall(r'^#define CONFIG_KEY_\w+\s+"(\w+)"', source("src/answerd/config-tls.h"),
                                           re.MULTILINE))

    def documented(self, heading):
        return set(re.findall(r"^\.It Va (\w+)=$", section(self.page, heading), re.MULTILINE))

    def test_keys(self):
        self.assertIn("Listen", self.keys["listener"])
        self.assertIn("Workers", self.keys["server"])
        self.assertEqual(self.documented("[Server] SECTION OPTIONS"), self.keys["server"])
        self.assertIn("Directory", self.keys["log"])
        self.assertEqual(self.documented("[Log] SECTION OPTIONS"), self.keys["log"])
        self.assertEqual(self.documented("[Listener NAME] SECTION OPTIONS"), self.keys["listener"])
        self.assertIn("Certificate", self.keys["tls"])
        self.assertEqual(self.documented("[TLS NAME] SECTION OPTIONS"), self.keys["tls"])

    def test_example_file_has_every_key(self):
        text = source("systemd/answerd.conf")
        server, log = text.split("[Log]")
        log, listener = log.split("[Listener default]")
        listener, tls = listener.split("#[TLS main]")
        self.assertEqual(set(re.findall(r"^#(\w+)=", tls, re.MULTILINE)), self.keys["tls"])
        self.assertEqual(set(re.findall(r"^#(\w+)=", log, re.MULTILINE)), self.keys["log"])
        self.assertEqual(set(re.findall(r"^#(\w+)=", server, re.MULTILINE)), self.keys["server"])
        self.assertEqual(set(re.findall(r"^#(\w+)=", listener, re.MULTILINE)), self.keys["listener"])

    def check(self, text, environment=None):
        with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([daemon.program(), "--check", "--config=" + file.name], check=False, text=True,
                                  env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.assertEqual((done.returncode, done.stdout), (0, ""), text)

    def test_examples_are_accepted(self):
        blocks = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed", self.page + manual("answerd.8"), re.MULTILINE | re.DOTALL)
        blocks += re.findall(r"^```ini\n(.*?)^```", source("README.md"), re.MULTILINE | re.DOTALL)
        blocks = [b for b in blocks if re.search(r"^\[(Server|Log|Listener )", b, re.MULTILINE)]
        self.assertGreaterEqual(len(blocks), 5)
        # The example file, with every setting enabled.
        blocks.append(re.sub(r"^#(\w+=.|\[)", r"\1", source("systemd/answerd.conf"), flags=re.MULTILINE))
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "CREDENTIALS_DIRECTORY": folder}
            for block in blocks:
                if "[TLS " not in block:
                    self.check(block)
                elif "+openssl" in self.version():
                    self.make_credentials(folder)
                    self.check(block, environment)

    def version(self):
        return subprocess.run([daemon.program(), "--version"], check=True, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE).stdout

    def make_credentials(self, folder):
        """The files that the examples name."""
        if os.path.exists(folder + "/ca.pem"):
            return
        certificates.Authority(folder).sign("tls", "answerd.example")
        for old, new in ("ca.pem", "clients.crt"), ("ca.pem", "ca.crt"), ("tls.crt", "gate.crt"), ("tls.key", "gate.key"):
            shutil.copy(f"{folder}/{old}", f"{folder}/{new}")

    def test_line_limit(self):
        limit = int(re.search(r"A line has at most (\d+) bytes", self.page).group(1))
        self.check("[Listener default]\nReply=" + "x" * (limit - len("Reply=")) + "\n")
        with self.assertRaises(AssertionError):
            self.check("[Listener default]\nReply=" + "x" * (limit + 1 - len("Reply=")) + "\n")


class Events(unittest.TestCase):
    def test_every_event_is_in_the_manual(self):
        numbers = re.findall(r'X\(\w+, "([0-9a-f]{32})", \d\)', source("src/record/event.h"))
        self.assertGreater(len(numbers), 10)
        page = manual("answerd.8")
        listed = re.findall(r"^\.It Li ([0-9a-f]{32})$", page, re.MULTILINE)
        # The first is the ID of messages, documented with their fields.
        self.assertEqual([numbers[0], *listed], numbers)
        self.assertIn(f".It Va MESSAGE_ID\n{numbers[0]}\n", page)

    def test_numbers_in_the_text_are_events(self):
        known = set(re.findall(r"[0-9a-f]{32}", source("src/record/event.h")))
        for name in ("README.md", "man/answerd.8", "man/answerd.conf.5"):
            self.assertLessEqual(set(re.findall(r"MESSAGE_ID=([0-9a-f]{32})", source(name))), known, name)

    def test_every_event_is_used(self):
        code = "".join(source(os.path.join("src", folder, name)) for folder in ("answerd", "record", "serve")
                       for name in os.listdir(path("src/" + folder)) if name.endswith(".c"))
        # Not counting code that only tells kinds apart.
        code = re.sub(r"case EVENT_\w+:", "", code)
        for name in re.findall(r"X\((\w+), \"", source("src/record/event.h")):
            self.assertTrue("EVENT_" + name in code, name)


class Pages(unittest.TestCase):
    def test_mandoc_finds_nothing(self):
        if not shutil.which("mandoc"):
            self.skipTest("mandoc is not installed")
        pages = [os.path.join(path("man"), n) for n in sorted(os.listdir(path("man"))) if re.search(r"\.\d$", n)]
        self.assertGreaterEqual(len(pages), 3)
        done = subprocess.run(["mandoc", "-T", "lint", *pages], check=False, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        found = [line for line in done.stdout.splitlines() if not OF_THE_MACHINE.search(line)]
        self.assertEqual(found, [])

    def test_pages_refer_to_pages_that_exist(self):
        own = {n for n in os.listdir(path("man")) if re.search(r"\.\d$", n)} | set(PROGRAMS.values())
        for page in sorted(os.listdir(path("man"))):
            if not re.search(r"\.\d$", page):
                continue
            for name, number in re.findall(r"^\.Xr (\S+) (\d)", source("man/" + page), re.MULTILINE):
                if name.startswith(("answerd", "ask")):
                    self.assertIn(f"{name}.{number}", own, page)


if __name__ == "__main__":
    tap.main()
