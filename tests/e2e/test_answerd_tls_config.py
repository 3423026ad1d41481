# SPDX-License-Identifier: LGPL-2.1-or-later
"""[TLS NAME] sections: what is refused with file and line, what a reload changes, and what is said about expiry."""

import os
import re
import shutil
import ssl
import subprocess
import tempfile
import unittest

import certificates
import net
import tap
from daemon import Daemon, program

CONFIG = 78
VERSION = subprocess.run([program(), "--version"], check=True, text=True, stdout=subprocess.PIPE).stdout
NAMES = "TLS section's name has"
CREDENTIAL = ("a path with a slash, or a credential: $CREDENTIALS_DIRECTORY is not set; "
              "set it to the directory of the files")
CLIENTS = "also set ClientCA= to the authority that signs the certificates of clients"
GOOD = "[TLS main]\nCertificate={dir}/a.crt\nKey={dir}/a.key\n"

# The file, the line of the first error, and the message. {dir} is the folder of the certificates.
BROKEN = [
    ("[TLS]\n", 1, "unknown section [TLS]; did you mean [TLS NAME]?"),
    ("[tls main]\n", 1, "unknown section [tls main]; did you mean [TLS NAME]?"),
    ("[TLS ]\n", 1, f"a {NAMES} at least one character and no colon: [TLS ]"),
    ("[TLS none]\n", 1, "no TLS section can have the name none: TLS=none means no TLS"),
    ("[TLS main]\n", 1, "[TLS main] has no Certificate="),
    ("[TLS main]\nCertificate=\n", 2, "Certificate=: not a path with a slash, or a credential's name"),
    ("[TLS main]\nCertificate=tls.crt\n", 2, "Certificate=tls.crt: not " + CREDENTIAL),
    ("[TLS main]\nKey={dir}/a.key\n", 2, "Key={dir}/a.key: not below its Certificate="),
    (GOOD + "Key={dir}/b.key\n", 4, "Key={dir}/b.key: not the only Key= of its Certificate="),
    ("[TLS main]\nCertificate={dir}/nothing\n", 2, "{dir}/nothing: No such file or directory"),
    ("[TLS main]\nCertificate={dir}/\n", 2, "{dir}/: Is a directory"),
    ("[TLS main]\nCertificate=/dev/zero\n", 2, "/dev/zero: not a regular file"),
    ("[TLS main]\nCertificate={dir}/a.key\n", 2, "{dir}/a.key: no PEM certificate is in it"),
    ("[TLS main]\nCertificate={dir}/a.crt\n", 2, "{dir}/a.crt: no PEM key is in it, or it is damaged"),
    ("[TLS main]\nCertificate={dir}/torn.crt\nKey={dir}/a.key\n", 2, "{dir}/torn.crt: a certificate in it is damaged"),
    ("[TLS main]\nCertificate={dir}/a.crt\n\nKey={dir}/locked.key\n", 4,
     "{dir}/locked.key: its key is encrypted; decrypt it with openssl-pkey(1)"),
    ("[TLS main]\nCertificate={dir}/a.crt\nKey={dir}/b.key\n", 3,
     "{dir}/b.key: its key does not belong to the certificate in {dir}/a.crt"),
    (GOOD + "Certificate={dir}/a.pem\n", 4,
     "{dir}/a.pem: a certificate above it has the same names and the same kind of key"),
    (GOOD + "ClientCA={dir}/a.key\n", 4, "{dir}/a.key: no PEM certificate is in it"),
    (GOOD + "ClientCA={dir}/ca.pem\nRevoked={dir}/ca.pem\n", 5, "{dir}/ca.pem: no PEM revocation list is in it"),
    (GOOD + "ClientCertificate=require\n", 4, "ClientCertificate=require: " + CLIENTS),
    (GOOD + "ClientCertificate=request\n", 4, "ClientCertificate=request: " + CLIENTS),
    (GOOD + "Identity=san-dns\n", 4, "Identity=san-dns: " + CLIENTS),
    (GOOD + "Revoked={dir}/ca.pem\n", 4, f"Revoked={{dir}}/ca.pem: {CLIENTS}"),
    (GOOD + "ClientCertificate=yes\n", 4, "ClientCertificate=yes: not none, request or require"),
    (GOOD + "Identity=name\n", 4, "Identity=name: not cn, san-dns, san-uri, san-email or subject"),
    (GOOD + "MinVersion=1.1\n", 4, "MinVersion=1.1: not 1.2 or 1.3"),
    (GOOD + "Ciphers=\n", 4, "Ciphers=: not a list of names"),
    (GOOD + "Ciphers=ROT13\n", 4, "OpenSSL knows none of these ciphers of TLS 1.2: ROT13"),
    (GOOD + "Groups=P-256:Klein-4\n", 4, "OpenSSL does not know all of these groups: P-256:Klein-4"),
    (GOOD + "ALPN=\n", 4, "ALPN=: not none, or names of protocols of up to 255 bytes each"),
    (GOOD + "HandshakeTimeout=0\n", 4,
     "HandshakeTimeout=0: not a time span above 0; infinity switches this timeout off"),
    (GOOD + "MaxHandshakes=0\n", 4, "MaxHandshakes=0: not a number from 1, or infinity"),
    (GOOD + "Ticket=no\n", 4, "unknown key Ticket= in [TLS]"),
    (GOOD + "Certificat={dir}/b.crt\n", 4, "unknown key Certificat= in [TLS]; did you mean Certificate=?"),
    (GOOD + "TLS=main\n", 4, "unknown key TLS= in [TLS]; it belongs in [Listener NAME]"),
    ("[Listener default]\nCertificate={dir}/a.crt\n", 2,
     "unknown key Certificate= in [Listener]; it belongs in [TLS NAME]"),
    (GOOD + "[Listener default]\nTLS=\n", 5, "TLS=: not none, or the NAME of a [TLS NAME] section"),
    (GOOD + "[Listener default]\nTLS=mane\n", 5, "TLS=mane: there is no section [TLS mane]"),
    (GOOD + "[Listener default]\nTLS=mains\n", 5, "TLS=mains: there is no section [TLS mains]; did you mean main?"),
]

folder = None


def setUpModule():
    global folder
    if "+openssl" not in VERSION:
        return
    folder = tempfile.mkdtemp(prefix="answerd-tls-config")
    authority = certificates.Authority(folder)
    for name in "a", "b":
        authority.sign(name, name + ".example")
    with open(folder + "/a.crt", encoding="ascii") as file:
        lines = file.read().splitlines()
    with open(folder + "/torn.crt", "w", encoding="ascii") as file:
        file.write("\n".join(lines[:3] + lines[-1:]) + "\n")
    certificates.openssl("pkey", "-in", folder + "/a.key", "-aes128", "-passout", "pass:secret", "-out",
                         folder + "/locked.key")


def tearDownModule():
    if folder:
        shutil.rmtree(folder)


def run(path, *options, environment=None):
    done = subprocess.run([program(), "--config=" + path, *options], timeout=net.TIMEOUT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True,
                          env={**os.environ, **(environment or {})})
    return done.returncode, done.stdout, done.stderr


@unittest.skipUnless("+openssl" in VERSION, "this build has no TLS")
class Broken(unittest.TestCase):
    def write(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8", delete=False) as file:
            file.write(text.replace("{dir}", folder))
        self.addCleanup(os.unlink, file.name)
        return file.name

    def test_each_is_refused_with_file_line_and_reason(self):
        self.assertGreaterEqual(len(BROKEN), 20)
        for text, line, reason in BROKEN:
            path = self.write(text)
            for options in [], ["--check"]:
                with self.subTest(text=text, options=options):
                    status, out, err = run(path, *options)
                    self.assertEqual((status, out), (CONFIG, ""))
                    self.assertEqual(err.splitlines()[0],
                                     f"answerd: {path}:{line}: " + reason.replace("{dir}", folder))

    def test_no_password_is_asked_for(self):
        """Not even at a terminal: it has one here, and nobody types."""
        path = self.write("[TLS main]\nCertificate={dir}/a.crt\nKey={dir}/locked.key\n")
        main, other = os.openpty()
        self.addCleanup(os.close, main)
        done = subprocess.run([program(), "--check", "--config=" + path], timeout=net.TIMEOUT, stdin=other, stdout=other,
                              stderr=subprocess.PIPE, check=False, start_new_session=True)
        os.close(other)
        self.assertEqual(done.returncode, CONFIG)
        self.assertIn(b"its key is encrypted", done.stderr)

    def test_a_credential_is_a_file_in_its_directory(self):
        path = self.write("[TLS main]\nCertificate=a.crt\nKey=a.key\nClientCA=ca.pem\n[Listener default]\nTLS=main\n")
        status, out, err = run(path, "--check", "-v", environment={"CREDENTIALS_DIRECTORY": folder})
        self.assertEqual((status, err), (0, ""))
        shown = out[out.index("[TLS main]"):out.index("[Listener default]")]
        self.assertEqual([line.split(None, 1) for line in shown.splitlines()[:4]],
                         [["[TLS", "main]"], ["Certificate=a.crt", path + ":2"], ["Key=a.key", path + ":3"],
                          ["ALPN=none", "default"]])
        self.assertRegex(shown, r"\nClientCA=ca\.pem +" + re.escape(path) + ":4\n")
        self.assertRegex(out, r"\nTLS=main +" + re.escape(path) + ":6\n")
        status, _, err = run(path, "--check", environment={"CREDENTIALS_DIRECTORY": "/nowhere"})
        self.assertEqual((status, err.splitlines()[0]),
                         (CONFIG, f"answerd: {path}:2: /nowhere/a.crt: No such file or directory"))


def issued_to(address):
    """The common name of the certificate that a listener shows."""
    context = ssl.create_default_context(cafile=folder + "/ca.pem")
    context.check_hostname = False
    with net.connect(address) as plain, context.wrap_socket(plain) as client:
        client.sendall(b"hello\n")
        assert client.recv(100) == b"ok\n"
        return dict(part[0] for part in client.getpeercert()["subject"])["commonName"]


@unittest.skipUnless("+openssl" in VERSION, "this build has no TLS")
class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="answerd-tls-reload")
        self.addCleanup(shutil.rmtree, self.folder)
        self.config = (f"[Listener default]\nListen=127.0.0.1:0\nRecord=none\nTLS=main\n"
                       f"[TLS main]\nCertificate={self.folder}/tls.pem\n")

    def put(self, name):
        """Replaces the certificate, as tools do that renew it."""
        shutil.copy(f"{folder}/{name}", self.folder + "/new")
        os.replace(self.folder + "/new", self.folder + "/tls.pem")

    def test_new_connections_get_the_new_certificate(self):
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config)
        self.assertEqual(issued_to(daemon.address()), "a.example")
        context = ssl.create_default_context(cafile=folder + "/ca.pem")
        context.check_hostname = False
        with net.connect(daemon.address()) as plain, context.wrap_socket(plain) as client:
            self.put("b.pem")
            self.assertEqual(issued_to(daemon.address()), "a.example")
            self.assertTrue(daemon.reload().startswith("reloaded"))
            self.assertEqual(issued_to(daemon.address()), "b.example")
            client.sendall(b"still here\n")
            self.assertEqual(client.recv(100), b"ok\n")
        daemon.stop()

    def test_a_broken_certificate_changes_nothing(self):
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config)
        for name, reason in (("torn.crt", "a certificate in it is damaged"), ("a.key", "no PEM certificate is in it"),
                             ("a.crt", "no PEM key is in it, or it is damaged")):
            self.put(name)
            said = daemon.reload(self.config + "[Server]\nDrainTimeout=1s\n")
            self.assertEqual(said, "reload refused, the old configuration stays in force: "
                                   f"{daemon.config_path}:6: {self.folder}/tls.pem: {reason}")
            self.assertEqual(issued_to(daemon.address()), "a.example")
        self.put("b.pem")
        self.assertTrue(daemon.reload().startswith("reloaded"))
        self.assertEqual(issued_to(daemon.address()), "b.example")
        daemon.stop()

    def test_nothing_resumes_after_a_reload(self):
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config)
        context = ssl.create_default_context(cafile=folder + "/ca.pem")
        context.check_hostname = False

        def visit(session):
            with net.connect(daemon.address()) as plain, context.wrap_socket(plain, session=session) as client:
                client.sendall(b"hello\n")
                self.assertEqual(client.recv(100), b"ok\n")
                return client.session_reused, client.session

        reused, session = visit(None)
        self.assertFalse(reused)
        reused, session = visit(session)
        self.assertTrue(reused)
        self.assertTrue(daemon.reload().startswith("reloaded"))
        reused, session = visit(session)
        self.assertFalse(reused)
        self.assertTrue(visit(session)[0])
        daemon.stop()

    def test_tls_comes_and_goes(self):
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config)
        self.assertEqual(issued_to(daemon.address()), "a.example")
        daemon.reload(self.config.replace("TLS=main", "TLS=none"))
        with net.connect(daemon.address()) as client:
            client.sendall(b"hello\n")
            self.assertEqual(net.recv_line(client), b"ok\n")
        daemon.reload(self.config)
        self.assertEqual(issued_to(daemon.address()), "a.example")
        daemon.stop()

    def test_expiry_is_told_once_for_each_certificate(self):
        """The certificates of this test are valid for two days."""
        told = rf"\[TLS main\]: the certificate in {re.escape(self.folder)}/tls.pem expires in [123] days?: \d{{4}}-"
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config)
        daemon.stderr.wait_for(told)
        daemon.reload()
        self.assertEqual(sum(bool(re.search(told, line)) for line in daemon.stderr.lines), 1)
        certificates.Authority(self.folder).sign("tls", "c.example", days=3)
        daemon.reload()
        daemon.stderr.wait_for(told, 2)
        daemon.stop()

    def test_expiry_is_in_the_status(self):
        self.put("a.pem")
        daemon = Daemon(self, [], config=self.config, notify=True, listeners=0)
        status = daemon.notify.wait_for("READY", "1")["STATUS"]
        self.assertRegex(status, "; a certificate expires in [12] days?$")
        daemon.stop()


@unittest.skipIf("+openssl" in VERSION, "this build has TLS")
class Without(unittest.TestCase):
    def test_a_section_is_refused(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf", encoding="utf-8") as file:
            file.write("[Listener default]\nTLS=main\n[TLS main]\nCertificate=/a\n")
            file.flush()
            self.assertEqual(run(file.name, "--check"), (
                CONFIG, "", f"answerd: {file.name}:3: this build has no TLS: it was configured without OpenSSL\n"))


if __name__ == "__main__":
    tap.main()
