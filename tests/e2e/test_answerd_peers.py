# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other peers: nc, socat, and Python programs as people write them."""

import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

import net
import tap
from daemon import Daemon

TEXTS = ["hello", "你好，世界", "😀👍🏽 emoji", "grüße\u0301", "مرحبا", " spaces "]


def need(program):
    path = shutil.which(program)
    if not path:
        raise unittest.SkipTest(program + " is not installed")
    return path


def pipe(command, data):
    """The output of a command with `data` as its standard input."""
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=net.TIMEOUT, check=False)
    assert done.returncode == 0, (command, done)
    return done.stdout


class Tools(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.abstract = "@answerd-peers-%d" % os.getpid()
        self.daemon = Daemon(self, ["--listen=" + a for a in
                                    ("127.0.0.1:0", "[::1]:0", self.folder + "/s", self.abstract)], listeners=4)
        self.addCleanup(self.daemon.stop)
        self.port, self.port6 = str(self.daemon.address(0)[1]), str(self.daemon.address(1)[1])

    def test_nc_half_closes_and_gets_every_reply(self):
        nc = need("nc")
        for command in ([nc, "-N", "127.0.0.1", self.port], [nc, "-N", "-6", "::1", self.port6],
                        [nc, "-N", "-U", self.folder + "/s"]):
            self.assertEqual(pipe(command, b"a\nb\nc"), b"ok\nok\nok\n")
            self.assertEqual(pipe(command, b"a\r\nb\nc\r\n"), b"ok\r\nok\nok\r\n")
            self.assertEqual(pipe(command, b"\n\n"), b"ok\nok\n")
            self.assertEqual(pipe(command, b""), b"")
            self.assertEqual(pipe(command, b"x\n" * 10000), b"ok\n" * 10000)

    def test_socat(self):
        socat = need("socat")
        for target in ("TCP:127.0.0.1:" + self.port, "TCP6:[::1]:" + self.port6, "UNIX-CONNECT:" + self.folder + "/s",
                       "ABSTRACT-CONNECT:" + self.abstract[1:]):
            # -t: the wait for replies after the half-close.
            self.assertEqual(pipe([socat, "-t10", "-", target], b"a\nb\nc"), b"ok\nok\nok\n", target)
            self.assertEqual(pipe([socat, "-t10", "-", target + ",crnl"], b"a\nb\n"), b"ok\nok\n", target)

    def test_bash(self):
        script = 'exec 3<>/dev/tcp/127.0.0.1/$1; echo "one two" >&3; read -r reply <&3; echo "got $reply"'
        self.assertEqual(pipe([need("bash"), "-c", script, "-", self.port], b""), b"got ok\n")

    def test_netcat_to_the_other_framings(self):
        nc = need("nc")
        for framing, data, reply in [("netstring", b"5:hello,", b"2:ok,"), ("chunk", b"hello", b"ok"),
                                     ("length", b"\0\0\0\5hello", b"\0\0\0\2ok")]:
            daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=" + framing])
            self.assertEqual(pipe([nc, "-N", "127.0.0.1", str(daemon.address()[1])], data), reply)
            daemon.stop()


class Python(unittest.TestCase):
    """Code as beginners write it, in its own process."""

    def run_client(self, script, *arguments):
        done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT, check=False,
                              env=dict(os.environ, PYTHONIOENCODING="utf-8"))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode().splitlines()

    def test_no_framing_at_all(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=chunk", "--reply=you said {message}"])
        script = ("import socket, sys\n"
                  "s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)\n"
                  "s.connect(('127.0.0.1', int(sys.argv[1])))\n"
                  "for text in sys.argv[2:]:\n"
                  "    s.send(text.encode())\n"
                  "    print(s.recv(1024).decode())\n"
                  "s.close()\n")
        self.assertEqual(self.run_client(script, daemon.address()[1], *TEXTS), ["you said " + t for t in TEXTS])
        daemon.stop()

    def test_one_message_and_one_reply(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=chunk"])
        for text in TEXTS:
            with socket.create_connection(daemon.address(), timeout=net.TIMEOUT) as client:
                client.sendall(text.encode())
                self.assertEqual(client.recv(1024), b"ok")
        daemon.stop()

    def test_length_by_struct(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=length", "--reply={message}"])
        script = ("import socket, struct, sys\n"
                  "s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
                  "def receive(n):\n"
                  "    data = b''\n"
                  "    while len(data) < n:\n"
                  "        data += s.recv(n - len(data))\n"
                  "    return data\n"
                  "for text in sys.argv[2:]:\n"
                  "    data = text.encode()\n"
                  "    s.sendall(struct.pack('!I', len(data)) + data)\n"
                  "    print(receive(struct.unpack('!I', receive(4))[0]).decode())\n")
        self.assertEqual(self.run_client(script, daemon.address()[1], *TEXTS), TEXTS)
        daemon.stop()

    def test_header_and_body_apart(self):
        """Two sends, as in many clients: their own Nagle algorithm delays the body."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=length"])
        with daemon.connect() as client:
            for _ in range(10):
                client.send(struct.pack("!I", 5))
                client.send(b"hello")
                self.assertEqual(net.recv_exactly(client, 6), b"\0\0\0\2ok")
        daemon.stop()

    def test_makefile_and_asyncio(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply={seq} {message}"])
        script = ("import asyncio, socket, sys\n"
                  "with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:\n"
                  "    f = s.makefile('rw', encoding='utf-8', newline='\\n')\n"
                  "    for text in sys.argv[2:]:\n"
                  "        f.write(text + '\\n'); f.flush(); print(f.readline(), end='')\n"
                  "async def main():\n"
                  "    r, w = await asyncio.open_connection('127.0.0.1', int(sys.argv[1]))\n"
                  "    w.writelines([t.encode() + b'\\n' for t in sys.argv[2:]])\n"
                  "    w.write_eof()\n"
                  "    print((await r.read()).decode(), end='')\n"
                  "asyncio.run(main())\n")
        expected = [f"{n} {t}" for n, t in enumerate(TEXTS, 1)]
        self.assertEqual(self.run_client(script, daemon.address()[1], *TEXTS), expected * 2)
        daemon.stop()


class Different(unittest.TestCase):
    def test_listeners_with_different_settings_side_by_side(self):
        config = ("[Listener default]\nListen=127.0.0.1:0\n"
                  "[Listener meters]\nListen=127.0.0.1:0\nListen=@answerd-meters-%d\nFraming=length\n"
                  "Reply={listener}/{seq}\nMaxMessageSize=8\n"
                  "[Listener tills]\nListen=[::1]:0\nFraming=netstring\nReply=\\x06\n"
                  "[Listener simple]\nListen=127.0.0.1:0\nFraming=chunk\nReply=thanks\n" % os.getpid())
        daemon = Daemon(self, ["--record=none"], config=config, listeners=5)
        length = struct.pack("!I", 8) + b"12345678"
        for number, data, reply in [
            (0, b"12345678910\n", b"ok\n"),
            (1, length * 2, b"\0\0\0\x08meters/1\0\0\0\x08meters/2"),
            (2, length, b"\0\0\0\x08meters/1"),
            (3, b"3:abc,", b"1:\x06,"),
            (4, b"anything", b"thanks"),
        ]:
            self.assertEqual(net.exchange(daemon.address(number), data), reply, number)
        self.assertEqual(net.exchange(daemon.address(1), b"\0\0\0\x09"), b"\0\0\0\x17error: message too long")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
