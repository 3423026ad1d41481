# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients behind a proxy that sends a PROXY header: what is recorded about them, and what is refused."""

import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest

import net
import tap
from daemon import Daemon, program
from journal_socket import JournalSocket

V1 = b"PROXY TCP4 192.0.2.7 192.0.2.1 40000 8080\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def tlv(kind, value):
    return struct.pack(">BH", kind, len(value)) + value


def v2(*tlvs):
    """A header for the client [2001:db8::7]:40000."""
    client = bytes.fromhex("20010db8000000000000000000000007")
    body = client + bytes(16) + struct.pack(">HH", 40000, 8080) + b"".join(tlvs)
    return SIGNATURE + struct.pack(">BBH", 0x21, 0x21, len(body)) + body


def certificate(name, verified=0):
    return tlv(0x20, struct.pack(">BI", 3, verified) + tlv(0x22, name))


class Proxy(unittest.TestCase):
    def daemon(self, more="", **rest):
        return Daemon(self, [], config="[Listener default]\nListen=127.0.0.1:0\nProxy=any\nProxyFrom=127.0.0.0/8\n" + more,
                      **rest)

    def ask(self, address, header, reply=b"ok\n"):
        with net.connect(address) as client:
            client.sendall(header + b"hello\n")
            self.assertEqual(net.recv_line(client), reply)

    def refused(self, daemon, data, source=("127.0.0.1", 0)):
        """Nothing comes back."""
        with net.connect(daemon.address(), source=source) as client:
            try:
                client.sendall(data)
                self.assertEqual(net.recv_until_eof(client), b"")
            except (BrokenPipeError, ConnectionResetError):
                pass

    def test_what_the_journal_has(self):
        journal = JournalSocket(self)
        daemon = self.daemon("Record=journal\nReply={peer} {identity}.\n", journal=journal)
        self.ask(daemon.address(), V1, b"192.0.2.7:40000 .\n")
        self.ask(daemon.address(), v2(certificate(b"meter 17"), tlv(5, b"\0\1\xff")), b"[2001:db8::7]:40000 meter 17.\n")
        self.ask(daemon.address(), v2(certificate(b"not verified", 1)), b"[2001:db8::7]:40000 .\n")
        journal.wait_for(3)
        entries = [{k: v[0] for k, v in e.items()} for e in journal.entries if "ANSWERD_DATA" in e]
        names = "ANSWERD_PEER", "ANSWERD_PEER_PORT", "ANSWERD_PROXY", "ANSWERD_PROXY_ID", "ANSWERD_IDENTITY"
        self.assertEqual([[e.get(n) for n in names] for e in entries],
                         [[b"192.0.2.7", b"40000", b"127.0.0.1", None, None],
                          [b"2001:db8::7", b"40000", b"127.0.0.1", b"0001ff", b"meter 17"],
                          [b"2001:db8::7", b"40000", b"127.0.0.1", None, None]])
        daemon.stop()

    def test_what_the_log_has(self):
        folder = tempfile.mkdtemp(prefix="answerd-proxy")
        self.addCleanup(shutil.rmtree, folder)
        daemon = self.daemon(f"Record=log\nMaxMessageSize=32K\n[Log]\nDirectory={folder}\nSegmentSize=64K\nMirror=none\n")
        self.ask(daemon.address(), V1)
        self.ask(daemon.address(), v2(certificate("zähler".encode()), tlv(5, b"id-7")))
        daemon.stop()

        def read(*options):
            done = subprocess.run([program("answerlog"), "-o", "json", *options, folder], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, check=True)
            return [json.loads(line) for line in done.stdout.splitlines()]

        keys = "peer", "port", "proxy", "proxy_id", "identity"
        first, second = ["192.0.2.7", "40000", "127.0.0.1", None, None], \
            ["2001:db8::7", "40000", "127.0.0.1", "id-7", "zähler"]
        self.assertEqual([[o.get(k) for k in keys] for o in read()], [first, second])
        self.assertEqual([[o.get(k) for k in keys] for o in read("--identity=zähler")], [second])

    def test_what_is_refused(self):
        daemon = self.daemon("Record=none\n")
        self.refused(daemon, b"hello\n")
        daemon.stderr.wait_for(r"^answerd: 127\.0\.0\.1:\d+: refused: no valid PROXY header: "
                               r"the stream does not begin with one$")
        for data in (b"PROXY TCP4 192.0.2.7\r\nhello\n", b"PROXY " + b"x" * 200, SIGNATURE + b"\x21\x11\xff\xff",
                     v2(tlv(3, b"\0\0\0\0")), v2(certificate(b"nul\0byte"))):
            self.refused(daemon, data)
        daemon.reload("[Listener default]\nListen=127.0.0.1:0\nRecord=none\nProxy=v2\nProxyFrom=127.0.0.1\n")
        self.refused(daemon, V1 + b"hello\n")
        self.refused(daemon, v2() + b"hello\n", source=("127.0.0.2", 0))
        self.ask(daemon.address(), v2())
        daemon.stop()
        self.assertRegex("\n".join(daemon.stderr.lines), r"stopped after 1 message;")

    def test_a_proxy_on_a_unix_socket(self):
        path = "@answerd-proxy-%d" % os.getpid()
        daemon = Daemon(self, [], config=f"[Listener default]\nListen={path}\nProxy=any\nProxyFrom=unix\n"
                                         "Record=none\nReply={peer}\n")
        self.ask(daemon.address(), V1, b"192.0.2.7:40000\n")
        with net.connect(daemon.address()) as client:
            client.sendall(b"PROXY UNKNOWN\r\nhello\n")
            self.assertRegex(net.recv_line(client), rb"^pid=\d+,uid=\d+\n$")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
