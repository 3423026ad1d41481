# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask-bench against servers that are not ours: what it sends, counts, measures, and calls an error."""

import json
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import net
import tap
from daemon import Daemon, Output, program

HERE = os.path.dirname(os.path.abspath(__file__))
PERCENTILES = ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"]


class Server:
    """A running bench_server.py."""

    def __init__(self, test, mode="echo", address="127.0.0.1:0"):
        self._process = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "bench_server.py"), mode, address],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        test.addCleanup(self._clean_up)
        self.output = Output(self._process.stdout)
        self.address = self.output.wait_for(r"listening on (\S+)", timeout=30)[0].group(1)

    def signal(self, number):
        self._process.send_signal(number)

    def seen(self):
        """Ends it; what it saw."""
        self.signal(signal.SIGTERM)
        self._process.wait(timeout=30)
        return json.loads(self.output.wait_end()[-1])

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _clean_up(self):
        if self._process.poll() is None:
            self.kill()


class Running:
    """A running ask-bench that writes JSON to standard output."""

    def __init__(self, test, *options, preexec=None):
        self._process = subprocess.Popen([program("ask-bench"), "--json=-", *options],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                         stderr=subprocess.PIPE, preexec_fn=preexec)
        test.addCleanup(self._clean_up)
        self.stdout = Output(self._process.stdout)
        self.stderr = Output(self._process.stderr)

    @property
    def pid(self):
        return self._process.pid

    def signal(self, number):
        self._process.send_signal(number)

    def wait_running(self, count=1):
        """Waits for lines of progress with replies in them."""
        return self.stderr.wait_for(r"connections  [1-9].*p50", count, timeout=60)

    def result(self, status=0):
        got = self._process.wait(timeout=120)
        said = "\n".join(self.stderr.wait_end())
        assert got == status, f"exit status {got}, not {status}:\n{said}"
        return json.loads("\n".join(self.stdout.wait_end()))

    def _clean_up(self):
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def bench(test, *options, status=0, preexec=None):
    return Running(test, *options, preexec=preexec).result(status)


def run(*options):
    return subprocess.run([program("ask-bench"), *options], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)


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
        # Nothing is left to wait for when the time is over.
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
        # The hard limit less a reserve of 64.
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
            # Nobody accepts, and two fit in: connect() says EAGAIN to the others.
            with net.listener(os.path.join(directory, "s"), backlog=1) as listener:
                result = bench(self, "-c4", "-n4", "-t200ms", listener.getsockname(), status=3)
        self.assertEqual(result["achieved"]["connections"], 2)
        self.assertGreaterEqual(result["errors"]["timeout"], 2)


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
    """What a server that stands still for a while does to the figures."""

    def stall(self, *options):
        """Runs with the server stopped for over a second in between; the result, and how long."""
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
        # Every message that was due meanwhile had to wait, the first for nearly all of the time.
        self.assertGreater(result["latency_us"]["p99.9"], 0.9 * stalled_us)
        self.assertGreater(result["latency_us"]["max"], 0.95 * stalled_us)
        self.assertGreater(result["latency_us"]["p90"], 0.2 * stalled_us)

    def test_so_it_does_with_one_in_flight(self):
        result, stalled_us = self.stall("-r200", "-p1")
        self.assertEqual(result["achieved"]["messages"], 1000)
        self.assertGreater(result["latency_us"]["p99.9"], 0.9 * stalled_us)

    def test_closed_loop_cannot(self):
        result, stalled_us = self.stall()
        self.assertGreater(result["achieved"]["messages"], 1000)
        self.assertGreater(result["latency_us"]["max"], 0.9 * stalled_us)
        self.assertLess(result["latency_us"]["p99.9"], 0.5 * stalled_us)


class Errors(unittest.TestCase):
    def test_refused(self):
        with net.listener() as listener:
            address = "127.0.0.1:%d" % listener.getsockname()[1]
        result = bench(self, "-c3", "-n10", address, status=3)
        self.assertEqual(result["achieved"]["connections"], 0)
        self.assertGreaterEqual(result["errors"]["refused"], 3)
        self.assertEqual(result["latency_us"], {})

    def test_no_such_socket(self):
        result = run("-n1", "/nonexistent/socket")
        self.assertEqual(result.returncode, 3)
        self.assertIn("/nonexistent/socket: 0 of 50 connections made: refused", result.stderr)

    def test_silent(self):
        server = Server(self, "silent")
        result = bench(self, "-c3", "-n3", "-t200ms", server.address)
        self.assertEqual(result["errors"], {"timeout": 3, "unanswered": 3})
        self.assertEqual(result["achieved"]["messages"], 0)

    def test_silent_for_ever(self):
        # Every connection times out and is made anew, but the run has an end.
        server = Server(self, "silent")
        result = bench(self, "-c1", "-n1000", "-t100ms", server.address)
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
        self.assertEqual(result["errors"], {"mismatch": 100})
        self.assertEqual(result["achieved"]["messages"], 1000)

    def test_lies_are_fine_unless_asked_for(self):
        server = Server(self, "lie")
        result = bench(self, "-c5", "-n1000", server.address)
        self.assertEqual(result["errors"], {})

    def test_replies_out_of_order(self):
        server = Server(self, "swap")
        result = bench(self, "-c1", "-p2", "-n100", "--verify=echo", server.address)
        self.assertGreater(result["errors"]["mismatch"], 50)

    def test_replies_too_many(self):
        server = Server(self, "double")
        result = bench(self, "-c1", "-n100", "-f", "line", server.address)
        self.assertEqual(result["achieved"]["messages"], 100)
        self.assertGreater(result["errors"]["unexpected"], 0)

    def test_not_the_framing(self):
        server = Server(self, "garbage")
        result = bench(self, "-c1", "-n2", "-f", "netstring", server.address)
        self.assertEqual(result["errors"], {"protocol": 2, "unanswered": 2})

    def test_server_dies(self):
        server = Server(self)
        running = Running(self, "--progress", "-c10", "-n100000000", "-t200ms", server.address)
        running.wait_running()
        server.kill()
        result = running.result()
        self.assertGreater(result["errors"]["refused"], 0)
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
        result = running.result()
        self.assertTrue(result["achieved"]["interrupted"])
        self.assertEqual(result["errors"], {})
        self.assertEqual(server.seen()["messages"], result["achieved"]["messages"])

    def test_sigint_while_the_server_hangs(self):
        server = Server(self)
        running = Running(self, "--progress", "-c5", "-d1h", "-t1h", server.address)
        running.wait_running()
        server.signal(signal.SIGSTOP)
        running.signal(signal.SIGINT)
        result = running.result()
        self.assertLessEqual(result["errors"]["unanswered"], 5)
        self.assertGreater(result["achieved"]["messages"], 0)
        server.signal(signal.SIGCONT)

    def test_sigint_while_connecting(self):
        server = Server(self)
        running = Running(self, "--progress", "-c1000", "--ramp=20", server.address)
        running.stderr.wait_for(r"^connecting: [1-9]", timeout=60)
        running.signal(signal.SIGTERM)
        result = running.result()
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
        self.assertRegex(lines[0], r"^ask-bench: assertion 'p50<1us' failed: it is [\d.]+ .s$")
        self.assertEqual(lines[2], "ask-bench: assertion 'connections>=3' failed: it is 2")

    def test_no_reply_is_no_good_latency(self):
        server = Server(self, "silent")
        result = run("-c1", "-n1", "-t100ms", "--assert=p99<1s", server.address)
        self.assertEqual(result.returncode, 1)
        self.assertIn("unknown: no reply came", result.stderr)

    def test_usage(self):
        for options in (
                [], ["a:1", "b:2"], ["nonsense"], ["-c0", ":1"], ["-c1000001", ":1"], ["-p0", ":1"],
                ["-d0", ":1"], ["-dx", ":1"], ["-t", "infinity", ":1"], ["-f", "xml", ":1"],
                ["-f", "chunk", "-p2", ":1"], ["-f", "chunk", "-s0", ":1"], ["-s1", "-mx", ":1"],
                ["-m", "a\nb", ":1"], ["-s17M", ":1"], ["-r0", ":1"], ["--hold", "-r5", ":1"],
                ["-r5", "--hold", ":1"], ["--hold", "--churn", ":1"], ["--churn", "-p2", ":1"],
                ["--hold", "-p2", ":1"], ["-w51", ":1"], ["--assert=p98<1s", ":1"],
                ["--source=x", ":1"], ["--source=127.0.0.2", "@x"], ["--verify=all", ":1"],
                ["--churn", "--ramp=5", ":1"], ["--unknown", ":1"], ["-n-1", ":1"]):
            with self.subTest(options):
                result = run(*options)
                self.assertEqual(result.returncode, 2, result.stderr)
                self.assertEqual(result.stdout, "")
                self.assertRegex(result.stderr, r"\A[^\n]*ask-bench: [^\n]+\n\Z")

    def test_help_and_version(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        lines = result.stdout.splitlines()
        self.assertLessEqual(len(lines), 40)
        self.assertLessEqual(max(map(len, lines)), 80)
        self.assertRegex(run("-V").stdout, r"^answerd \d")


class Reports(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="ad", dir="/tmp")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.server = Server(self)

    def path(self, name):
        return os.path.join(self.directory, name)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def test_text(self):
        result = run("-c3", "-n300", self.server.address)
        self.assertRegex(result.stdout, r"connections +3 +3\n")
        self.assertRegex(result.stdout, r"messages +300 +300\n")
        self.assertRegex(result.stdout, r"\n +p99\.9 +[\d.]+ .s\n")
        self.assertRegex(result.stdout, r"\nerrors +none\n")
        self.assertEqual(result.stderr, "")

    def test_progress(self):
        result = run("-c3", "-d2500ms", "--progress", self.server.address)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"^ +\d s  3 connections  [\d,]+/s  p50 .+  p99 .+  0 errors")

    def test_json(self):
        result = bench(self, "-c3", "-d1200ms", "-r100", self.server.address)
        self.assertEqual(set(result), {"asked", "achieved", "latency_us", "connect_us", "errors",
                                       "generator", "over_time"})
        self.assertEqual(result["asked"]["connections"], 3)
        self.assertEqual(result["asked"]["rate"], 100)
        self.assertIsNone(result["asked"]["messages"])
        self.assertEqual(result["asked"]["duration"], 1.2)
        for key in "connections", "rate", "messages", "seconds", "bytes_sent", "bytes_received":
            self.assertGreater(result["achieved"][key], 0, key)
        self.assertAlmostEqual(result["achieved"]["rate"],
                               result["achieved"]["messages"] / result["achieved"]["seconds"], 3)
        times = result["latency_us"]
        self.assertEqual(set(times), {*PERCENTILES, "mean"})
        ordered = [times[key] for key in PERCENTILES]
        self.assertEqual(ordered, sorted(ordered))
        self.assertGreater(ordered[0], 0)
        self.assertIsInstance(result["generator"]["late"], int)
        self.assertEqual(len(result["over_time"]), 1)
        self.assertAlmostEqual(result["over_time"][0]["rate"], 100, delta=30)

    def test_json_to_a_file_leaves_the_text(self):
        result = run("-c3", "-n30", "--json=" + self.path("json"), self.server.address)
        self.assertIn("latency", result.stdout)
        self.assertEqual(json.loads(self.read("json"))["achieved"]["messages"], 30)

    def test_cannot_be_written(self):
        result = run("-n30", "--json=/nonexistent/file", self.server.address)
        self.assertEqual(result.returncode, 3)
        self.assertEqual(result.stderr, "ask-bench: /nonexistent/file: No such file or directory\n")
        self.assertEqual(self.server.seen()["connections"], 0)
        if os.path.exists("/dev/full"):
            self.assertEqual(run("-n30", "--histogram=/dev/full", Server(self).address).returncode, 3)

    def test_histogram(self):
        result = bench(self, "-c3", "-n3000", "--histogram=" + self.path("h"), self.server.address)
        lines = self.read("h").splitlines()
        self.assertEqual(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"])
        self.assertEqual(lines[1], "")
        rows = [[float(x) for x in line.split()] for line in lines[2:] if not line.startswith("#")]
        self.assertEqual({len(row) for row in rows[:-1]}, {4})
        for column in 0, 1, 2:
            values = [row[column] for row in rows]
            self.assertEqual(values, sorted(values))
        self.assertEqual(rows[-1][1:], [1.0, 3000.0])
        times = result["latency_us"]
        self.assertAlmostEqual(rows[-1][0], times["max"] / 1000, 3)
        median = next(row[0] for row in rows if row[1] >= 0.5)
        self.assertAlmostEqual(median, times["p50"] / 1000, 3)
        footer = re.fullmatch(
            r"#\[Mean    = +([\d.]+), StdDeviation   = +[\d.]+\]\n"
            r"#\[Max     = +([\d.]+), Total count    = +3000\]\n"
            r"#\[Buckets = +32, SubBuckets     = +2048\]", "\n".join(lines[-3:]))
        self.assertIsNotNone(footer)
        self.assertAlmostEqual(float(footer.group(1)), times["mean"] / 1000, 3)

    def test_html(self):
        run("-c3", "-d1500ms", "-r200", "--report=" + self.path("r.html"), self.server.address)
        page = self.read("r.html")
        # Nothing from elsewhere, and nothing that runs.
        for word in "http:", "https:", "src=", "href=", "url(", "@import", "<script", "javascript":
            self.assertNotIn(word, page)
        self.assertIn(self.server.address, page)
        self.assertEqual(page.count("<svg"), 3)
        self.assertIn("prefers-color-scheme:dark", page)
        self.assertIn('name="viewport"', page)
        self.assertRegex(page, r"connections</td><td>3</td><td>3</td>")
        self.assertRegex(page, r"messages a second</td><td>200</td><td>[12]\d\d</td>")
        self.check_nesting(page)

    def check_nesting(self, page):
        from html.parser import HTMLParser

        void = {"meta", "line", "path", "rect"}
        stack, test = [], self

        class Nesting(HTMLParser):
            def handle_starttag(self, tag, attrs):
                if tag not in void or tag == "rect":
                    stack.append(tag)

            def handle_startendtag(self, tag, attrs):
                test.assertIn(tag, void)

            def handle_endtag(self, tag):
                test.assertEqual(stack.pop(), tag)

        Nesting().feed(page)
        self.assertEqual(stack, [])

    def test_html_escapes(self):
        run("-c1", "-n1", "-t100ms", "--report=" + self.path("r.html"), "@<b>&")
        page = self.read("r.html")
        self.assertIn("@&lt;b&gt;&amp;", page)
        self.assertNotIn("<b>", page)


class CheckTcp(unittest.TestCase):
    def test_a_small_run_is_fine(self):
        result = run("--check-tcp", "-c2", "127.0.0.1:9")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertIn("nothing here would stop this run", result.stdout)
        self.assertRegex(result.stdout, r"ok +local ports .*ip_local_port_range")

    def test_too_many_from_one_address(self):
        result = run("--check-tcp", "-c100000", "192.0.2.1:9")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stdout, r"STOP +local ports")
        self.assertRegex(result.stdout, r"lift it: --source=ADDR-ADDR with \d+ addresses")


if __name__ == "__main__":
    tap.main()
