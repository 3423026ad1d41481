# SPDX-License-Identifier: LGPL-2.1-or-later
"""rsyslog forwards to a listener with Reply=none, by omfwd over TCP, lines ending in LF, with a queue.

omfwd counts a line as sent once its kernel has taken it. Two kinds of lines are lost: those that answerd has not read,
or not passed to the journal, when it is killed; and those that arrive after a stop has closed the connection. No others
are. So a reload loses nothing, and neither does a restart or a kill while nothing is in flight. Under load, each
restart or kill may lose one run of lines in flight. rsyslog continues after them on its next connection.
"""

import signal
import socket
import unittest

import net
import senders
import tap

CONFIG = """
global(workDirectory="{folder}")
module(load="imuxsock" SysSock.Use="off")
input(type="imuxsock" Socket="{folder}/in" CreatePath="off" RateLimit.Interval="0" UseSpecialParser="off")
template(name="bare" type="string" string="%msg%\\n")
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" tcp_framing="traditional" template="bare"
       action.resumeRetryCount="-1" action.resumeInterval="1" action.resumeIntervalMax="1"
       queue.type="linkedList" queue.size="100000" queue.dequeueBatchSize="16" queue.timeoutEnqueue="60000")
"""


class Rsyslog(unittest.TestCase):
    def setUp(self):
        program = senders.require(self, "rsyslogd")
        self.served = senders.Served(self, "[Listener default]\nReply=none\n")
        folder = senders.folder(self)
        config = CONFIG.format(folder=folder, port=self.served.port())
        self.rsyslog = senders.Program(self, [program, "-n", "-iNONE", "-f", senders.write(folder + "/conf", config)])
        self.input = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.input.close)
        net.wait_until(lambda: self.connected(folder + "/in"), what="rsyslog to take messages")
        self.sent = 0

    def connected(self, path):
        self.assertIsNone(self.rsyslog.process.poll(), self.rsyslog.said())
        try:
            self.input.connect(path)
            return True
        except OSError:
            return False

    def log(self, count):
        for _ in range(count):
            self.input.send(b"<13>test: %d" % self.sent)
            self.sent += 1

    def numbers(self):
        return [int(r) for r in self.served.records()]

    def wait_for_last(self):
        """rsyslog keeps the order. Once the last line is there, no earlier one can still come."""
        net.wait_until(lambda: self.sent - 1 in self.numbers(), what="the last line")

    def expect_all(self):
        self.wait_for_last()
        self.assertEqual(self.numbers(), list(range(self.sent)))

    def at_rest(self, how):
        """Runs it each time after every line is recorded."""
        for _ in range(3):
            self.log(500)
            self.wait_for_last()
            how()
        self.log(500)
        self.wait_for_last()

    def test_reload(self):
        for _ in range(5):
            self.log(500)
            self.served.reload()
        self.expect_all()

    def test_restart_at_rest(self):
        """rsyslog checks for the end of the connection before it sends: nothing is lost."""
        self.at_rest(self.served.restart)
        self.expect_all()

    def test_kill_at_rest(self):
        self.at_rest(self.served.kill)
        self.expect_all()

    def under_load(self, how, times=3):
        """Returns the gaps: (first lost, how many)."""
        for _ in range(times):
            self.log(2000)
            how()
        self.log(2000)
        self.wait_for_last()
        got = self.numbers()
        self.assertEqual(got, sorted(set(got)))
        gaps = [(a + 1, b - a - 1) for a, b in zip([-1] + got, got) if b != a + 1]
        print(f"# lost {sum(n for _, n in gaps)} of {self.sent} lines: {gaps}")
        return gaps

    def test_restart_under_load(self):
        self.assertLessEqual(len(self.under_load(self.served.restart)), 3)

    def test_kill_under_load(self):
        self.assertLessEqual(len(self.under_load(self.served.kill)), 3)

    def test_stopped_for_a_while(self):
        """The queue holds the lines meanwhile. rsyslog is stopped in the end, so it has sent all."""
        self.log(100)
        self.wait_for_last()
        self.served.daemon.stop()
        self.log(1000)
        self.served.start()
        self.expect_all()
        self.rsyslog.signal(signal.SIGTERM)


if __name__ == "__main__":
    tap.main()
