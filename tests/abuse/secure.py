# SPDX-License-Identifier: LGPL-2.1-or-later
"""A daemon with a TLS listener beside a plain one, and TLS clients for the abuse tests."""

import contextlib
import os
import shutil
import ssl
import subprocess
import tempfile

import net
from certificates import Authority
from daemon import Daemon, program

VERSIONS = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def require(test):
    """Skips the test if the daemon has no TLS, or no certificates can be made."""
    if b"+openssl" not in subprocess.run([program(), "--version"], stdout=subprocess.PIPE, check=True).stdout:
        test.skipTest("answerd is built without OpenSSL")
    if not shutil.which("openssl"):
        test.skipTest("openssl is not installed")


def folder(test):
    path = tempfile.mkdtemp(prefix="at", dir="/tmp")
    test.addCleanup(shutil.rmtree, path)
    return path


def context(version=None, certificate=None):
    """For clients. They do not verify the server: that is not what these tests are about."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = version
    if certificate:
        made.load_cert_chain(certificate)
    return made


def connect(address, about=None, session=None, timeout=net.TIMEOUT):
    """A connected TLS socket. about: of context()."""
    sock = net.connect(address, timeout)
    try:
        return (about or context()).wrap_socket(sock, session=session, suppress_ragged_eofs=False)
    except BaseException:
        sock.close()
        raise


def ask(client, message=b"x", reply=b"ok\n"):
    """One message and its reply, on a socket of any kind."""
    client.sendall(message + b"\n")
    got = net.recv_exactly(client, len(reply))
    if got != reply:
        raise AssertionError(f"{got!r} instead of {reply!r}")


def flood(test, daemon, kind):
    """Starts a tls-flood, which ends with the test. The stand-in for a peer that means harm."""
    path = os.path.join(os.environ.get("top_builddir", "."), "tests", "abuse", "tls-flood")
    if not os.path.exists(path):
        test.skipTest("tls-flood is not built here")
    process = subprocess.Popen(["nice", "-n", "19", path, str(daemon.address()[1]), kind], stdout=subprocess.PIPE)

    def end():
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        process.stdout.close()
    test.addCleanup(end)
    if process.stdout.readline() != b"ready\n":
        raise AssertionError("tls-flood has not begun")
    return process


class Secure:
    """Listener 0 speaks TLS, listener 1 does not. Both reply `ok`."""

    def __init__(self, test, more="", workers=1, journal=None, **rest):
        require(test)
        self.authority = Authority(folder(test))
        server = self.authority.sign("server", "server", "DNS:localhost,IP:127.0.0.1")
        record = "journal" if journal else "none"
        self.daemon = Daemon(test, [], listeners=2, journal=journal, config=f"""
[Server]
Workers={workers}
[TLS main]
Certificate={server}.crt
Key={server}.key
{more}
[Listener default]
Listen=127.0.0.1:0
Record={record}
TLS=main
[Listener plain]
Listen=127.0.0.1:0
Record={record}
""", **rest)

    def connect(self, *rest, **more):
        return connect(self.daemon.address(), *rest, **more)
