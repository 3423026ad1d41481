# SPDX-License-Identifier: LGPL-2.1-or-later
"""HAProxy in front of two answerds: plain checks, and clients that keep asking while one of the two restarts."""

import os
import ssl
import threading
import unittest

import net
import senders
import tap
from certificates import Authority

CLIENTS = 4
CONFIG = """
global
    stats socket {folder}/stats level admin
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
    retries 10
    option redispatch
frontend in
    bind fd@{fd} {bind}
    {frontend}
    default_backend answerd
backend answerd
    balance roundrobin
    default-server check inter 100ms {more}
{servers}
"""
PROXIED = "[Listener default]\nProxy=any\nProxyFrom=127.0.0.1\n"


class Client(threading.Thread):
    """Sends numbered messages one by one. Resends an unanswered one on a new connection."""

    def __init__(self, name, address):
        super().__init__(daemon=True)
        self.client, self.address, self.stopping = name, address, threading.Event()
        self.answered, self.sent_again, self.error = [], set(), None

    def ask(self, message):
        with net.connect(self.address) as sock:
            while not self.stopping.is_set():
                sock.sendall(message + b"\n")
                if net.recv_line(sock) != b"ok\n":
                    raise AssertionError("another reply")
                self.answered.append(message)
                message = b"%s-%d" % (self.client, len(self.answered))

    def run(self):
        while not self.stopping.is_set():
            message = b"%s-%d" % (self.client, len(self.answered))
            before = len(self.answered)
            try:
                self.ask(message)
            except (OSError, AssertionError) as error:
                self.error = error
                if len(self.answered) > before:
                    message = b"%s-%d" % (self.client, len(self.answered))
                self.sent_again.add(message)

    def stop(self):
        self.stopping.set()
        self.join(net.TIMEOUT)


class Haproxy(unittest.TestCase):
    def start(self, count=2, more="", config="", bind="", frontend=""):
        self.program = senders.require(self, "haproxy")
        self.served = [senders.Served(self, config) for _ in range(count)]
        sock, folder = net.listener(), senders.folder(self)
        self.addCleanup(sock.close)
        servers = "\n".join(f"    server s{n} 127.0.0.1:{s.port()}" for n, s in enumerate(self.served))
        config = CONFIG.format(fd=sock.fileno(), folder=folder, servers=servers, more=more, bind=bind,
                               frontend=frontend)
        self.haproxy = senders.Program(self, [self.program, "-db", "-f", senders.write(folder + "/cfg", config)],
                                       pass_fds=[sock.fileno()])
        self.stats = folder + "/stats"
        net.wait_until(lambda: os.path.exists(self.stats) or self.haproxy.process.poll() is not None,
                       what="haproxy to start")
        self.assertIsNone(self.haproxy.process.poll(), self.haproxy.said())
        return sock.getsockname()

    def clients(self, address):
        clients = [Client(b"c%d" % n, address) for n in range(CLIENTS)]
        for client in clients:
            self.addCleanup(client.stopping.set)
            client.start()
        self.wait_for_more(clients)
        return clients

    def wait_for_more(self, clients, count=50):
        wanted = [len(c.answered) + count for c in clients]
        net.wait_until(lambda: all(len(c.answered) >= n for c, n in zip(clients, wanted)),
                       what=f"answers; the last trouble was {[c.error for c in clients]}")

    def expect_each_once(self, clients):
        """Every answered message is recorded. Only resent messages are recorded twice."""
        for client in clients:
            client.stop()
        for served in self.served:
            served.daemon.stop()
            served.journal.close_reader()
        recorded = [r for s in self.served for r in s.records()]
        for client in clients:
            again = client.sent_again
            for message in client.answered:
                self.assertIn(recorded.count(message), (1, 2) if message in again else (1,), message)

    def disturb(self, how):
        clients = self.clients(self.start())
        for served in self.served * 2:
            how(served)
            self.wait_for_more(clients)
        self.expect_each_once(clients)
        return clients

    def test_reload(self):
        for client in self.disturb(senders.Served.reload):
            self.assertEqual(client.sent_again, set())

    def test_restart(self):
        self.disturb(senders.Served.restart)

    def test_kill(self):
        self.disturb(senders.Served.kill)

    def test_plain_checks_record_nothing(self):
        self.start()

        def checked():
            with net.connect(self.stats) as sock:
                sock.sendall(b"show stat\n")
                return net.recv_until_eof(sock).count(b",L4OK,") == 2

        net.wait_until(checked, what="both checks")
        for served in self.served:
            served.daemon.stop()
            served.journal.close_reader()
            self.assertEqual(served.records(), [])

    def test_a_proxy_header_is_refused(self):
        for kind in "send-proxy", "send-proxy-v2":
            address = self.start(1, kind)
            with net.connect(address) as client:
                client.sendall(b"hello\n")
                self.assertEqual(net.recv_until_eof(client), b"error: a PROXY header is not expected here\n")
            served = self.served[0]
            served.daemon.stop()
            served.journal.close_reader()
            self.assertEqual(served.records(), [])
            self.assertTrue(any(b"sent a PROXY header" in e["MESSAGE"][0] for e in served.journal.entries))

    def entry(self):
        """The one message that answerd has recorded."""
        self.served[0].journal.wait_for(1)
        self.served[0].daemon.stop()
        self.served[0].journal.close_reader()
        (entry,) = [e for e in self.served[0].journal.entries if "ANSWERD_DATA" in e]
        return {name: values[0] for name, values in entry.items()}

    def test_a_proxy_header_is_understood(self):
        for options, more in (("send-proxy", {}), ("send-proxy-v2", {}),
                              ("send-proxy-v2 proxy-v2-options crc32c,unique-id", {"ANSWERD_PROXY_ID": b"id-of-it"})):
            # Its checks begin with a header, too: LOCAL, or its own address.
            address = self.start(1, options + " check-send-proxy", PROXIED, frontend="unique-id-format id-of-it")
            with net.connect(address, source=("127.0.0.9", 0)) as client:
                port = client.getsockname()[1]
                client.sendall(b"hello\n")
                self.assertEqual(net.recv_line(client), b"ok\n")
            entry = self.entry()
            wanted = {"ANSWERD_PEER": b"127.0.0.9", "ANSWERD_PEER_PORT": b"%d" % port, "ANSWERD_PROXY": b"127.0.0.1",
                      "ANSWERD_DATA": b"hello", **more}
            self.assertEqual({name: entry.get(name) for name in wanted}, wanted)

    def test_the_name_of_a_certificate(self):
        senders.require(self, "openssl")
        folder = senders.folder(self)
        authority = Authority(folder)
        authority.sign("server", "localhost")
        authority.sign("client", "meter-17")
        address = self.start(1, "send-proxy-v2-ssl-cn", PROXIED,
                             bind=f"ssl crt {folder}/server.pem ca-file {folder}/ca.pem verify required")
        context = ssl.create_default_context(cafile=folder + "/ca.pem")
        context.check_hostname = False
        context.load_cert_chain(folder + "/client.pem")
        with context.wrap_socket(net.connect(address)) as client:
            client.sendall(b"hello\n")
            self.assertEqual(client.recv(100), b"ok\n")
        self.assertEqual(self.entry()["ANSWERD_IDENTITY"], b"meter-17")


if __name__ == "__main__":
    tap.main()
