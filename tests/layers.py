# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files above include files below, never the other way."""

import os
import re
import unittest
from pathlib import Path

SRC = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parent.parent)) / "src"

# What each folder of src/ may include, besides its own files.
LAYERS = {
    "base": set(),
    "protocol": {"base"},
    "journal": {"base"},
    "net": {"base"},
    "answerd": {"base", "protocol", "journal", "net"},
    "ask": {"base", "protocol", "net"},
    "ask-bench": {"base", "protocol", "net"},
}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def sources(folder):
    return sorted(path for path in (SRC / folder).rglob("*") if path.suffix in (".c", ".h"))


def complaints(name, folder, text):
    """What is wrong with the includes of one file, a line each; name is for the message only."""
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


class Layers(unittest.TestCase):
    def test_every_folder_has_its_layer(self):
        self.assertEqual({path.name for path in SRC.iterdir() if path.is_dir()}, set(LAYERS))

    def test_includes_go_down(self):
        found = []
        for folder in LAYERS:
            for path in sources(folder):
                found += complaints(path.relative_to(SRC), folder, path.read_text(encoding="utf-8"))
        self.assertEqual(found, [])

    def test_climbing_is_seen(self):
        for folder, text in (
            ("base", '#include "net/local.mk"\n'),
            ("protocol", '# include "journal/local.mk"\n'),
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
