# SPDX-License-Identifier: LGPL-2.1-or-later
"""answerd and systemd: passed sockets, their names, readiness, status, watchdog."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import journald
import net
import tap
from daemon import ACTIVATE, Daemon, program

CONFIG = "".join(f"[Listener {n}]\nReply={n}\nRecord=none\n" for n in ("default", "meters", "tills"))
PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SEIZE = 0x4207, 17, 0x4206


class Passed(unittest.TestCase):
    def listener(self, *address):
        sock = net.listener(*address)
        self.addCleanup(sock.close)
        return sock

    def check(self, sock, reply):
        self.assertEqual(net.exchange(sock.getsockname()[:2], b"x\n"), reply + b"\n")

    def test_names_choose_sections(self):
        sockets = [(self.listener(), "tills"), (self.listener(("::1", 0)), "meters"), (self.listener(), "tills")]
        daemon = Daemon.activate(self, sockets, config=CONFIG)
        for sock, name in sockets:
            self.check(sock, name.encode())
        daemon.stop()

    def test_the_unnamed_are_default(self):
        for name in None, "unknown", "answerd.socket", "":
            sock = self.listener()
            daemon = Daemon.activate(self, [(sock, name)], config=CONFIG,
                                     env={"LISTEN_FDNAMES": name} if name == "" else {})
            self.check(sock, b"default")
            daemon.stop()

    def test_passed_sockets_win_over_listen(self):
        sock = self.listener()
        with net.listener() as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            daemon = Daemon.activate(self, [(sock, None)], ["--listen=" + address], config=CONFIG)
            self.check(sock, b"default")
            daemon.stop()

    def test_listen_of_other_sections_still_counts(self):
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        sock = self.listener()
        config = CONFIG + f"[Listener tills]\nListen=/nonexistent/s\n[Listener meters]\nListen={folder}/m\n"
        daemon = Daemon.activate(self, [(sock, "tills")], config=config)
        self.check(sock, b"tills")
        self.assertEqual(net.exchange(folder + "/m", b"x\n"), b"meters\n")
        daemon.stop()

    def test_unix_sockets(self):
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        abstract = "@answerd-activation-%d" % os.getpid()
        daemon = Daemon.activate(self, [(self.listener(folder + "/s"), "tills"), (self.listener(abstract), "meters")],
                                 config=CONFIG)
        self.assertEqual(net.exchange(folder + "/s", b"x\n"), b"tills\n")
        self.assertEqual(net.exchange(abstract, b"x\n"), b"meters\n")
        daemon.stop()
        self.assertEqual(os.listdir(folder), ["s"], "the file is systemd's")

    def test_the_socket_outlives_the_daemon(self):
        """Clients that connect while no daemon runs are served by the next one, even if the backlog overflows."""
        sock = self.listener(("127.0.0.1", 0), 3)
        clients = []
        for _ in range(4):  # a backlog of 3 holds one more
            client = net.connect(sock.getsockname())
            client.sendall(b"x\n")
            clients.append(client)
        for _ in range(2):
            daemon = Daemon.activate(self, [(sock, None)], config=CONFIG)
            for client in clients:
                self.assertEqual(net.recv_line(client), b"default\n")
                client.close()
            daemon.stop()
            clients = [net.connect(sock.getsockname())]
            clients[0].sendall(b"x\n")
        clients[0].close()

    def test_blocking_sockets_do_not_block(self):
        sock = self.listener()
        self.assertTrue(sock.getblocking())
        daemon = Daemon.activate(self, [(sock, None)], ["--workers=2"], config=CONFIG)
        for _ in range(20):
            self.check(sock, b"default")
        daemon.stop()

    def test_reload_keeps_them(self):
        sock = self.listener()
        daemon = Daemon.activate(self, [(sock, "tills")], config=CONFIG)
        count = len(daemon.notify.messages)
        daemon.write_config(CONFIG.replace("Reply=tills", "Reply=new"))
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("READY", "1", after=count)
        self.check(sock, b"new")
        count = len(daemon.notify.messages)
        daemon.write_config("[Listener other]\n")
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("READY", "1", after=count)
        self.check(sock, b"new")
        daemon.stop()


class Refused(unittest.TestCase):
    WHAT = "is not a listening stream socket; use ListenStream= and Accept=no"

    def refuse(self, sock, name, status, said, config=CONFIG):
        self.addCleanup(sock.close)
        daemon = Daemon(self, [], config=config, sockets=[(sock, name)], ready=False)
        daemon.expect_exit(status)
        self.assertEqual(daemon.stderr.lines, ["answerd: " + said])

    def test_other_kinds_of_descriptors(self):
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        pair, other = socket.socketpair()
        self.addCleanup(other.close)
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        packets = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        packets.bind("\0answerd-seqpacket-%d" % os.getpid())
        packets.listen()
        for sock in bound, pair, datagram, packets, open("/dev/null", "rb"):
            self.refuse(sock, "tills", 71, f"descriptor 3 (tills), passed by systemd, {self.WHAT}")

    def test_an_unknown_name(self):
        sock = net.listener()
        self.refuse(sock, "cameras", 78, "the configuration has no section [Listener cameras], but systemd passed "
                                         "the socket 127.0.0.1:%d with that name" % sock.getsockname()[1])

    def test_a_name_that_is_too_long(self):
        self.refuse(net.listener(), "n" * 256, 71, "the name of descriptor 3, passed by systemd, has more than 255 bytes; "
                                                   "set a shorter FileDescriptorName=")
        sock = net.listener()
        self.refuse(sock, "n" * 255, 78, f"the configuration has no section [Listener {'n' * 255}], but systemd passed "
                                         "the socket 127.0.0.1:%d with that name" % sock.getsockname()[1])

    def test_one_bad_among_good(self):
        sockets = [(net.listener(), "tills"), (socket.socket(socket.AF_INET, socket.SOCK_DGRAM), "meters")]
        for sock, _ in sockets:
            self.addCleanup(sock.close)
        daemon = Daemon(self, [], config=CONFIG, sockets=sockets, ready=False)
        daemon.expect_exit(71)
        self.assertEqual(daemon.stderr.lines, [f"answerd: descriptor 4 (meters), passed by systemd, {self.WHAT}"])

    def test_sockets_meant_for_another_process_are_not_taken(self):
        """LISTEN_PID names another process: as if no sockets were passed (sd_listen_fds(3))."""
        sock = net.listener()
        self.addCleanup(sock.close)
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], env={"LISTEN_FDS": "1", "LISTEN_PID": "1"})
        self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"ok\n")
        daemon.stop()


class InVain(unittest.TestCase):
    """Listen= in a section that has sockets from systemd."""

    def test_each_is_warned_of_at_start_and_reload(self):
        journal = journald.Journal(self)
        sock = net.listener()
        self.addCleanup(sock.close)
        config = "[Listener tills]\nListen={}\nListen=/nonexistent/s\n[Listener meters]\n"
        daemon = Daemon.activate(self, [(sock, "tills")], config=config.format("*:90"), journal=journal)
        count = len(daemon.notify.messages)
        daemon.write_config(config.format("gate.example:http"))
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("READY", "1", after=count)
        daemon.stop()
        journal.sync()
        self.assertEqual(
            [e.text("MESSAGE") for e in journal.entries() if "has no effect" in e.text("MESSAGE")],
            [f'{daemon.config_path}:{line}: Listen={listen} has no effect: systemd passes the sockets of [Listener tills]. '
             'Run "systemctl edit UNIT", write "[Socket]", "ListenStream=" '
             f'and "ListenStream={stream}" on separate lines, then run "systemctl restart UNIT". '
             'UNIT is the socket unit with FileDescriptorName=tills'
             for line, listen, stream in [(2, "*:90", "90"), (3, "/nonexistent/s", "/nonexistent/s"),
                                          (2, "gate.example:http", "ADDRESS:PORT"),
                                          (3, "/nonexistent/s", "/nonexistent/s")]])


class Repeated(unittest.TestCase):
    """A start that fails like the last one waits, if it has a folder to remember the reason."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.sock = net.listener()
        self.addCleanup(self.sock.close)

    def start(self, config, options=(), **rest):
        return Daemon(self, options, config=config, sockets=[(self.sock, "tills")], notify=True, ready=False,
                      env={"RUNTIME_DIRECTORY": self.folder + ":/nonexistent"}, **rest)

    def test_until_the_reason_is_gone(self):
        said = self.start("[Sever]\n[Severe]\n").expect_exit(78)
        self.assertEqual(len(said.splitlines()), 2)
        daemon = self.start("[Sever]\n[Severe]\n")
        # Another file is another reason: the text differs.
        self.assertIn("[Sever]", daemon.expect_exit(78))

    def test_mended_changed_and_told_to_end(self):
        first = self.start("[Sever]\n", ["--config=" + self.folder + "/a.conf"])
        first.expect_exit(78)
        path = self.folder + "/a.conf"

        def write(text):
            with open(path, "w", encoding="ascii") as file:
                file.write(text)

        def waits():
            daemon = self.start("", ["--config=" + path])
            self.assertIn(why, daemon.notify.wait_for("STATUS")["STATUS"])
            self.assertTrue(daemon.running())
            return daemon

        why = "No such file or directory"
        daemon = waits()
        write("[Sever]\n")
        self.assertEqual(daemon.expect_exit(78),
                         f"answerd: {path}:1: unknown section [Sever]; did you mean [Server]?")
        why = "[Sever]"
        daemon = waits()
        daemon.signal(signal.SIGTERM)
        self.assertEqual(daemon.expect_exit(0), "")
        # The next start by hand reports the reason again.
        self.start("", ["--config=" + path]).expect_exit(78)
        daemon = waits()
        write("[Listener tills]\nReply=mended\nRecord=none\n")
        daemon.notify.wait_for("READY", "1")
        self.assertEqual(net.exchange(self.sock.getsockname(), b"x\n"), b"mended\n")
        daemon.stop()
        self.assertEqual(os.listdir(self.folder), ["a.conf"])

    def test_a_log_that_cannot_be_opened(self):
        config = f"[Log]\nDirectory={self.folder}/later/log\n[Listener tills]\nRecord=log\n"
        path = self.folder + "/a.conf"
        with open(path, "w", encoding="ascii") as file:
            file.write(config)
        why = f"the log {self.folder}/later/log: No such file or directory"
        self.assertEqual(self.start("", ["--config=" + path, "--record=log"]).expect_exit(71), "answerd: " + why)
        daemon = self.start("", ["--config=" + path, "--record=log"])
        self.assertIn(why, daemon.notify.wait_for("STATUS")["STATUS"])
        os.mkdir(self.folder + "/later")
        daemon.notify.wait_for("READY", "1")
        self.assertEqual(net.exchange(self.sock.getsockname(), b"x\n"), b"ok\n")
        daemon.stop()

    def test_a_wrong_command_line(self):
        self.start("", ["--nonsense"]).expect_exit(64)
        daemon = self.start("", ["--nonsense"])
        daemon.notify.wait_for("STATUS")
        daemon.signal(signal.SIGINT)
        daemon.expect_exit(0)


class RealActivation(unittest.TestCase):
    def test_systemd_socket_activate(self):
        tool = shutil.which("systemd-socket-activate")
        if not tool:
            self.skipTest("systemd-socket-activate is needed")
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, "answerd.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(CONFIG)
        listens = [os.path.join(folder, "a"), os.path.join(folder, "b")]
        process = subprocess.Popen(
            [sys.executable, "-SE", ACTIVATE, "", tool, "--listen=" + listens[0], "--listen=" + listens[1],
             "--fdname=tills:meters", program(), "--config=" + path],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stderr.close)
        net.wait_until(lambda: len(os.listdir(folder)) == 3, what="the sockets to be bound")
        # The first connection starts the daemon and is answered.
        self.assertEqual(net.exchange(listens[0], b"x\n"), b"tills\n")
        self.assertEqual(net.exchange(listens[1], b"x\n"), b"meters\n")
        process.terminate()
        self.assertEqual(process.wait(timeout=net.TIMEOUT), 0)


class Notifications(unittest.TestCase):
    def test_the_whole_life(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], notify=True, listeners=0)
        notify = daemon.notify
        self.assertEqual(notify.wait_for("READY"), {"READY": "1", "STATUS": "0 connections, 0 messages/s, 0 messages in all"})
        count = len(notify.messages)
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        daemon.signal(signal.SIGHUP)
        reloading = notify.wait_for("RELOADING", "1", after=count)
        self.assertTrue(before <= int(reloading["MONOTONIC_USEC"]) <= before + 10_000_000)
        notify.wait_for("READY", "1", after=notify.messages.index(reloading))
        count = len(notify.messages)
        daemon.write_config("[Broken\n")
        daemon.signal(signal.SIGHUP)
        notify.wait_for("RELOADING", "1", after=count)
        notify.wait_for("READY", "1", after=count)
        daemon.signal(signal.SIGTERM)
        self.assertEqual(notify.wait_for("STOPPING")["STOPPING"], "1")
        daemon.expect_exit(0)
        self.assertEqual(daemon.stderr.lines, [], "what a service says goes to the journal")

    def test_listening_is_said_before_any_message(self):
        """Waiting clients are served at once, but come second in the journal."""
        for _ in range(5):
            journal = journald.Journal(self)
            sock = net.listener()
            self.addCleanup(sock.close)
            clients = [net.connect(sock.getsockname()) for _ in range(20)]
            for client in clients:
                self.addCleanup(client.close)
                client.sendall(b"x\n")
            daemon = Daemon.activate(self, [(sock, None)], ["--workers=4"], journal=journal)
            for client in clients:
                self.assertEqual(net.recv_line(client), b"ok\n")
            entries = [entry.text("MESSAGE") for entry in journal.entries()]
            listening = next(i for i, text in enumerate(entries) if text.startswith("listening on "))
            first = next(i for i, text in enumerate(entries) if text.endswith(": x"))
            self.assertLess(listening, first, entries)
            daemon.stop()

    def test_a_reload_that_ends_in_a_stop_is_not_ready_again(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], notify=True, listeners=0)
        # Both signals are pending. SIGHUP is taken first, and the workers have done nothing by then.
        for number in signal.SIGSTOP, signal.SIGHUP, signal.SIGTERM, signal.SIGCONT:
            daemon.signal(number)
        daemon.expect_exit(0)
        said = [key for message in daemon.notify.all() for key in message]
        self.assertIn("RELOADING", said)
        self.assertIn("STOPPING", said)
        self.assertNotIn("READY", said[said.index("STOPPING"):])

    def test_status_follows_what_happens(self):
        journal = journald.Journal(self)
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        daemon = Daemon(self, ["--listen=" + folder + "/s"], notify=True, listeners=0, journal=journal)
        clients = [net.connect(folder + "/s") for _ in range(3)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"x\n" * 4)
            self.assertEqual(net.recv_exactly(client, 12), b"ok\n" * 4)
        self.wait_status(daemon, r"^3 connections, \d+ messages/s, 12 messages in all$")
        journal.pause()
        more = journald.places() + 50
        clients[0].sendall(b"x\n" * more)
        self.wait_status(daemon, r"^3 connections, .*; waiting for the journal$")
        journal.resume()
        net.recv_exactly(clients[0], 3 * more)
        self.wait_status(daemon, rf"^3 connections, 0 messages/s, {12 + more} messages in all$")
        count = len(daemon.notify.messages)
        daemon.signal(signal.SIGHUP)
        daemon.notify.wait_for("READY", "1", after=count)
        said = [m["STATUS"] for m in daemon.notify.messages if "STATUS" in m]
        self.assertRegex(said[-1], "^3 connections")
        daemon.stop()

    def wait_status(self, daemon, pattern):
        at = len(daemon.notify.messages)
        while True:
            status = daemon.notify.wait_for("STATUS", after=at)["STATUS"]
            if re.search(pattern, status):
                return
            at = len(daemon.notify.messages)

    def test_watchdog(self):
        """The watchdog depends on every worker: one that hangs is enough."""
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=2"], notify=True, listeners=0,
                        env={"WATCHDOG_USEC": "400000"})
        notify = daemon.notify
        count = 0
        for _ in range(5):
            notify.wait_for("WATCHDOG", "1", after=count)
            count = len(notify.messages)
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        worker = daemon.workers()["worker-1"]
        if libc.ptrace(PTRACE_SEIZE, worker, None, None) < 0:
            self.skipTest("ptrace is not allowed: " + os.strerror(ctypes.get_errno()))
        self.assertEqual(libc.ptrace(PTRACE_INTERRUPT, worker, None, None), 0)
        os.waitpid(worker, 0x40000000)  # __WALL
        with self.assertRaises(AssertionError):
            # One ping in flight may still come. Then none must, for longer than systemd waits.
            for _ in range(4):
                notify.wait_for("WATCHDOG", "1", after=len(notify.messages), timeout=0.6)
        libc.ptrace(PTRACE_DETACH, worker, None, None)
        notify.wait_for("WATCHDOG", "1", after=len(notify.messages))
        daemon.stop()

    def test_no_watchdog_unless_asked_for(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0"], notify=True, listeners=0)
        daemon.signal(signal.SIGTERM)
        daemon.notify.wait_for("STOPPING")
        self.assertFalse([m for m in daemon.notify.messages if "WATCHDOG" in m])
        daemon.expect_exit(0)


if __name__ == "__main__":
    tap.main()
