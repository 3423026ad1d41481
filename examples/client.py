#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends each line of standard input, and resends it until it is answered.

    client.py HOST PORT

Each message begins with a unique ID. A message that was sent twice may be recorded twice. The ID shows that.
"""

import socket
import sys
import time
import uuid


def connect(address):
    with socket.create_connection(address, timeout=30) as sock:
        return sock.makefile("rw", encoding="utf-8", newline="\n")


def deliver(address, lines):
    server = None
    for line in lines:
        message = f"{uuid.uuid4()} {line.rstrip()}\n"
        reply = ""
        while not reply.endswith("\n"):
            try:
                server = server or connect(address)
                server.write(message)
                server.flush()
                reply = server.readline()
            except OSError as error:
                print(f"client: {error}", file=sys.stderr)
            if not reply.endswith("\n"):
                server = None
                time.sleep(1)
        if reply.startswith("error: "):
            sys.exit(f"client: refused: {reply.rstrip()}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("client: usage: client.py HOST PORT < LINES", file=sys.stderr)
        sys.exit(2)
    deliver(sys.argv[1:], sys.stdin)
