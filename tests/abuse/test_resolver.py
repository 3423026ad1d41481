# SPDX-License-Identifier: LGPL-2.1-or-later
"""A reload with a name that DNS does not answer yet: everything else goes on."""

import os
import shutil
import signal
import tempfile
import unittest

import net
import tap
from daemon import Daemon
from witness import preload

SLOW = "[Listener slow]\nListen=slow.test:0\n"


class Resolver(unittest.TestCase):
    def setUp(self):
        self.library = preload(self, "slow-resolver.so")
        self.folder = tempfile.mkdtemp(prefix="as", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.answer = os.path.join(self.folder, "answer")
        # If a test fails, nothing must wait without end.
        self.addCleanup(self.resolve)
        self.path = os.path.join(self.folder, "s")

    def config(self, reply, rest=""):
        return f"[Listener default]\nListen={self.path}\nRecord=none\nReply={reply}\n{rest}"

    def start(self, config, **rest):
        return Daemon(self, ["--record=none"], config=config, notify=True, listeners=0,
                      wrapper=["env", "LD_PRELOAD=" + self.library, "SLOW_RESOLVER=" + self.answer],
                      env={"WATCHDOG_USEC": "400000"}, **rest)

    def asked(self):
        net.wait_until(lambda: os.path.exists(self.answer + ".asked"), what="the name to be looked up")

    def resolve(self):
        with open(self.answer, "wb"):
            pass

    def reload(self, daemon, config):
        """Returns the number of notifications before."""
        count = len(daemon.notify.all())
        daemon.write_config(config)
        daemon.signal(signal.SIGHUP)
        return count

    def expect_life(self, daemon, reply):
        """The daemon feeds the watchdog and answers messages, with the configuration in force."""
        for _ in range(3):
            daemon.notify.wait_for("WATCHDOG", "1", after=len(daemon.notify.messages))
            self.assertEqual(net.exchange(self.path, b"x\n"), reply)

    def expect_two(self, daemon, before):
        """Two reloads, one after the other. The second one counts."""

        def said():
            return [key for m in daemon.notify.all()[before:] for key in m if key in ("RELOADING", "READY")]

        net.wait_until(lambda: said().count("READY") >= 2, what="both reloads")
        self.assertEqual(net.exchange(self.path, b"x\n"), b"newer\n")
        daemon.stop()
        self.assertEqual(said(), ["RELOADING", "READY"] * 2)

    def test_a_start_that_waits_can_be_ended(self):
        daemon = self.start(self.config("new", SLOW), ready=False)
        self.asked()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.wait(), -signal.SIGTERM)

    def test_all_goes_on_while_a_reload_waits(self):
        daemon = self.start(self.config("old"))
        before = self.reload(daemon, self.config("new", SLOW))
        self.asked()
        self.expect_life(daemon, b"old\n")
        self.assertFalse([m for m in daemon.notify.all()[before:] if "READY" in m])
        self.resolve()
        daemon.notify.wait_for("READY", "1", after=before)
        self.expect_life(daemon, b"new\n")
        daemon.stop()

    def test_a_reload_that_is_asked_for_meanwhile_comes_after_it(self):
        daemon = self.start(self.config("old"))
        before = self.reload(daemon, self.config("new", SLOW))
        self.asked()
        self.reload(daemon, self.config("newer"))
        self.expect_life(daemon, b"old\n")
        self.resolve()
        self.expect_two(daemon, before)

    def test_what_is_asked_for_while_one_waits_is_one(self):
        daemon = self.start(self.config("old"))
        before = self.reload(daemon, self.config("new", SLOW))
        self.asked()
        daemon.write_config(self.config("newer"))
        for _ in range(100):
            daemon.signal(signal.SIGHUP)
            self.assertEqual(net.exchange(self.path, b"x\n"), b"old\n")
        self.resolve()
        self.expect_two(daemon, before)

    def test_it_does_not_hold_up_a_stop(self):
        daemon = self.start(self.config("old"))
        before = self.reload(daemon, self.config("new", SLOW))
        self.asked()
        daemon.stop()
        self.assertFalse([m for m in daemon.notify.all()[before:] if "READY" in m])
        self.assertFalse(os.path.exists(self.answer), "nobody was answered")

    def test_a_start_waits(self):
        daemon = self.start(self.config("ok", SLOW), ready=False)
        self.asked()
        self.assertFalse([m for m in daemon.notify.all() if "READY" in m])
        self.resolve()
        daemon.wait_ready(0)
        self.expect_life(daemon, b"ok\n")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
