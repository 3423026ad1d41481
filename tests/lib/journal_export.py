# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the Journal Export Format, byte-exactly (systemd.io/JOURNAL_EXPORT_FORMATS).

An entry is a list of fields and ends with an empty line. A field is `NAME=value\\n`, or, for values
that are not plain text, `NAME\\n`, the length as 64-bit little-endian, that many bytes, and `\\n`.
"""

import struct


class Entry(dict):
    """Field names to lists of values, as bytes. `entry.one(NAME)` is the usual case."""

    def one(self, name):
        values = self.get(name, [])
        if len(values) != 1:
            raise AssertionError(f"{name} is there {len(values)} times in {dict(self)!r}")
        return values[0]

    def text(self, name):
        return self.one(name).decode()


def parse(data):
    """All entries of an export stream. A malformed or cut stream raises ValueError."""
    entries, entry, at = [], Entry(), 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0:
            raise ValueError(f"cut in a field's name at byte {at}")
        line = data[at:end]
        at = end + 1
        if not line:
            if entry:
                entries.append(entry)
            entry = Entry()
            continue
        name, equals, value = line.partition(b"=")
        if not equals:
            if at + 8 > len(data):
                raise ValueError(f"cut in the length of {name!r} at byte {at}")
            (length,) = struct.unpack_from("<Q", data, at)
            at += 8
            value = data[at:at + length]
            if len(value) != length or data[at + length:at + length + 1] != b"\n":
                raise ValueError(f"cut in the value of {name!r} at byte {at}")
            at += length + 1
        entry.setdefault(name.decode("ascii"), []).append(value)
    if entry:
        raise ValueError("the last entry does not end")
    return entries
