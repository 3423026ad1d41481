# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files above include and call files below, never the other way: between folders, and within one."""

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

BUILD = Path(os.environ.get("top_builddir", "build"))
SRC = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parent.parent)) / "src"

# What each folder of src/ may include, besides its own files.
LAYERS = {
    "base": set(),
    "protocol": {"base"},
    "net": {"base"},
    "log": {"base"},
    "record": {"base", "net", "log"},
    "serve": {"base", "protocol", "net", "log", "record"},
    "answerd": {"base", "protocol", "net", "log", "record", "serve"},
    # Of record/ only the fields of a journal entry, for -o export.
    "answerlog": {"base", "log", "record"},
    "ask": {"base", "protocol", "net"},
    "ask-bench": {"base", "protocol", "net"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def sources(folder):
    return sorted(path for path in (SRC / folder).rglob("*") if path.suffix in (".c", ".h"))


def complaints(name, folder, text):
    """The errors in the includes of one file, a line each. name: for messages only."""
    found = []
    for bracket, path in INCLUDE.findall(text):
        below, slash, _ = path.partition("/")
        if bracket == "<":
            # The system has a folder net/ as well.
            if (SRC / path).is_file():
                found.append(f'{name}: <{path}> is ours, so it is written "{path}"')
        elif not slash or not (SRC / path).is_file():
            found.append(f'{name}: "{path}" is not written as seen from src/')
        elif below != folder and below not in LAYERS[folder]:
            found.append(f'{name}: {folder} may not include "{path}"')
    return found


def includes(folder):
    """Which files of a folder include which others. NAME.c and NAME.h count as one file."""
    edges = {}
    for path in sources(folder):
        for _, included in INCLUDE.findall(path.read_text(encoding="utf-8")):
            below, _, name = included.partition("/")
            if below == folder:
                edges.setdefault(path.stem, set()).add(Path(name).stem)
    return edges


def symbols(folder):
    """The symbols that each object of a folder's library defines and needs, by the name of its source."""
    library = BUILD / "src" / f"lib{folder.replace('-', '')}.a"
    text = subprocess.run(["nm", "-A", str(library)], check=True, capture_output=True, text=True).stdout
    defined, needed = {}, {}
    for line in text.splitlines():
        match = re.match(r"[^:]*:([^:]+)\.o:[0-9a-f ]* ([A-Za-z]) (\S+)$", line)
        if match:
            source = re.sub(r"^lib\w+_a-", "", match[1])
            if match[2] == "U":
                needed.setdefault(source, set()).add(match[3])
            elif match[2].isupper():
                defined[match[3]] = source
    return defined, needed


def calls(folder):
    """Which files of a folder need functions or data of which others."""
    defined, needed = symbols(folder)
    return {source: {defined[name] for name in names if name in defined} for source, names in needed.items()}


def circle(*graphs):
    """Files that depend on each other, in order of dependency; [] if there is no such circle."""
    edges = {}
    for graph in graphs:
        for source, targets in graph.items():
            edges.setdefault(source, set()).update(targets - {source})
    done, path = set(), []

    def visit(source):
        if source in path:
            return path[path.index(source):] + [source]
        if source in done:
            return []
        path.append(source)
        for target in sorted(edges.get(source, ())):
            found = visit(target)
            if found:
                return found
        done.add(path.pop())
        return []

    return next((found for found in map(visit, sorted(edges)) if found), [])


class Layers(unittest.TestCase):
    def test_every_folder_has_its_layer(self):
        self.assertEqual({path.name for path in SRC.iterdir() if path.is_dir()}, set(LAYERS))

    def test_includes_go_down(self):
        found = []
        for folder in LAYERS:
            for path in sources(folder):
                found += complaints(path.relative_to(SRC), folder, path.read_text(encoding="utf-8"))
        self.assertEqual(found, [])

    def test_no_circle_of_includes_within_a_folder(self):
        for folder in LAYERS:
            with self.subTest(folder=folder):
                self.assertEqual(circle(includes(folder)), [])

    @unittest.skipUnless(shutil.which("nm"), "nm is not installed")
    def test_no_circle_of_includes_and_calls_within_a_folder(self):
        for folder in LAYERS:
            with self.subTest(folder=folder):
                self.assertEqual(circle(includes(folder), calls(folder)), [])

    def test_circles_are_seen(self):
        self.assertEqual(circle({"a": {"b"}, "b": {"a", "b"}}), ["a", "b", "a"])
        self.assertEqual(circle({"a": {"b"}}, {"b": {"c"}, "c": {"a"}}), ["a", "b", "c", "a"])
        self.assertEqual(circle({"a": {"b", "c"}, "b": {"c"}, "c": {"c"}}), [])

    @unittest.skipUnless(shutil.which("nm"), "nm is not installed")
    def test_calls_are_seen(self):
        self.assertIn("loop", calls("net")["transport"])

    def test_climbing_is_seen(self):
        for folder, text in (
            ("base", '#include "net/local.mk"\n'),
            ("protocol", '# include "record/local.mk"\n'),
            ("net", '\n  #include "protocol/local.mk"\n'),
            ("ask", '#include "answerd/local.mk"\n'),
            ("answerd", '#include "macros.h"\n'),
            ("answerd", '#include "../base/macros.h"\n'),
            ("answerd", '#include <base/macros.h>\n'),
        ):
            with self.subTest(folder=folder, text=text):
                self.assertEqual(len(complaints("example.c", folder, text)), 1)

    def test_going_down_is_fine(self):
        text = '#include <stdio.h>\n#include <net/if.h>\n#include "base/macros.h"\n'
        for folder in LAYERS:
            self.assertEqual(complaints("example.c", folder, text), [])


if __name__ == "__main__":
    unittest.main()
