# SPDX-License-Identifier: LGPL-2.1-or-later
"""The instructions and outputs in README, for tests that follow them."""

import os
import re

import daemon

# Details that differ between runs.
MASKS = (
    (r"\b[0-9a-f]{16}-\d+-\d+\b", "ID"),
    (r"(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ answerd\[\d+\]", "TIME HOST answerd[PID]"),
    (r"\b\d{4}-\d\d-\d\dT\d\d:\d\d\b", "MINUTE"),
    (r"(?m)^ +\d+ MINUTE$", "COUNT MINUTE"),
    (r"(COUNT MINUTE\n)+", r"COUNT MINUTE\n"),
    (r"\b(127\.0\.0\.\d+):\d{4,5}\b", r"\1:PORT"),
    (r"after \d+\.\d s", "after SECONDS"),
    (r"time \d+ms", "time MS"),
    (r"\d+\.\d{3}(?=[/ ])", "MS"),
)


def mask(text):
    for pattern, name in MASKS:
        text = re.sub(pattern, name, text)
    return text.rstrip("\n")


def section(heading):
    with open(os.path.join(daemon.TOP, "README.md"), encoding="utf-8") as file:
        text = file.read()
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL).group(1)


def fenced(heading, language):
    """The blocks of a section in that language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", section(heading), re.MULTILINE | re.DOTALL)


def conversations(heading):
    """The console blocks under a heading, each a list of (command, output). The prompt is $, or # for root."""
    found = []
    for block in fenced(heading, "console"):
        parts = re.split(r"^[$#] (.*)\n", block, flags=re.MULTILINE)
        found.append(list(zip(parts[1::2], parts[2::2])))
    return found


def mentioned(heading, *programs):
    """The commands of these programs in the sentences of a section."""
    prose = re.sub(r"^```.*?^```$", "", section(heading), flags=re.MULTILINE | re.DOTALL)
    quoted = (" ".join(text.split()) for text in re.findall(r"`([^`]+)`", prose))
    return [text for text in quoted if " " in text and text.split()[0] in programs]
