# SPDX-License-Identifier: LGPL-2.1-or-later
"""A short life of the daemon with everything in it, for injecting a fault anywhere.

It starts, accepts from two listeners, hands over connections, reads, keeps unfinished messages, records, replies, holds
back replies, refuses, reloads, and stops. Wherever the fault is, the daemon ends with an error that it reports, or goes
on serving. No answered message is missing, and none is recorded twice.
"""

import contextlib
import errno
import re
import signal
import socket

import net
from daemon import Daemon
from witness import JournalSocket, Scope, expect_recorded, log_lines

CONFIG = """
[Server]
Workers={workers}
MaxConnectionsPerAddress=100
DrainTimeout=2s
[Listener default]
Listen=127.0.0.1:0
Record=journal
MaxMessageSize=64M
Reply={reply}
[Listener second]
Listen=127.0.0.1:0
Framing=netstring
Record=none
Reply={{message}}
OutputLimit=64K
"""
PATIENCE = net.TIMEOUT


def too_large():
    """More bytes than any datagram holds: twice the limit of SO_SNDBUF (socket(7))."""
    with open("/proc/sys/net/core/wmem_max", encoding="ascii") as file:
        return 2 * int(file.read())


@contextlib.contextmanager
def lost():
    """A connection hit by the fault may end at any point, but not fall silent."""
    try:
        yield
    except OSError as error:
        if not isinstance(error, ConnectionError) and error.errno != errno.ENOTCONN:
            raise
    except AssertionError as error:
        if "ended" not in str(error):
            raise


class Life:
    listeners = 2

    def __init__(self, test, wrapper, workers=1, tries=2):
        self.test, self.wrapper, self.workers, self.tries = test, wrapper, workers, tries
        self.number = 0
        self.answered = []

    def text(self, reply):
        return CONFIG.format(workers=self.workers, reply=reply)

    def live(self):
        """Returns the lines it logged. Raises AssertionError if something is wrong."""
        with Scope() as scope:
            journal = JournalSocket(scope)
            daemon = Daemon(scope, [], config=self.text("ok"), journal=journal, ready=False, wrapper=self.wrapper)
            if not self.started(daemon):
                return daemon.stderr.lines
            before = net.fd_count(daemon.pid)
            with contextlib.ExitStack() as crowd:
                for _ in range(self.workers - 1 and 12):
                    # Enough for one worker to hand some to another.
                    with lost():
                        crowd.enter_context(daemon.connect(1, PATIENCE)).sendall(b"1:x,")
                self.talk(daemon)
                self.ask(daemon, self.messages(1, too_large()))
            daemon.write_config(self.text("again"))
            daemon.signal(signal.SIGHUP)
            # The fault may hit the log line.
            net.wait_until(lambda: log_lines(daemon, "reloaded|reload refused") or self.reloaded(daemon), PATIENCE,
                           "the reload", interval=0.05)
            self.talk(daemon)
            self.serves(daemon)
            self.expect_closed(daemon, before)
            daemon.signal(signal.SIGTERM)
            self.expect_end(daemon, (0,))
            journal.close_reader()
            records = journal.records()
            expect_recorded(self.test, self.answered, [m for m in records if m.startswith(b"m")])
            return daemon.stderr.lines

    def reloaded(self, daemon):
        with lost():
            return net.exchange(daemon.address(0), b"reloaded?\n", PATIENCE) == b"again\n"

    def started(self, daemon):
        """False if it ended with an error, as it may."""
        try:
            daemon.wait_ready(self.listeners, timeout=PATIENCE)
            return True
        except AssertionError:
            if daemon.running():
                with contextlib.suppress(Exception):
                    daemon.wait(timeout=PATIENCE)
            self.expect_end(daemon, (71, 78))
            self.test.assertTrue(daemon.stderr.wait_end(), "it ended without a word")
            return False

    def expect_end(self, daemon, statuses):
        status = daemon.wait(timeout=PATIENCE)
        self.test.assertIn(status, statuses, "\n".join(daemon.stderr.wait_end()))

    def messages(self, count, size=0):
        made = [b"m%d" % (self.number + i) + b"." * size for i in range(count)]
        self.number += count
        return made

    def ask(self, daemon, messages, cut=0):
        """Sends these on a connection, perhaps in two pieces. It may fail, but answers count."""
        with lost(), contextlib.closing(daemon.connect(0, PATIENCE)) as client:
            data = b"".join(m + b"\n" for m in messages)
            if cut:
                # A complete message first: its reply tells that the rest has been read and kept.
                client.sendall(data[:cut])
                self.count(messages, net.recv_line(client, PATIENCE))
                data, messages = data[cut:], messages[1:]
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            replies = b""
            while True:
                got = client.recv(1 << 16)
                replies += got
                if not got:
                    break
            self.count(messages, replies)

    def count(self, messages, replies):
        done = sum(1 for line in replies.split(b"\n")[:-1] if line in (b"ok", b"again"))
        self.answered += messages[:done]

    def talk(self, daemon):
        self.ask(daemon, self.messages(3))
        first, second = self.messages(2, 10)
        self.ask(daemon, [first, second], cut=len(first) + 3)
        self.ask(daemon, self.messages(1, 250000))
        # The replies are held back until the client reads.
        with lost(), contextlib.closing(socket.socket()) as client:
            client.settimeout(PATIENCE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(daemon.address(1))
            message = b"50000:" + b"x" * 50000 + b","
            client.sendall(message * 5)
            client.sendall(b"oops")
            net.recv_until_eof(client, PATIENCE)

    def serves(self, daemon):
        """After any fault, new clients are answered on both listeners, again and again."""
        self.test.assertTrue(daemon.running(), "\n".join(daemon.stderr.lines))
        for _ in range(2 * self.workers):
            self.insist(daemon.address(0), b"(ok|again)\n")
            self.insist(daemon.address(1), b"1:x,")

    def expect_closed(self, daemon, before):
        """No more descriptors than before the first client. But a worker that missed the journal, or found it full,
        may have opened it again, and may have a timer left."""
        net.wait_until(lambda: net.fd_count(daemon.pid) <= before + 2 * self.workers, PATIENCE,
                       "all descriptors to be free")

    def insist(self, address, reply):
        """The fault may hit this very client, which then tries again. But its connection must end, not fall silent."""
        for _ in range(self.tries):
            (message,) = self.messages(1)
            with lost():
                got = net.exchange(address, b"1:x," if reply == b"1:x," else message + b"\n", PATIENCE)
                if re.fullmatch(reply, got):
                    self.answered += [message] * (reply != b"1:x,")
                    return
        raise AssertionError(f"no client is answered, of {self.tries} that tried")
