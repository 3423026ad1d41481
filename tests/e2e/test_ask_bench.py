# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask-bench against independent servers: its messages, counts and measurements."""

import os
import resource
import signal
import tempfile
import threading
import time
import unittest

import net
import tap
from benching import Running, Server, bench
from daemon import Daemon


class Counting(unittest.TestCase):
    def check_counts(self, messages, size, server, result):
        self.assertEqual(result["errors"], {})
        self.assertEqual(result["achieved"]["messages"], messages)
        self.assertEqual(result["achieved"]["bytes_sent"], messages * size)
        self.assertEqual(result["achieved"]["bytes_received"], messages * size)
        seen = server.seen()
        self.assertEqual(seen["messages"], messages)
        self.assertEqual(seen["bytes"], messages * size)
        return seen

    def test_one_at_a_time(self):
        server = Server(self)
        result = bench(self, "-c7", "-n5000", "--verify=echo", server.address)
        self.assertEqual(result["achieved"]["connections"], 7)
        self.assertEqual(self.check_counts(5000, 17, server, result)["connections"], 7)

    def test_pipelined(self):
        server = Server(self)
        result = bench(self, "-c3", "-p16", "-n5000", "--verify=echo", "-s100", server.address)
        self.check_counts(5000, 101, server, result)

    def test_fewer_messages_than_connections(self):
        server = Server(self)
        result = bench(self, "-c10", "-n3", server.address)
        self.assertEqual(self.check_counts(3, 17, server, result)["connections"], 10)

    def test_several_workers(self):
        server = Server(self)
        result = bench(self, "-c10", "-n1001", "-w3", "--verify=echo", server.address)
        self.assertEqual(result["generator"]["workers"], 3)
        self.check_counts(1001, 17, server, result)

    def test_open_loop(self):
        server = Server(self)
        result = bench(self, "-c20", "-r500", "-n400", "-w2", "--verify=echo", server.address)
        self.check_counts(400, 17, server, result)
        # The last is due at 399/500 s.
        self.assertGreaterEqual(result["achieved"]["seconds"], 0.798)

    def test_open_loop_by_time(self):
        server = Server(self)
        # Nothing is left to wait for at the end of the time.
        result = bench(self, "-c20", "-r500", "-d1s", "-t1h", server.address)
        self.check_counts(500, 17, server, result)

    def test_churn(self):
        server = Server(self)
        result = bench(self, "-c5", "-n300", "--churn", "--verify=echo", server.address)
        self.assertEqual(self.check_counts(300, 17, server, result)["connections"], 300)
        self.assertEqual(result["achieved"]["connects"], 300)

    def test_churn_open_loop(self):
        server = Server(self)
        result = bench(self, "-c5", "-n100", "-r500", "--churn", server.address)
        self.assertEqual(self.check_counts(100, 17, server, result)["connections"], 100)

    def test_hold(self):
        server = Server(self)
        result = bench(self, "-c100", "--hold", "-d500ms", server.address)
        self.assertEqual(self.check_counts(100, 17, server, result)["connections"], 100)
        self.assertGreaterEqual(result["over_time"][-1]["at"], 0.5)

    def test_hold_in_rounds(self):
        server = Server(self)
        result = bench(self, "-c100", "--hold", "-n3", "-d500ms", server.address)
        self.assertEqual(self.check_counts(300, 17, server, result)["connections"], 100)

    def test_as_many_workers_as_descriptors_need(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (128, 192))

        server = Server(self)
        result = bench(self, "-c300", "--hold", "-d100ms", server.address, preexec=limit)
        # The hard limit minus a reserve of 64.
        self.assertEqual(result["generator"]["workers"], 3)
        self.assertEqual(result["achieved"]["connections"], 300)
        self.check_counts(300, 17, server, result)

    def test_ramp(self):
        server = Server(self)
        result = bench(self, "-c20", "-n20", "--ramp=50", "-w2", server.address)
        self.assertGreaterEqual(result["achieved"]["connect_seconds"], 0.38)
        self.check_counts(20, 17, server, result)

    def test_sources(self):
        server = Server(self)
        result = bench(self, "-c9", "-n9", "-w2", "--source=127.0.0.2-127.0.0.4", server.address)
        seen = self.check_counts(9, 17, server, result)
        self.assertEqual(seen["peers"], ["127.0.0.2", "127.0.0.3", "127.0.0.4"])

    def test_large_messages(self):
        server = Server(self)
        result = bench(self, "-c2", "-p2", "-n20", "-s1M", "--verify=echo", server.address)
        self.check_counts(20, 1024 * 1024 + 1, server, result)

    def test_replies_in_pieces(self):
        server = Server(self, "split")
        result = bench(self, "-c3", "-n300", "--verify=echo", server.address)
        self.check_counts(300, 17, server, result)


class Addresses(unittest.TestCase):
    def check(self, address):
        server = Server(self, "echo", address)
        result = bench(self, "-c20", "-n200", "--verify=echo", server.address)
        self.assertEqual(result["achieved"]["messages"], 200)
        self.assertEqual(result["errors"], {})
        result = bench(self, "-c20", "-n200", "--churn", server.address)
        self.assertEqual(result["errors"], {})
        self.assertEqual(server.seen()["messages"], 400)

    def test_ipv6(self):
        try:
            net.listener(("::1", 0)).close()
        except OSError:
            self.skipTest("no IPv6 here")
        self.check("[::1]:0")

    def test_unix_path(self):
        with tempfile.TemporaryDirectory(prefix="ad", dir="/tmp") as directory:
            self.check(os.path.join(directory, "socket"))

    def test_abstract(self):
        self.check(f"@ask-bench-test-{os.getpid()}")

    def test_name_with_several_addresses(self):
        server = Server(self)
        port = server.address.rpartition(":")[2]
        result = bench(self, "-c2", "-n20", f"localhost:{port}")
        self.assertEqual(result["errors"], {})

    def test_unix_backlog_full(self):
        with tempfile.TemporaryDirectory(prefix="ad", dir="/tmp") as directory:
            # No connection is accepted, and the queue holds two. Others get EAGAIN from connect().
            with net.listener(os.path.join(directory, "s"), backlog=1) as listener:
                result = bench(self, "-c4", "-n4", "-t200ms", listener.getsockname(), status=3)
        self.assertEqual(result["achieved"]["connections"], 2)
        self.assertGreaterEqual(result["errors"]["timeout"], 2)


    def test_unix_backlog_short(self):
        """The run begins once all have passed a queue that holds two."""

        def serve(listener, count):
            for _ in range(count):
                connection = listener.accept()[0]
                threading.Thread(target=echo, args=(connection,), daemon=True).start()

        def echo(connection):
            with connection:
                while data := connection.recv(4096):
                    connection.sendall(data)

        with tempfile.TemporaryDirectory(prefix="ad", dir="/tmp") as directory:
            with net.listener(os.path.join(directory, "s"), backlog=1) as listener:
                running = Running(self, "-c10", "-n1000", "--progress", listener.getsockname())
                running.stderr.wait_for(r"connecting: 2 of 10,.* 0 errors", timeout=60)
                threading.Thread(target=serve, args=(listener, 10), daemon=True).start()
                result = running.result()
        self.assertEqual(result["achieved"]["connections"], 10)
        self.assertEqual(result["errors"], {})


class Framings(unittest.TestCase):
    def test_against_an_echo(self):
        for framing in "line", "length", "netstring", "chunk":
            with self.subTest(framing):
                server = Server(self)
                result = bench(self, "-c4", "-n400", "-f", framing, "--verify=echo", server.address)
                self.assertEqual(result["errors"], {})
                self.assertEqual(result["achieved"]["messages"], 400)

    def test_against_answerd(self):
        for framing in "line", "length", "netstring", "chunk":
            with self.subTest(framing):
                daemon = Daemon(self, ["--listen=127.0.0.1:0", "--framing=" + framing,
                                       "--reply={message}"])
                address = "%s:%d" % daemon.address()[:2]
                result = bench(self, "-c4", "-n400", "-f", framing, "--verify=echo", address)
                self.assertEqual(result["errors"], {})
                self.assertEqual(result["achieved"]["messages"], 400)


class Latency(unittest.TestCase):
    """How a server that stalls changes the figures."""

    def stall(self, *options):
        """Stops the server for over a second during a run. Returns the result and the duration of the stop."""
        server = Server(self)
        running = Running(self, "--progress", "-c1", "-d5s", *options, server.address)
        running.wait_running()
        server.signal(signal.SIGSTOP)
        begin = time.monotonic()
        running.stderr.wait_for(r"connections  ", 3, timeout=60)
        stalled_us = (time.monotonic() - begin) * 1e6
        server.signal(signal.SIGCONT)
        return running.result(), stalled_us

    def test_open_loop_shows_a_stall(self):
        result, stalled_us = self.stall("-r500", "-p1000")
        self.assertGreater(stalled_us, 900e3)
        self.assertEqual(result["errors"], {})
        self.assertEqual(result["achieved"]["messages"], 2500)
        # All messages due meanwhile had to wait, the first for nearly all of the time.
        self.assertGreater(result["latency_us"]["p99.9"], 0.9 * stalled_us)
        self.assertGreater(result["latency_us"]["max"], 0.95 * stalled_us)
        self.assertGreater(result["latency_us"]["p90"], 0.2 * stalled_us)

    def test_so_it_does_with_one_in_flight(self):
        result, stalled_us = self.stall("-r200", "-p1")
        self.assertEqual(result["achieved"]["messages"], 1000)
        self.assertGreater(result["latency_us"]["p99.9"], 0.9 * stalled_us)

    def test_a_generator_that_stood_still(self):
        """Lateness of the generator itself is reported, even if connections have no room for all the messages."""
        server = Server(self)
        running = Running(self, "--progress", "-c2", "-d4s", "-r500", server.address, preexec=os.setsid)
        running.wait_running()
        os.killpg(running.pid, signal.SIGSTOP)
        time.sleep(0.5)  # the time is what the test is about
        os.killpg(running.pid, signal.SIGCONT)
        generator = running.result()["generator"]
        self.assertGreater(generator["late"], 200)
        self.assertGreater(generator["late_max_us"], 400e3)
        self.assertGreaterEqual(generator["behind_seconds"], 1)

    def test_closed_loop_cannot(self):
        result, stalled_us = self.stall()
        self.assertGreater(result["achieved"]["messages"], 1000)
        self.assertGreater(result["latency_us"]["max"], 0.9 * stalled_us)
        self.assertLess(result["latency_us"]["p99.9"], 0.5 * stalled_us)


    def test_as_many_in_flight_as_connections(self):
        """Little's law: the rate times the mean latency is the number in flight."""
        result = bench(self, "-c4", "-d1s", Server(self).address)
        in_flight = result["achieved"]["rate"] * result["latency_us"]["mean"] / 1e6
        self.assertLess(in_flight, 4.05)
        # The rest is the time in which a reply waits for this process.
        self.assertGreater(in_flight, 2)


if __name__ == "__main__":
    tap.main()
