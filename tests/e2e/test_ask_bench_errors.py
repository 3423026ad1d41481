# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask-bench: its errors, its end, and its command line."""

import os
import signal
import socket
import subprocess
import unittest

import net
import tap
from benching import Running, Server, bench, run
from daemon import Daemon, program


class Errors(unittest.TestCase):
    def test_nobody_listens(self):
        with net.listener() as listener:
            address = "127.0.0.1:%d" % listener.getsockname()[1]
        result = bench(self, "-c3", "-n10", address, status=3)
        self.assertEqual(result["achieved"]["connections"], 0)
        self.assertGreaterEqual(result["errors"]["absent"], 3)
        self.assertEqual(result["latency_us"], {})

    def test_no_such_socket(self):
        result = run("-n1", "/nonexistent/socket")
        self.assertEqual(result.returncode, 3)
        self.assertIn("/nonexistent/socket: 0 of 50 connections made: nobody listens", result.stderr)

    def test_silent(self):
        server = Server(self, "silent")
        result = bench(self, "-c3", "-n3", "-t200ms", server.address, status=1)
        self.assertEqual(result["errors"], {"timeout": 3, "unanswered": 3})
        self.assertEqual(result["achieved"]["messages"], 0)

    def test_a_slow_rate_is_no_silence(self):
        server = Server(self)
        result = bench(self, "-c1", "-n3", "-r4", "-t50ms", server.address)
        self.assertEqual(result["errors"], {})
        self.assertEqual(result["achieved"]["messages"], 3)

    def test_silent_for_ever(self):
        # Every connection times out and is made again, but the run ends.
        server = Server(self, "silent")
        result = bench(self, "-c1", "-n1000", "-t100ms", server.address, status=1)
        self.assertEqual(result["errors"]["unanswered"], 1000)

    def test_closed(self):
        server = Server(self, "close")
        result = bench(self, "-c1", "-n100", server.address)
        self.assertEqual(result["errors"], {"closed": 10, "unanswered": 10})
        self.assertEqual(result["achieved"]["messages"], 90)
        self.assertEqual(result["achieved"]["connects"], 10)

    def test_reset(self):
        server = Server(self, "reset")
        result = bench(self, "-c1", "-n100", server.address)
        self.assertEqual(result["errors"], {"reset": 10, "unanswered": 10})

    def test_lies(self):
        server = Server(self, "lie")
        result = bench(self, "-c5", "-n1000", "--verify=echo", server.address)
        self.assertEqual(result["errors"], {"mismatched": 100})
        self.assertEqual(result["achieved"]["messages"], 1000)

    def test_lies_are_fine_unless_asked_for(self):
        server = Server(self, "lie")
        result = bench(self, "-c5", "-n1000", server.address)
        self.assertEqual(result["errors"], {})

    def test_replies_out_of_order(self):
        server = Server(self, "swap")
        result = bench(self, "-c1", "-p2", "-n100", "--verify=echo", server.address)
        self.assertGreater(result["errors"]["mismatched"], 50)

    def test_replies_too_many(self):
        server = Server(self, "double")
        result = bench(self, "-c1", "-n100", "-f", "line", server.address)
        self.assertEqual(result["achieved"]["messages"], 100)
        self.assertGreater(result["errors"]["unexpected"], 0)

    def test_not_the_framing(self):
        server = Server(self, "garbage")
        result = bench(self, "-c1", "-n2", "-f", "netstring", server.address, status=1)
        self.assertEqual(result["errors"], {"protocol": 2, "unanswered": 2})

    def test_a_reply_that_is_cut_off(self):
        for mode in [], ["--churn"]:
            result = bench(self, "-c1", "-n2", *mode, Server(self, "cut").address, status=1)
            self.assertEqual(result["errors"], {"protocol": 2, "unanswered": 2})

    def test_a_flood_of_replies(self):
        """The flood must not keep the generator from looking at the clock."""
        result = bench(self, "-c1", "-d1s", "-t200ms", Server(self, "flood").address)
        self.assertEqual(set(result["errors"]), {"unexpected"})
        self.assertLess(result["achieved"]["seconds"], 1.2 + net.LATE)

    def test_a_message_that_takes_long_to_send(self):
        """Sending bytes is progress. The timeout is for a connection without any."""
        result = bench(self, "-c1", "-d3s", "-s16M", "-t1s", Server(self, "slow").address,
                       status=(0, 1))  # 1 if no reply came in time
        self.assertNotIn("timeout", result["errors"])
        self.assertGreater(result["achieved"]["bytes_sent"], 4 << 20)

    def test_connections_that_are_never_made(self):
        """The run does not wait for all attempts that time out one after the other."""
        with net.listener(backlog=0) as listener:
            filler = []
            for _ in range(4):  # fills the queue: the kernel answers no more
                sock = socket.socket()
                self.addCleanup(sock.close)
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
                filler.append(sock)
            address = "127.0.0.1:%d" % listener.getsockname()[1]
            result = bench(self, "-c300", "-n300", "-t300ms", address, status=3)
        self.assertEqual(result["achieved"]["connections"], 0)
        self.assertGreaterEqual(result["errors"]["timeout"], 300)

    def test_seconds_without_a_reply(self):
        result = bench(self, "-c1", "-d2s", "-t10s", Server(self, "silent").address, "--timeout=100ms",
                       status=1)
        self.assertEqual({(s["p50_us"], s["p99_us"], s["max_us"]) for s in result["over_time"]}, {(None,) * 3})

    def check_refused(self, result, total):
        """Nothing was answered. Messages sent before the end of a connection was seen are unanswered."""
        self.assertEqual((result["achieved"]["messages"], result["latency_us"]), (0, {}))
        self.assertGreater(result["errors"].get("refused", 0), 0)
        self.assertLessEqual(set(result["errors"]), {"refused", "unanswered"})
        self.assertEqual(sum(result["errors"].values()), total)

    def test_refusals(self):
        """Refusals are not replies, in any mode."""
        server = Server(self, "refuse")
        for options in (["-c5", "-n20"], ["-c5", "-n20", "--churn"], ["-c5", "-n20", "-r1000"], ["-c20", "--hold", "-d0.1s"]):
            with self.subTest(options):
                result = bench(self, *options, server.address, status=1)
                self.check_refused(result, 20)

    def test_a_refusal_with_more_in_flight(self):
        result = bench(self, "-c1", "-n8", "-p4", Server(self, "refuse").address, status=1)
        self.check_refused(result, 8)

    def test_a_message_that_answerd_refuses(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--record=none"])
        result = bench(self, "-c5", "-n10", "-s100K", "127.0.0.1:%d" % daemon.address()[1], status=1)
        self.check_refused(result, 10)

    def test_replies_that_read_like_refusals(self):
        server = Server(self, "error")
        for options in (["-c5", "-n100"], ["-c2", "-n4", "--churn"]):
            with self.subTest(options):
                result = bench(self, *options, server.address)
                self.assertEqual(result["errors"], {})
                self.assertEqual(result["achieved"]["messages"], result["asked"]["messages"])

    def test_replies_that_read_like_refusals_do_not_slow_a_run(self):
        """With --churn each connection has a second to end. Nothing waits for that second but the run's end."""
        server = Server(self, "error")
        result = bench(self, "-c1", "-n1000", "--churn", server.address)
        self.assertEqual((result["errors"], result["achieved"]["messages"]), ({}, 1000))
        self.assertLess(result["achieved"]["seconds"], 100)

    def test_many_refusals(self):
        result = bench(self, "-c20", "-n1000", "--churn", Server(self, "refuse").address, status=1)
        self.check_refused(result, 1000)

    def test_expect(self):
        result = bench(self, "-c2", "-n100", "-mok", "--expect=^o.$", Server(self).address)
        self.assertEqual((result["errors"], result["asked"]["expect"]), ({}, "^o.$"))
        result = bench(self, "-c1", "-n100", "-mab", "--expect=^ab$", Server(self, "lie").address)
        self.assertEqual(result["errors"], {"mismatched": 10})
        result = bench(self, "-c5", "-n100", "--expect=^ok", Server(self, "error").address)
        self.assertEqual(result["errors"], {"mismatched": 100})
        result = bench(self, "-c5", "-n10", "--expect=^ok", Server(self, "refuse").address, status=1)
        self.check_refused(result, 10)

    def test_no_reply_at_all_is_said(self):
        result = run("-c1", "-n1", "-t100ms", Server(self, "silent").address)
        self.assertEqual(result.returncode, 1)
        self.assertIn(": no message was answered\n", result.stderr)

    def test_server_dies(self):
        server = Server(self)
        running = Running(self, "--progress", "-c10", "-n100000000", "-t200ms", server.address)
        running.wait_running()
        server.kill()
        result = running.result()
        self.assertGreater(result["errors"]["absent"], 0)
        total = result["achieved"]["messages"] + result["errors"]["unanswered"]
        self.assertEqual(total, 100000000)

    def test_a_worker_dies(self):
        server = Server(self)
        running = Running(self, "--progress", "-c10", "-w2", "-d3s", server.address)
        running.wait_running()
        path = f"/proc/{running.pid}/task/{running.pid}/children"
        with open(path, encoding="ascii") as children:
            os.kill(int(children.read().split()[0]), signal.SIGKILL)
        result = running.result(3)
        self.assertEqual(result["errors"]["worker"], 1)
        self.assertGreater(result["achieved"]["messages"], 0)


class Ending(unittest.TestCase):
    def test_sigint(self):
        server = Server(self)
        running = Running(self, "--progress", "-c5", "-d1h", "-w2", server.address)
        running.wait_running()
        running.signal(signal.SIGINT)
        result = running.result(130)
        self.assertTrue(result["achieved"]["interrupted"])
        self.assertEqual(result["errors"], {})
        self.assertEqual(server.seen()["messages"], result["achieved"]["messages"])

    def test_sigint_while_the_server_hangs(self):
        server = Server(self)
        running = Running(self, "--progress", "-c5", "-d1h", "-t1h", server.address)
        running.wait_running()
        server.signal(signal.SIGSTOP)
        running.signal(signal.SIGINT)
        result = running.result(130)
        self.assertLessEqual(result["errors"]["unanswered"], 5)
        self.assertGreater(result["achieved"]["messages"], 0)
        server.signal(signal.SIGCONT)

    def test_a_second_sigint(self):
        """It stops waiting, and counts no error."""
        server = Server(self, "silent")
        running = Running(self, "--progress", "-c5", "-d1h", "-t1h", server.address)
        running.stderr.wait_for(r"5 connections", timeout=60)
        running.signal(signal.SIGINT)
        # Two pending signals would be one (signal(7)).
        net.wait_until(lambda: not running.pending(signal.SIGINT), what="the first to be taken")
        running.signal(signal.SIGINT)
        result = running.result(130)
        self.assertEqual(result["errors"], {"unanswered": 5})
        self.assertTrue(result["achieved"]["interrupted"])

    def test_sigint_while_connecting(self):
        server = Server(self)
        running = Running(self, "--progress", "-c1000", "--ramp=20", server.address)
        running.stderr.wait_for(r"^connecting: [1-9]", timeout=60)
        running.signal(signal.SIGTERM)
        result = running.result(143)
        self.assertTrue(result["achieved"]["interrupted"])
        self.assertLess(result["achieved"]["connections"], 1000)

    def test_assertions(self):
        server = Server(self)

        def status(*expressions):
            options = ["--assert=" + e for e in expressions]
            result = run("-c2", "-n200", *options, server.address)
            return result.returncode, result.stderr

        self.assertEqual(status("errors==0", "p99<1min", "connections==2", "rate>1", "mean>1us"), (0, ""))
        code, said = status("errors==0", "p50<1us", "max > 1min", "connections>=3")
        self.assertEqual(code, 1)
        lines = said.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertRegex(lines[0], r"^ask-bench: assertion 'p50<1us' failed: actual value [\d.]+ .s$")
        self.assertEqual(lines[2], "ask-bench: assertion 'connections>=3' failed: actual value 2")

    def test_no_reply_is_no_good_latency(self):
        server = Server(self, "silent")
        result = run("-c1", "-n1", "-t100ms", "--assert=p99<1s", server.address)
        self.assertEqual(result.returncode, 1)
        self.assertIn("unknown, no reply came", result.stderr)

    def test_usage(self):
        for options in (
                [], ["a:1", "b:2"], ["nonsense"], ["-c0", ":1"], ["-c1000001", ":1"], ["-p0", ":1"],
                ["-d0", ":1"], ["-dx", ":1"], ["-t", "infinity", ":1"], ["-f", "xml", ":1"],
                ["-f", "chunk", "-p2", ":1"], ["-f", "chunk", "-s0", ":1"], ["-s1", "-mx", ":1"],
                ["-m", "a\nb", ":1"], ["-s17M", ":1"], ["-r0", ":1"], ["--hold", "-r5", ":1"],
                ["-r5", "--hold", ":1"], ["--hold", "--churn", ":1"], ["--churn", "-p2", ":1"],
                ["--hold", "-p2", ":1"], ["-w51", ":1"], ["--assert=p98<1s", ":1"],
                ["--source=x", ":1"], ["--source=127.0.0.2", "@x"], ["--verify=all", ":1"],
                ["--churn", "--ramp=5", ":1"], ["--unknown", ":1"], ["-n-1", ":1"], ["*:1"], ["--expect=a(", ":1"], ["http://h:1/"]):
            with self.subTest(options):
                result = run(*options)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(result.stdout, "")
                self.assertRegex(result.stderr, r"\Aask-bench: [^\n]+\n\Z")

    def test_help_and_version(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertLessEqual(len(lines), 40)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertRegex(run("-V").stdout, r"\Aask-bench [0-9.]+( \(git [0-9a-f]+\))?\nFeatures: [+-]jansson [+-]openssl\n"
                                           r"Built with: (no )?jansson.*\nLicence: LGPL-2\.1-or-later\n\Z")

    def test_an_unknown_option_is_named_with_the_nearest(self):
        result = run("--conections=5", ":1")
        self.assertEqual((result.returncode, result.stderr),
                         (2, "ask-bench: unknown option '--conections'; did you mean '--connections'? Try --help.\n"))

    def test_help_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program("ask-bench"), "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (3, b"ask-bench: standard output: No space left on device\n"))


if __name__ == "__main__":
    tap.main()
