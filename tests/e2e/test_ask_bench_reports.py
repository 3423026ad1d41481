# SPDX-License-Identifier: LGPL-2.1-or-later
"""The reports of ask-bench, and --check-tcp."""

import json
import os
import re
import tempfile
import unittest
from html.parser import HTMLParser

import tap
from benching import Server, bench, run

PERCENTILES = ["p50", "p90", "p95", "p99", "p99.9", "p99.99", "max"]


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
        # No external resources and no scripts.
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
        self.assertIn("no limit would stop this run", result.stdout)
        self.assertRegex(result.stdout, r"ok +local ports .*ip_local_port_range")

    def test_too_many_from_one_address(self):
        result = run("--check-tcp", "-c100000", "192.0.2.1:9")
        self.assertEqual(result.returncode, 3)
        self.assertRegex(result.stdout, r"STOP +local ports")
        self.assertRegex(result.stdout, r"to lift it: --source=ADDR-ADDR with \d+ addresses")


if __name__ == "__main__":
    tap.main()
