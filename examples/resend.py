#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends recorded messages to another answerd, byte for byte. The other answerd needs Framing=length.

    journalctl -o json --all MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46 | resend.py HOST PORT
    answerlog -o json | resend.py HOST PORT
"""

import json
import socket
import sys


def messages(lines):
    for line in lines:
        record = json.loads(line)
        # The name is ANSWERD_DATA in the journal, and message in the log. Binary data is a list of numbers.
        data = record["ANSWERD_DATA"] if "ANSWERD_DATA" in record else record["message"]
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
