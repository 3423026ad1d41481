# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other people's TLS: clients that send lines and read the replies, and a scanner that looks for weak spots."""

import re
import ssl
import subprocess
import sys
import unittest

import net
import senders
import tap
from certificates import Authority
from daemon import Daemon
from journal_socket import JournalSocket

LINES = 300
MESSAGES, STREAM = senders.numbered(LINES)
REPLIES = STREAM
NODE = """
const tls = require("tls"), fs = require("fs");
const [port, ca, pem] = process.argv.slice(1);
const pair = fs.readFileSync(pem);
const options = { port, host: "127.0.0.1", servername: "localhost", ca: fs.readFileSync(ca), cert: pair, key: pair };
const socket = tls.connect(options);
process.stdin.pipe(socket);
socket.pipe(process.stdout);
"""
PYTHON = """
import socket, ssl, sys
port, ca, pem = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.load_cert_chain(pem)
with context.wrap_socket(socket.create_connection(("127.0.0.1", int(port))), server_hostname="localhost") as tls:
    for line in sys.stdin.buffer:
        tls.sendall(line)
        reply = b""
        while not reply.endswith(b"\\n"):
            reply += tls.recv(1000)
        sys.stdout.buffer.write(reply)
        sys.stdout.buffer.flush()
    tls.unwrap()
"""


class Served:
    """A daemon that demands client certificates and echoes, and files for its clients."""

    def __init__(self, test, more="", listener=""):
        self.authority = Authority(senders.folder(test))
        self.server = self.authority.sign("server", "server", "DNS:localhost,IP:127.0.0.1")
        self.client = self.authority.sign("client", "meter-17")
        self.journal = JournalSocket(test)
        self.daemon = Daemon(test, [], journal=self.journal, config=f"""
[TLS main]
Certificate={self.server}.crt
Key={self.server}.key
ClientCA={self.authority.file}
{more or "ClientCertificate=require"}
[Listener default]
Listen=127.0.0.1:0
Record=journal
Reply={{message}}
TLS=main
{listener}""")

    @property
    def port(self):
        return self.daemon.address()[1]

    def recorded(self):
        """The messages, and the names of those who sent them."""
        entries = [e for e in self.journal.entries if "ANSWERD_DATA" in e]
        return [e["ANSWERD_DATA"][0] for e in entries], {e.get("ANSWERD_IDENTITY", [b""])[0] for e in entries}


class Clients(unittest.TestCase):
    def talk(self, *command):
        """Each line gets its reply, and is recorded under the name in the certificate. In the command, %PORT is the
        port, %CA the file of the authority, and %CLIENT the files of the client, without their endings."""
        senders.require(self, command[0])
        served = Served(self)
        places = {"%PORT": str(served.port), "%CA": served.authority.file, "%CLIENT": served.client}
        words = list(command)
        for place, value in places.items():
            words = [word.replace(place, value) for word in words]
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdin.write(STREAM)
        process.stdin.flush()
        got = b""
        while not got.endswith(REPLIES):
            some = process.stdout.read1()
            self.assertTrue(some, got[-1000:])
            got += some
        process.stdin.close()
        served.journal.wait_for(LINES)
        served.daemon.stop()
        self.assertEqual(served.recorded(), (MESSAGES, {b"meter-17"}))
        process.stdout.close()

    def test_openssl(self):
        for version in "-tls1_2", "-tls1_3":
            self.talk("openssl", "s_client", "-quiet", version, "-connect", "localhost:%PORT", "-CAfile", "%CA",
                      "-cert", "%CLIENT.crt", "-key", "%CLIENT.key", "-verify_return_error", "-verify_hostname",
                      "localhost", "-no_ign_eof", "-nocommands")

    def test_gnutls(self):
        self.talk("gnutls-cli", "--x509cafile", "%CA", "--x509certfile", "%CLIENT.crt", "--x509keyfile", "%CLIENT.key",
                  "-p", "%PORT", "localhost")

    def test_socat(self):
        self.talk("socat", "-t", "20", "-", "OPENSSL:localhost:%PORT,cafile=%CA,certificate=%CLIENT.pem")

    def test_python(self):
        self.talk(sys.executable, "-c", PYTHON, "%PORT", "%CA", "%CLIENT.pem")

    def test_node(self):
        self.talk("node", "-e", NODE, "%PORT", "%CA", "%CLIENT.pem")


class Mute(unittest.TestCase):
    def test_a_sender_that_never_reads_loses_nothing(self):
        """Bytes that stay unread when it closes, even a session ticket, would make its kernel reset the connection."""
        served = Served(self, "ClientCertificate=none", "Reply=none")
        context = ssl.create_default_context(cafile=served.authority.file)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        for _ in range(10):
            with net.connect(served.daemon.address()) as client:
                tls = context.wrap_socket(client, server_hostname="localhost")
                tls.sendall(STREAM * 7)
                tls.close()
        self.assertEqual(len(served.journal.wait_for(70 * LINES)), 70 * LINES)
        served.daemon.stop()


class Scan(unittest.TestCase):
    def test_nothing_weak(self):
        """nmap grades what is offered: https://nmap.org/nsedoc/scripts/ssl-enum-ciphers.html"""
        senders.require(self, "nmap")
        served = Served(self, "ClientCertificate=none")
        scan = ["nmap", "-Pn", "-n", "--script", "ssl-enum-ciphers", "-p", str(served.port), "127.0.0.1"]
        done = subprocess.run(scan, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=120, check=True)
        text = done.stdout.decode()
        self.assertIn("least strength: A", text)
        self.assertEqual(re.findall(r"TLSv1\.\d|SSLv\d", text), ["TLSv1.2", "TLSv1.3"], text)
        self.assertEqual(set(re.findall(r" - ([A-F])$", text, re.MULTILINE)), {"A"}, text)
        self.assertNotIn("warnings", text)
        served.daemon.stop()

    def test_what_is_refused(self):
        """Old versions, renegotiation, compression, ciphers without forward secrecy."""
        senders.require(self, "openssl")
        served = Served(self, "ClientCertificate=none")

        def connect(*options, text=b""):
            return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{served.port}", *options], input=text,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)

        for options in (("-tls1",), ("-tls1_1",), ("-tls1_2", "-cipher", "AES128-SHA:AES256-GCM-SHA384"),
                        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA")):
            with self.subTest(options):
                self.assertNotEqual(connect(*options).returncode, 0)
        said = connect("-tls1_2", text=b"R\n").stdout
        self.assertIn(b"no renegotiation", said)
        self.assertIn(b"Compression: NONE", said)
        served.daemon.stop()


if __name__ == "__main__":
    tap.main()
