# SPDX-License-Identifier: LGPL-2.1-or-later
"""answerlog -f: each record once, in order, as the daemon writes it, from segment to segment."""

import re
import unittest

import logreading
import net
import tap
from daemon import Output
from load import Load
from logreading import Log, objects


class Follow(unittest.TestCase):
    def setUp(self):
        self.log = Log(self)

    def follow(self, *options):
        process = logreading.start("-f", "-o", "cat", *options, self.log.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.errors = Output(process.stderr)
        return process, Output(process.stdout)

    def test_across_segments(self):
        self.log.record([b"old %d" % i for i in range(15)])
        _, output = self.follow()
        output.wait_for("old 14")
        for part in range(5):
            self.log.record([b"new %d of %d" % (i, part) for i in range(400)])
            output.wait_for(f"new 399 of {part}")
        self.assertGreater(len(self.log.segments()), 3)
        self.assertEqual(output.lines, [f"old {i}" for i in range(5, 15)] +
                         [f"new {i} of {part}" for part in range(5) for i in range(400)])

    def test_from_the_end_and_from_the_beginning(self):
        self.log.record([b"old %d" % i for i in range(15)])
        _, none = self.follow("-n", "0")
        _, every = self.follow("--lines=all")
        _, since = self.follow("--since=-1h")
        every.wait_for("old 14")
        since.wait_for("old 14")
        # Nothing tells that the one without output has begun: so what it follows goes on until it has.
        count = 0

        def seen():
            nonlocal count
            count += 1
            self.log.record([b"new %d" % count])
            return none.lines

        net.wait_until(seen)
        none.wait_for(f"new {count}$")
        self.assertTrue(none.lines[0].startswith("new"))
        for output in every, since:
            output.wait_for(f"new {count}$")
            self.assertEqual(output.lines, [f"old {i}" for i in range(15)] + [f"new {i}" for i in range(1, count + 1)])

    def test_with_a_filter(self):
        _, output = self.follow("--lines=all", "-g", "odd$")
        for i in range(20):
            self.log.record([b"%d %s" % (i, b"odd" if i % 2 else b"even")])
        output.wait_for("19 odd")
        self.assertEqual(output.lines, [f"{i} odd" for i in range(1, 20, 2)])

    def test_under_load(self):
        process, output = self.follow("--lines=all")
        with Load(self.log.daemon.connect, clients=8, burst=16) as load:
            load.wait_answered(20000)
        self.assertEqual(load.failures, [])
        for message in load.answered[-8:]:
            output.wait_for("^" + re.escape(message.decode()) + "$")
        self.log.record([b"the last"])
        output.wait_for("the last")
        self.assertEqual(sorted(output.lines), sorted([m.decode() for m in load.answered] + ["the last"]))
        # As one that reads the same later.
        self.assertEqual(output.lines, [o["message"] for o in objects(self.log.folder)])
        self.assertEqual(process.errors.lines, [])

    def test_a_daemon_that_is_killed_and_starts_again(self):
        # It may begin when there are records already.
        _, output = self.follow("--lines=all")
        for part in range(4):
            self.log.record([b"%d of %d" % (i, part) for i in range(300)])
            if part % 2:
                self.log.daemon.stop()
            else:
                self.log.daemon.kill()
            self.log.start()
        self.log.record([b"the last"])
        output.wait_for("the last")
        self.assertEqual(output.lines, [f"{i} of {part}" for part in range(4) for i in range(300)] + ["the last"])

    def test_it_ends_with_its_output(self):
        self.log.record([b"one"])
        process = logreading.start("-f", self.log.folder)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.stdout.readline()
        process.stdout.close()
        # Without another record.
        self.assertEqual(process.wait(timeout=logreading.DEADLINE), 0)
        with process.stderr:
            self.assertEqual(process.stderr.read(), b"")

    def test_it_sleeps_while_nothing_comes(self):
        self.log.record([b"one"])
        process, output = self.follow()
        output.wait_for("one")
        net.wait_until(lambda: self.sleeps_for_ever(process.pid))
        self.log.record([b"two"])
        output.wait_for("two")
        net.wait_until(lambda: self.sleeps_for_ever(process.pid))

    @staticmethod
    def sleeps_for_ever(pid):
        """In poll(2) or ppoll(2), whose third argument is the timeout: -1, or none."""
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            call = file.read().split()
        return len(call) > 3 and int(call[2], 16) == 2 and int(call[3], 16) in (0, 2**32 - 1, 2**64 - 1)


if __name__ == "__main__":
    tap.main()
