#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Applies each fault of the catalogue to a copy of the sources, and checks that the simulation finds it.

    run.py [--seeds=N] [NAME...]

Run it in the build folder, after building tests/sim/simulate. CC, CFLAGS and LDFLAGS are the build's."""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
from catalogue import MUTATIONS  # noqa: E402

TOP = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parents[3]))
LIBRARIES = ["serve", "record", "log", "net", "protocol", "base"]
CC = shlex.split(os.environ.get("CC", "gcc"))
CFLAGS = shlex.split(os.environ.get("CFLAGS", f"-include config.h -I{TOP}/src -std=gnu17 -D_GNU_SOURCE -O2"))
# The shell has taken the quotes away.
CFLAGS += ["-ULOCALSTATEDIR", '-DLOCALSTATEDIR="/var"']
LDFLAGS = shlex.split(os.environ.get("LDFLAGS", ""))
OPENSSL = shlex.split(os.environ.get("OPENSSL_LIBS", "-lssl -lcrypto"))
SEEDS = 8000
CROWD = 3000
# The simulation itself ends a run that goes around in circles, by its processor time. This is for a machine that is
# too busy, or a run that waits for something: neither tells whether the fault is found.
LIMIT_S = 3600


def edited(edits):
    texts = {}
    for name, old, new in edits:
        text = texts.get(name) or (TOP / name).read_text()
        if text.count(old) != 1:
            raise SystemExit(f"{name} must contain the text of this edit exactly once:\n{old}")
        texts[name] = text.replace(old, new)
    return texts


def build(folder, edits):
    objects = []
    for name, text in edited(edits).items():
        source = folder / Path(name).name
        source.write_text(text)
        objects.append(source.with_suffix(".o"))
        subprocess.run([*CC, *CFLAGS, "-w", f"-I{(TOP / name).parent}", "-c", source, "-o", objects[-1]], check=True)
    driver = sorted(Path("tests/sim/drive").glob("*.o")) + [Path("tests/sim/simulate.o")]
    libraries = ["tests/sim/libtls.a", *(f"src/lib{name}.a" for name in LIBRARIES)]
    wrapped = [f"-Wl,@{TOP}/tests/sim/{name}" for name in (["wrapped", "wrapped-tls"] if OPENSSL else ["wrapped"])]
    program = folder / "simulate"
    # The changed objects come first, so that the linker does not take those of the libraries.
    subprocess.run([*CC, *CFLAGS, "-w", *LDFLAGS, *wrapped, "-o", program, *driver, *objects, *libraries,
                    "tests/sim/libworld.a", *OPENSSL], check=True)
    return program


def attempt(program, *arguments):
    """The finding, or None. TimeoutExpired: there was none in the time that it had."""
    run = subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S,
                         check=False)
    text = run.stdout.decode(errors="replace")
    if run.returncode == 0:
        return None
    lines = [line for line in text.splitlines() if re.search(r"^seed|^crowd|ssertion", line)]
    return lines[0] if lines else f"ends with {run.returncode}"


def look(mutation, seeds):
    name, what, edits = mutation
    with tempfile.TemporaryDirectory() as folder:
        program = build(Path(folder), edits)
        # Faults of the record log are found where there is one; likewise with TLS.
        kind = [f"--{kind}" for kind in ("log", "tls") if name.startswith(f"{kind}-")]
        try:
            found = attempt(program, f"--seeds={seeds}", *kind) or attempt(program, f"--crowd={CROWD}")
            said = found or ""
        except subprocess.TimeoutExpired:
            found, said = None, f"the time limit of {LIMIT_S} s came first"
    print(f"{'found    ' if found else 'NOT FOUND'} {name}: {what}\n          {said}", flush=True)
    return bool(found)


def main():
    seeds = SEEDS
    names = []
    for argument in sys.argv[1:]:
        if argument.startswith("--seeds="):
            seeds = int(argument.partition("=")[2])
        else:
            names.append(argument)
    chosen = [m for m in MUTATIONS if (m[0] in names if names else OPENSSL or not m[0].startswith("tls-"))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda m: look(m, seeds), chosen))
    print(f"# {sum(found)} of {len(found)} found")
    sys.exit(0 if all(found) else 1)


if __name__ == "__main__":
    main()
