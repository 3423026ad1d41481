# SPDX-License-Identifier: LGPL-2.1-or-later
"""An independent server for tests of ask-bench. It echoes, or misbehaves in a chosen way.

usage: bench_server.py MODE ADDRESS [CERTIFICATE [CA]]

With CERTIFICATE, a file that has the key too, it speaks TLS. With CA it requires client certificates.

Prints `listening on ADDRESS`. On SIGTERM it prints a line of JSON with its counts of connections, messages
(lines) and bytes, and the addresses of its peers.

    echo      every byte goes back
    lie       the same, but every 10th line comes back reversed
    swap      if two lines come together, the second is answered first
    double    every line is answered twice
    split     replies come in two pieces
    garbage   each piece of input is answered with `x:?`
    silent    no answer at all
    flood     the first message gets lines without end
    slow      reads 64 KiB at a time, pauses after each read of the first 11 MiB, and answers every line
    error     every line is answered with `error: no`
    refuse    the same, then the connection ends
    cut       the connection ends inside the first answer
    close     the connection ends instead of every 10th answer
    reset     the same, by RST
    rude      the same, with TLS: without close_notify
"""

import asyncio
import json
import signal
import socket
import ssl
import struct
import sys

seen = {"connections": 0, "messages": 0, "bytes": 0, "peers": set()}


class Connection(asyncio.Protocol):
    def __init__(self, mode):
        self.mode = mode
        self.rest = b""
        self.flooding = self.full = False

    def connection_made(self, transport):
        self.transport = transport
        seen["connections"] += 1
        peer = transport.get_extra_info("peername")
        if peer:
            seen["peers"].add(peer[0])

    def data_received(self, data):
        seen["bytes"] += len(data)
        seen["messages"] += data.count(b"\n")
        if self.mode == "echo":
            self.transport.write(data)
        elif self.mode == "garbage":
            self.transport.write(b"x:?")
        else:
            *lines, self.rest = (self.rest + data).split(b"\n")
            first = seen["messages"] - len(lines)
            getattr(self, self.mode)([line + b"\n" for line in lines], first)

    def silent(self, lines, first):
        pass

    def flood(self, lines, first):
        if not self.flooding:
            self.flooding = True
            self.pump()

    def pump(self):
        if not self.transport.is_closing() and not self.full:
            self.transport.write(b"ok\n" * 50000)
            asyncio.get_running_loop().call_soon(self.pump)

    def pause_writing(self):
        self.full = True

    def resume_writing(self):
        self.full = False
        if self.flooding:
            self.pump()

    def slow(self, lines, first):
        # From then on, the buffers of both ends can hold all the rest.
        if seen["bytes"] < 11 << 20:
            self.transport.pause_reading()
            asyncio.get_running_loop().call_later(0.02, self.transport.resume_reading)
        for _ in lines:
            self.transport.write(b"ok\n")

    def lie(self, lines, first):
        for number, line in enumerate(lines, first + 1):
            if number % 10 == 0:
                line = line[-2::-1] + b"\n"
            self.transport.write(line)

    def swap(self, lines, first):
        for i in range(0, len(lines), 2):
            self.transport.write(b"".join(lines[i:i + 2][::-1]))

    def double(self, lines, first):
        self.transport.write(b"".join(line + line for line in lines))

    def error(self, lines, first):
        self.transport.write(b"error: no\n" * len(lines))

    def refuse(self, lines, first):
        if lines:
            self.transport.write(b"error: no\n")
            self.transport.close()

    def cut(self, lines, first):
        if lines:
            self.transport.write(lines[0][:-1])
            self.transport.close()

    def split(self, lines, first):
        for line in lines:
            self.transport.write(line[:3])
            asyncio.get_running_loop().call_soon(self.transport.write, line[3:])

    def end(self, lines, first, how):
        for number, line in enumerate(lines, first + 1):
            if number % 10 == 0:
                how()
                return
            self.transport.write(line)

    def close(self, lines, first):
        self.end(lines, first, self.transport.close)

    def reset(self, lines, first):
        def abort():
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.transport.abort()

        self.end(lines, first, abort)

    def rude(self, lines, first):
        self.end(lines, first, lambda: self.transport.get_extra_info("socket").shutdown(socket.SHUT_WR))


def tls(certificate=None, ca=None):
    """The context for a server, or None."""
    if not certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if ca:
        context.load_verify_locations(ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def listen(mode, address, context):
    loop = asyncio.get_running_loop()

    def make():
        return Connection(mode)

    if address[0] in "/@":
        path = "\0" + address[1:] if address[0] == "@" else address
        await loop.create_unix_server(make, path, backlog=1024, ssl=context)
        return address
    host, _, port = address.rpartition(":")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if mode == "slow":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    sock.bind((host.strip("[]"), int(port)))
    server = await loop.create_server(make, sock=sock, backlog=1024, ssl=context)
    return host + ":" + str(server.sockets[0].getsockname()[1])


async def main():
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    print("listening on", await listen(sys.argv[1], sys.argv[2], tls(*sys.argv[3:])), flush=True)
    await end.wait()
    print(json.dumps(seen, default=sorted), flush=True)


asyncio.run(main())
