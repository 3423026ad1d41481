# SPDX-License-Identifier: LGPL-2.1-or-later
"""The server's certificate, its key and the authorities of its clients change a hundred times under load."""

import os
import shutil
import signal
import ssl
import threading
import unittest

import net
import tap
from certificates import Authority, join
from daemon import Daemon
from journal_socket import JournalSocket
from secure import VERSIONS, ask, connect, context, folder, require

RELOADS = 100
BROKEN_EACH = 10  # every tenth reload has a broken file
GENERATIONS = 3


class Generation:
    """An authority of clients, a client that it has signed, and a certificate and key for the server."""

    def __init__(self, test, number):
        authority = Authority(folder(test), f"authority {number}")
        self.authority = authority.file
        self.client = authority.sign("client", f"client-{number}") + ".pem"
        self.server = authority.sign("server", f"server {number}", "DNS:localhost")
        with open(self.server + ".crt", encoding="ascii") as file:
            self.certificate = ssl.PEM_cert_to_DER_cert(file.read())


class Files:
    """What the daemon reads. Each file is replaced at once."""

    def __init__(self, test, steady):
        self._folder, self._steady = folder(test), steady
        self.certificate, self.key, self.authorities = (self._folder + "/" + n for n in ("crt", "key", "ca"))

    def _replace(self, path, *parts):
        join(path + ".new", *parts)
        os.replace(path + ".new", path)

    def use(self, generation):
        self._replace(self.certificate, generation.server + ".crt")
        self._replace(self.key, generation.server + ".key")
        self._replace(self.authorities, generation.authority, self._steady.authority)

    def _truncate(self, path):
        shutil.copy(path, path + ".new")
        os.truncate(path + ".new", os.path.getsize(path) // 2)
        os.replace(path + ".new", path)

    def spoil(self, how, another):
        """One of several ways. Returns what the refusal says."""
        if how % 3 == 0:
            self._truncate(self.certificate)
            return self.certificate
        if how % 3 == 1:
            self._replace(self.key, another.server + ".key")
            return self.key
        self._replace(self.authorities)
        return self.authorities


class Crowd:
    """Clients that ask all the time: some on one connection, some on a new one each time. None may fail."""

    def __init__(self, address, certificate):
        self._address, self._certificate = address, certificate
        self._stop = threading.Event()
        self.failures, self.asked, self.connected = [], 0, 0
        work = [(self._stay, v) for v in VERSIONS] + [(self._come_and_go, v) for v in VERSIONS]
        self._threads = [threading.Thread(target=self._run, args=job, daemon=True) for job in work]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(net.TIMEOUT)

    def _run(self, work, version):
        try:
            work(context(version, self._certificate))
        except Exception as error:  # pylint: disable=broad-except
            self.failures.append(f"{work.__name__}, {version.name}: {error!r}")

    def _stay(self, about):
        with connect(self._address, about) as client:
            while not self._stop.wait(0.001):
                ask(client)
                self.asked += 1

    def _come_and_go(self, about):
        while not self._stop.wait(0.001):
            with connect(self._address, about) as client:
                ask(client)
                self.connected += 1


class Reload(unittest.TestCase):
    def setUp(self):
        require(self)
        self.generations = [Generation(self, n) for n in range(GENERATIONS)]
        self.steady = Generation(self, "steady")
        self.files = Files(self, self.steady)
        self.files.use(self.generations[0])
        self.journal = JournalSocket(self)
        listener = net.listener()
        self.addCleanup(listener.close)
        self.daemon = Daemon.activate(self, [(listener, None)], journal=self.journal, config=f"""
[TLS main]
Certificate={self.files.certificate}
Key={self.files.key}
ClientCA={self.files.authorities}
ClientCertificate=require
[Listener default]
Record=none
TLS=main
""")
        self.contexts = {(g.client, v): context(v, g.client) for g in self.generations for v in VERSIONS}
        self.sessions = {}

    def reload(self):
        """Returns when the daemon says that it is done."""
        before = len(self.daemon.notify.all())
        self.daemon.signal(signal.SIGHUP)
        self.daemon.notify.wait_for("RELOADING", "1", before)
        self.daemon.notify.wait_for("READY", "1", before)

    def accepted(self, generation, resumed=None):
        """In both versions of TLS. Keeps the sessions. resumed: whether the ones from before are taken."""
        for version in VERSIONS:
            about = self.contexts[generation.client, version]
            session = self.sessions.get((generation.client, version)) if resumed is not None else None
            with connect(self.daemon.address(), about, session) as client:
                ask(client)
                self.assertEqual(client.getpeercert(True), generation.certificate)
                self.assertEqual(client.session_reused, bool(resumed))
                self.sessions[generation.client, version] = client.session

    def refused(self, generation):
        """With and without the ticket of a session from before."""
        for version in VERSIONS:
            about = self.contexts[generation.client, version]
            for session in None, self.sessions[generation.client, version]:
                # In TLS 1.3 the client's handshake is over before the server says no.
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    with connect(self.daemon.address(), about, session) as client:
                        ask(client)

    def refusals(self):
        return [e["MESSAGE"][0] for e in self.journal.entries if e["MESSAGE"][0].startswith(b"reload refused")]

    def break_a_file(self, number, generation, another):
        """Nothing changes, not even the keys of tickets."""
        file = self.files.spoil(number // BROKEN_EACH, another)
        self.reload()
        net.wait_until(lambda: len(self.refusals()) >= number // BROKEN_EACH, what="the event")
        self.assertIn(file.encode(), self.refusals()[-1])
        self.accepted(generation, resumed=True)
        self.files.use(generation)

    def test_a_hundred_times(self):
        now = self.generations[0]
        self.accepted(now)
        with Crowd(self.daemon.address(), self.steady.client) as crowd:
            for number in range(1, RELOADS + 1):
                if number % BROKEN_EACH == 0:
                    self.break_a_file(number, now, self.steady)
                    continue
                before, now = now, self.generations[number % GENERATIONS]
                self.files.use(now)
                self.reload()
                self.accepted(now)
                if before is not now:
                    self.refused(before)
                self.assertFalse(crowd.failures)
        self.assertFalse(crowd.failures)
        print(f"# {RELOADS} reloads, {crowd.asked} messages, {crowd.connected} new connections")
        self.assertGreater(crowd.asked, RELOADS)
        self.assertGreater(crowd.connected, RELOADS)
        self.daemon.stop()
        self.assertEqual(len(self.refusals()), RELOADS // BROKEN_EACH)


if __name__ == "__main__":
    tap.main()
