#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends recorded messages to another answerd, byte for byte. The other answerd needs Framing=length.

    journalctl -o json --all MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46 | resend.py HOST PORT
"""

import json
import socket
import sys


def messages(lines):
    for line in lines:
        data = json.loads(line)["ANSWERD_DATA"]
        # journalctl shows binary data as a list of numbers.
        yield data.encode() if isinstance(data, str) else bytes(data)


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            sys.exit("resend: the server closed the connection")
        data += piece
    return data


def resend(sock, message):
    sock.sendall(len(message).to_bytes(4, "big") + message)
    return receive(sock, int.from_bytes(receive(sock, 4), "big"))


if __name__ == "__main__":
    with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as server:
        for number, message in enumerate(messages(sys.stdin), 1):
            reply = resend(server, message)
            if reply.startswith(b"error: "):
                sys.exit(f"resend: message {number}: {reply.decode()}")
