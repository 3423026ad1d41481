# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shells offer what the programs take: no more options and no fewer than --help shows."""

import os
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
import daemon
import tap

PROGRAMS = ("answerd", "answerlog", "ask", "ask-bench")
LOADER = "/usr/share/bash-completion/bash_completion"

# Completes the end of a line, whose words are cut at `=` and `:` as readline does.
BASH = """
. "$1"
. "$2"
program=$3
line=$4
COMP_LINE=$line COMP_POINT=${#line} COMP_TYPE=9 COMP_KEY=9
read -r -a COMP_WORDS < <(sed -E 's/([=:])/ \\1 /g' <<<"$line")
[[ $line != *" " ]] || COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p "${program##*/}" | sed -E 's/.*-F ([^ ]+).*/\\1/')
compopt() { :; }
"$function" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def options(name):
    """The long options that a program's --help shows."""
    done = subprocess.run([daemon.program(name), "--help"], check=True, stdout=subprocess.PIPE, text=True)
    return set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", done.stdout))


class Bash(unittest.TestCase):
    def setUp(self):
        if not os.path.exists(LOADER):
            self.skipTest("bash-completion is not installed")

    def complete(self, name, line):
        done = subprocess.run(
            ["bash", "-c", BASH, "bash", LOADER, os.path.join(daemon.TOP, "completions/bash", name),
             daemon.program(name), f"{daemon.program(name)} {line}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_options_are_those_of_help(self):
        for name in PROGRAMS:
            with self.subTest(name):
                self.assertEqual({o.rstrip("=") for o in self.complete(name, "--")}, options(name))

    def test_values(self):
        for name in "answerd", "ask", "ask-bench":
            for line in ("-f ", "--framing ", "--framing="):
                with self.subTest(name=name, line=line):
                    self.assertEqual(self.complete(name, line), {"line", "length", "netstring", "chunk"})
        self.assertEqual(self.complete("answerd", "--record=j"), {"journal"})
        self.assertEqual(self.complete("ask-bench", "--verify e"), {"echo"})
        self.assertEqual(self.complete("answerlog", "-o short"), {"short", "short-iso"})
        self.assertIn("/etc/ssl", self.complete("answerlog", "-n 5 /etc/ss"))
        self.assertIn("/etc/passwd", self.complete("answerd", "--config=/etc/passw"))


class Zsh(unittest.TestCase):
    def setUp(self):
        if not shutil.which("zsh"):
            self.skipTest("zsh is not installed")

    def specifications(self, name):
        """The arguments that the completion function gives to _arguments."""
        script = '_arguments() { printf "%s\\n" "$@" }\nsource "$1"\n'
        path = os.path.join(daemon.TOP, "completions/zsh", "_" + name)
        done = subprocess.run(["zsh", "-f", "-c", script, "zsh", path], check=True, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_options_are_those_of_help(self):
        for name in PROGRAMS:
            with self.subTest(name):
                offered = set()
                for line in self.specifications(name):
                    match = re.match(r"(?:\([^)]*\))?\*?(--[a-z][a-z-]+)=?\[", line)
                    if match:
                        offered.add(match.group(1))
                self.assertEqual(offered, options(name))


if __name__ == "__main__":
    tap.main()
