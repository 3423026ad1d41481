# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the record log by its format page, answerd-log(5), and shares no code with the programs."""

import collections
import os
import struct

HEAD = 4096
RECORD = struct.Struct("<IIQQQQIBBBBII")
Record = collections.namedtuple("Record", "number time connection seq distance unfinished peer port listener data segment")


def _table():
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


_TABLE = _table()


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def segments(folder):
    """The paths of the segments, oldest first."""
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".log")]


def read_segment(path):
    """All records of a segment, up to the first one that is not whole."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"answlog\n" or struct.unpack("<I", data[HEAD - 4:HEAD])[0] != crc32c(data[:HEAD - 4]):
        raise AssertionError(path + " does not begin with a head")
    salt = data[24:32]
    at, found = HEAD, []
    while at + RECORD.size + 4 <= len(data):
        (crc, size, number, when, connection, seq, distance, flags, peer, port, listener,
         further, rest) = RECORD.unpack_from(data, at)
        text, names = at + RECORD.size, []
        if crc32c(salt + data[at + 4:text]) != crc or at + size > len(data) or crc32c(data[text:at + size]) != rest:
            break
        for length in peer, port, listener:
            names.append(data[text:text + length].decode())
            text += length
        found.append(Record(number, when, connection, seq, distance, bool(flags & 1), *names,
                            data[text + further:at + size - 4], os.path.basename(path)))
        at += size
    return found


def read(folder):
    """All records of the log, in order; fails where numbers do not rise by one."""
    found = [record for path in segments(folder) for record in read_segment(path)]
    for before, after in zip(found, found[1:]):
        if after.number != before.number + 1:
            raise AssertionError(f"record {after.number} follows {before.number}")
    return found
