#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sends recorded messages to another answerd, byte for byte. The other answerd needs Framing=length.

    journalctl -o json --all MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46 | resend.py HOST PORT
    answerlog -o json | resend.py HOST PORT

Exit status: 0 every message was answered; 1 a line is not a record, the server cannot be reached, or it refused or did
not answer a message; 2 usage.
"""

import json
import socket
import sys

TIMEOUT = 30  # seconds, to connect and for each reply


def message(line):
    """The bytes of a record's message. Raises ValueError, KeyError or TypeError if the line is not a record."""
    record = json.loads(line)
    # The name is ANSWERD_DATA in the journal, and message in the log. Binary data is a list of numbers.
    data = record["ANSWERD_DATA"] if "ANSWERD_DATA" in record else record["message"]
    return data.encode() if isinstance(data, str) else bytes(data)


def receive(sock, size):
    data = b""
    while len(data) < size:
        piece = sock.recv(min(size - len(data), 65536))
        if not piece:
            raise ConnectionError("the server closed the connection")
        data += piece
    return data


def exchange(sock, text):
    """Sends a message and returns its reply. Raises OSError."""
    sock.sendall(len(text).to_bytes(4, "big") + text)
    return receive(sock, int.from_bytes(receive(sock, 4), "big"))


def resend(host, port, lines):
    """Returns why not every message was answered, or None."""
    try:
        server = socket.create_connection((host, port), timeout=TIMEOUT)
    except OSError as error:
        return f"cannot connect to {host}:{port}: {error}"
    with server:
        for number, line in enumerate(lines, 1):
            try:
                reply = exchange(server, message(line))
            except (ValueError, KeyError, TypeError):
                return f"line {number}: not a record as JSON, with its message"
            except socket.timeout:
                return f"no reply within {TIMEOUT} s; does {host}:{port} use Framing=length?"
            except OSError as error:
                return f"message {number}: {error}; does {host}:{port} use Framing=length?"
            if reply.startswith(b"error: "):
                return f"message {number}: {reply.decode(errors='replace')}"
    return None


def main():
    if len(sys.argv) != 3:
        print("resend: usage: resend.py HOST PORT < RECORDS", file=sys.stderr)
        return 2
    why = resend(*sys.argv[1:], sys.stdin.buffer)
    return f"resend: {why}" if why else 0


if __name__ == "__main__":
    sys.exit(main())
