# SPDX-License-Identifier: LGPL-2.1-or-later
"""Allocations fail in a life of the daemon with TLS: those of OpenSSL, too."""

import concurrent.futures
import contextlib
import os
import ssl
import unittest

import net
import tap
from certificates import Authority
from daemon import measured
from life import PATIENCE, Life, lost
from secure import VERSIONS, connect, context, folder, require
from witness import preload

AT_ONCE = 2
SAMPLES = 20  # of the thousands of allocations
WHILE = 8  # failing allocations in a row

CONFIG = """
[TLS main]
Certificate={files}/server.crt
Key={files}/server.key
ClientCA={files}/ca.pem
ClientCertificate=request
[Listener secure]
Listen=127.0.0.1:0
Record=journal
TLS=main
"""


class SecureLife(Life):
    """In addition, some clients speak TLS. Each is answered or refused, but none waits in vain.

    After one failed allocation, OpenSSL 3.0 may lack an algorithm for the rest of the process's life: it does not look
    for it again. So all handshakes of a version may be refused from then on.
    """

    listeners = 3
    files = None
    secured = 0  # answered clients with TLS

    def text(self, reply):
        return super().text(reply) + CONFIG.format(files=self.files)

    def ask_securely(self, daemon, version):
        (message,) = self.messages(1)
        try:
            with connect(daemon.address(2), context(version, self.files + "/client.pem"), timeout=PATIENCE) as client:
                client.sendall(message + b"\n")
                self.count([message], net.recv_line(client, PATIENCE))
                self.secured += 1
        except (ssl.SSLError, ConnectionError):
            pass
        except AssertionError as error:
            if "ended" not in str(error):
                raise

    def talk(self, daemon):
        for version in VERSIONS:
            self.ask_securely(daemon, version)
        with lost(), contextlib.closing(daemon.connect(2, PATIENCE)) as stranger:
            stranger.sendall(b"no handshake\n")
            net.recv_until_eof(stranger, PATIENCE)
        super().talk(daemon)

    def serves(self, daemon):
        super().serves(daemon)
        for version in VERSIONS:
            self.ask_securely(daemon, version)


class Allocations(unittest.TestCase):
    def setUp(self):
        require(self)
        if measured():
            self.skipTest("gcov does not survive it: as the process ends it allocates on its own account")
        self.library = preload(self, "fail-allocation.so")
        self.directory = folder(self)
        authority = Authority(self.directory)
        authority.sign("server", "server", "DNS:localhost")
        authority.sign("client", "client")

    def live(self, number, count):
        """Returns the number of allocations, and the place of the failed one."""
        path = os.path.join(self.directory, f"report-{number}")
        wrapper = ["env", "LD_PRELOAD=" + self.library, f"FAIL_ALLOCATION={number}", f"FAIL_COUNT={count}",
                   "FAIL_REPORT=" + path]
        life = SecureLife(self, wrapper, tries=count + 1)
        life.files = self.directory
        try:
            life.live()
            if number == 0:
                self.assertEqual(life.secured, 3 * len(VERSIONS))
            with open(path, encoding="utf-8") as file:
                asked, _, where = file.read().split()
        except Exception as error:
            raise AssertionError(f"allocation {number} and {count - 1} more failed: {error}") from error
        return int(asked), where

    def sample(self, count):
        asked, _ = self.live(0, count)
        step = max(1, asked // SAMPLES)
        failures, reached = [], 0
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            jobs = [pool.submit(self.live, n, count) for n in range(1, asked + 1, step)]
            for job in jobs:
                try:
                    reached += job.result()[1] != "-+0x0"
                except AssertionError as error:
                    failures.append(str(error))
        print(f"# {reached} of {asked} allocations failed, each with {count - 1} more after it")
        self.assertFalse(failures, "\n".join(failures[:20]))
        self.assertGreater(reached, len(jobs) * 0.5)

    def test_one(self):
        self.sample(1)

    def test_several_in_a_row(self):
        self.sample(WHILE)


if __name__ == "__main__":
    tap.main()
