# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restart, reload, death, hang and stop, under load."""

import collections
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import crowd
import hang
import net
import tap

system = None


def setUpModule():
    global system
    system = booted.start()
    system.run("systemctl start answerd.socket")


class Case(unittest.TestCase):
    def setUp(self):
        system.run("systemctl start answerd.socket && systemctl reset-failed")
        system.ask(b"first")

    def account(self, result, allowed=()):
        """No client was refused, and the journal has each answered message once."""
        print(f"{result.connections} connections, {len(result.answered)} answers, longest gap "
              f"{result.longest_gap * 1000:.0f} ms, without an answer: {dict(result.failed)}")
        self.assertEqual({k: n for k, n in result.failed.items() if k not in allowed}, {})
        self.assertGreater(len(result.answered), 1000)
        recorded = collections.Counter(system.messages())
        missing = [m for m in result.answered if not recorded[m]]
        self.assertEqual(missing, [], f"{len(missing)} of {len(result.answered)} answered messages are missing")
        self.assertEqual([m for m in result.answered if recorded[m] > 1], [])


class UnderLoad(Case):
    def test_restart_20_times(self):
        clients = crowd.Load(self, system.container)
        for _ in range(20):
            before = system.main_pid()
            system.run("systemctl restart answerd.service")
            self.assertNotEqual(system.main_pid(), before)
        result = clients.stop()
        # An accepted connection without a complete message ends without a reply.
        self.account(result, allowed=("EOF", "ECONNRESET", "EPIPE"))
        self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")

    def test_reload_100_times(self):
        pid = system.main_pid()
        clients = crowd.Load(self, system.container)
        for _ in range(100):
            system.run("systemctl reload answerd.service")
        result = clients.stop()
        self.account(result)
        self.assertEqual(result.lost_connections, 0)
        self.assertEqual(system.main_pid(), pid)

    def test_kill_20_times(self):
        clients = crowd.Load(self, system.container)
        since_start, since_kill = [], []
        for number in range(20):
            before = system.main_pid()
            killed = time.monotonic()
            system.run(f"kill -KILL {before}")
            system.ask(b"after kill %d" % number, timeout=crowd.PATIENCE)
            answered = time.monotonic()
            net.wait_until(lambda: system.main_pid() not in (0, before), what="a new process")
            # The container and the machine share the monotonic clock.
            started = int(system.show("answerd.service", "ExecMainStartTimestampMonotonic")) / 1e6
            self.assertGreater(started, killed)
            since_start.append(answered - started)
            since_kill.append(answered - killed)
        result = clients.stop()
        print(f"serving again {max(since_start) * 1000:.0f} ms after its start by systemd at most, "
              f"{max(since_kill) * 1000:.0f} ms after the kill")
        self.account(result, allowed=("EOF", "ECONNRESET", "EPIPE"))
        self.assertLess(max(since_start), 1 + net.LATE)
        # RestartSec= and ExecStopPost= are 0.2 s of it. The rest is systemd finding time between other work.
        self.assertLess(max(since_kill), 5 + net.LATE)
        self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")


class Reload(Case):
    def test_wrong_configuration_fails_the_reload_and_changes_nothing(self):
        self.addCleanup(system.run, "rm -f /etc/answerd/answerd.conf; systemctl reload answerd")
        system.container.write("/etc/answerd/answerd.conf", "[Listener default]\nReply=one\n")
        system.run("systemctl reload answerd.service")
        with system.connect(booted.PORT) as sock:
            sock.sendall(b"a\n")
            self.assertEqual(net.recv_line(sock), b"one\n")
            system.container.write("/etc/answerd/answerd.conf", "[Listener default]\nReplay=two\n")
            self.assertNotEqual(system.container.status("systemctl reload answerd.service"), 0)
            said = system.run("journalctl -u answerd.service -n 20 -o cat")
            self.assertIn("/etc/answerd/answerd.conf:2", said)
            sock.sendall(b"b\n")
            self.assertEqual(net.recv_line(sock), b"one\n")
            # The new configuration is in force when `systemctl reload` returns.
            for number in range(10):
                system.container.write("/etc/answerd/answerd.conf",
                                       f"[Listener default]\nReply=number {number}\n")
                system.run("systemctl reload answerd.service")
                self.assertEqual(system.ask(b"c"), b"number %d\n" % number)


class Crash(Case):
    def test_crash_loop_leaves_the_socket_up(self):
        before = int(system.show("answerd.service", "NRestarts"))
        self.addCleanup(system.drop_in, "answerd.service", "")
        system.drop_in("answerd.service",
                       "[Service]\nExecStart=\nExecStart=/bin/sh -c 'kill -SEGV $$$$'\n")
        system.run(f"kill -KILL {system.main_pid()}")
        with system.connect(booted.PORT, timeout=60) as sock:
            sock.sendall(b"patience\n")
            # Waiting connections start it again and again, for more than the 2 s in which systemd counts starts.
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")
            starts = int(system.run("journalctl -u answerd.service -o cat --since=-5s"
                                    " | grep -c 'Main process exited'"))
            print(f"{starts} starts in 5 s, {before} restarts before")
            self.assertGreater(starts, 4)
            self.assertLess(starts, 50)
            system.drop_in("answerd.service", "")
            begun = time.monotonic()
            self.assertEqual(net.recv_line(sock, 10), b"ok\n")
            print(f"answered {time.monotonic() - begun:.2f} s after it was mended")

    def test_configuration_error_fails_without_a_loop(self):
        self.addCleanup(system.run, "rm -f /etc/answerd/answerd.conf; systemctl reset-failed")
        system.container.write("/etc/answerd/answerd.conf", "[Sever]\n")
        self.assertNotEqual(system.container.status("systemctl restart answerd.service"), 0)
        self.assertEqual(system.show("answerd.service", "ExecMainStatus"), "78")
        self.assertEqual(system.show("answerd.service", "ActiveState"), "failed")
        self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")
        system.run("rm -f /etc/answerd/answerd.conf")
        self.assertEqual(system.ask(b"mended"), b"ok\n")


class WrongConfiguration(Case):
    WRONG = "[Sever]\n"
    PATH = "/etc/answerd/answerd.conf"

    def setUp(self):
        super().setUp()
        self.addCleanup(system.run, f"rm -rf {self.PATH} {self.PATH}.d; systemctl reset-failed; systemctl restart answerd")
        system.run("systemctl stop answerd.service")

    def lines(self, since):
        system.run("journalctl --sync")
        return system.run(f"journalctl -q -o cat --since=@{since} -u answerd.service -u answerd.socket").splitlines()

    def waiting(self):
        return "Cannot start yet" in system.show("answerd.service", "StatusText")

    def wait_for_tries(self, count):
        """Waits until the waiting start has tried that many times: each try reads the configuration (proc(5), io)."""
        pid = system.container.host_pid(system.main_pid())

        def reads():
            with open(f"/proc/{pid}/io", encoding="ascii") as file:
                return int(next(line for line in file if line.startswith("syscr:")).split()[1])

        tried, before = 0, reads()
        while tried < count:
            net.wait_until(lambda: reads() > before, what=f"try {tried + 1}")
            tried, before = tried + 1, reads()

    def test_a_waiting_client_makes_no_loop_and_is_served_once_it_is_mended(self):
        system.container.write(self.PATH, self.WRONG)
        begun = time.time()
        with system.connect(booted.PORT, timeout=60) as sock:
            sock.sendall(b"patience\n")
            net.wait_until(self.waiting, what="the second start to wait")
            # In that time it once started a hundred times.
            self.wait_for_tries(20)
            said = self.lines(begun)
            print("\n".join(said))
            self.assertEqual(len([line for line in said if "unknown section [Sever]" in line]), 1)
            self.assertLess(len(said), 10)
            self.assertEqual(system.show("answerd.socket", "ActiveState"), "active")
            # Another error is reported at once, and once.
            system.container.write(self.PATH, "[Swerver]\n")
            net.wait_until(lambda: any("[Swerver]" in line for line in self.lines(begun)), what="the other error")
            net.wait_until(self.waiting, what="the next start to wait")
            mended = time.monotonic()
            system.run(f"rm {self.PATH}")
            self.assertEqual(net.recv_line(sock, net.TIMEOUT), b"ok\n")
            print(f"answered {time.monotonic() - mended:.2f} s after it was mended")
            self.assertLess(time.monotonic() - mended, net.LATE)

    def test_a_person_who_starts_it_is_told_at_once(self):
        system.container.write(self.PATH, self.WRONG)
        with system.connect(booted.PORT, timeout=60) as sock:
            sock.sendall(b"patience\n")
            net.wait_until(self.waiting, what="the second start to wait")
            begun = time.monotonic()
            self.assertNotEqual(system.container.status("systemctl restart answerd.service"), 0)
            self.assertLess(time.monotonic() - begun, net.LATE)
            net.wait_until(self.waiting, what="the next start to wait")
            system.run(f"mkdir {self.PATH}.d && rm {self.PATH}")
            self.assertEqual(net.recv_line(sock, net.TIMEOUT), b"ok\n")

    def test_an_address_that_is_refused(self):
        system.container.write(self.PATH, "[Listener more]\nListen=/nonexistent/socket\n")
        begun = time.time()
        with system.connect(booted.PORT, timeout=60) as sock:
            sock.sendall(b"patience\n")
            net.wait_until(self.waiting, what="a start to wait")
            self.wait_for_tries(8)
            self.assertEqual(len([l for l in self.lines(begun) if "cannot listen on /nonexistent/socket" in l]), 1)
            system.run(f"rm {self.PATH}")
            self.assertEqual(net.recv_line(sock, net.TIMEOUT), b"ok\n")


class Listen(Case):
    """Listen= when the socket unit decides."""

    PATH = "/etc/answerd/answerd.conf"

    def test_it_is_warned_of_with_the_command_that_has_an_effect(self):
        self.addCleanup(system.run, f"rm -f {self.PATH}; systemctl restart answerd")
        system.container.write(self.PATH, "[Server]\n[Listener default]\nListen=*:9000\n")
        warning = (self.PATH + ':3: Listen=*:9000 has no effect: systemd passes the sockets of [Listener default]. Run '
                   '"systemctl edit answerd.socket", write "[Socket]", "ListenStream=" and "ListenStream=9000" on '
                   'separate lines, then run "systemctl restart answerd.socket"')
        self.assertEqual(system.run("answerd --check"), f"answerd: {warning}\n")
        for count, verb in (1, "reload"), (2, "restart"):
            system.run(f"systemctl {verb} answerd.service && journalctl --sync")
            said = system.run("journalctl -q -o cat -u answerd.service").splitlines()
            self.assertEqual(said.count(warning), count)
        # Follow the advice in the warning.
        self.addCleanup(system.run, "systemctl restart answerd.socket")
        self.addCleanup(system.drop_in, "answerd.socket", "")
        system.drop_in("answerd.socket", "[Socket]\nListenStream=\nListenStream=9000\n")
        system.run("systemctl restart answerd.socket")
        with system.connect(9000) as sock:
            sock.sendall(b"x\n")
            self.assertEqual(net.recv_line(sock), b"ok\n")


class Watchdog(Case):
    def test_hanging_worker(self):
        self.addCleanup(system.drop_in, "answerd.service", "")
        system.drop_in("answerd.service", "[Service]\nWatchdogSec=2s\n")
        system.run("systemctl restart answerd.service")
        pid = system.main_pid()
        threads = hang.threads(system.container.host_pid(pid))
        self.assertGreater(len(threads), 1, "there is no worker thread")
        # Neither load nor idleness may trip the watchdog.
        with system.connect(booted.PORT) as sock:
            deadline = time.monotonic() + 5
            while time.monotonic() < deadline:
                sock.sendall(b"x\n")
                net.recv_line(sock)
            self.assertEqual(system.main_pid(), pid)
        with hang.Hang(threads[-1]) as worker:
            begun = time.monotonic()
            net.wait_until(worker.dead, timeout=net.TIMEOUT, what="the watchdog to act")
            net.wait_until(lambda: system.main_pid() not in (0, pid), timeout=net.TIMEOUT, what="a restart")
        print(f"restarted {time.monotonic() - begun:.1f} s after a worker hung")
        self.assertEqual(system.ask(b"again"), b"ok\n")
        self.assertIn("Watchdog timeout", system.run("journalctl -u answerd.service -n 50 -o cat"))


class Stop(Case):
    def configure(self, text):
        self.addCleanup(system.run, "rm -f /etc/answerd/answerd.conf; systemctl restart answerd")
        system.container.write("/etc/answerd/answerd.conf", text)
        system.run("systemctl restart answerd.service")

    def stop(self):
        begun = time.monotonic()
        system.run("systemctl stop answerd.socket answerd.service")
        seconds = time.monotonic() - begun
        self.assertEqual(system.show("answerd.service", "Result"), "success")
        self.assertEqual(system.show("answerd.service", "ExecMainStatus"), "0")
        return seconds

    def test_idle_clients_do_not_hold_it_up(self):
        sockets = [system.connect(booted.PORT) for _ in range(200)]
        for sock in sockets:
            sock.sendall(b"hello\n")
            net.recv_line(sock)
        self.assertLess(self.stop(), net.LATE)
        for sock in sockets:
            self.assertEqual(net.recv_until_eof(sock), b"")
            sock.close()

    def test_drain_ends_in_time(self):
        self.configure("[Server]\nDrainTimeout=2s\n[Listener default]\nReply={message}\n"
                       "MaxMessageSize=1M\nOutputLimit=64M\n")
        with system.container.socket() as sock:
            # A small window: replies pile up in the daemon, which waits for the client to read.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", booted.PORT))
            message = b"z" * 500000 + b"\n"
            for _ in range(20):
                sock.sendall(message)
            seconds = self.stop()
        print(f"stopped in {seconds:.1f} s with DrainTimeout=2s")
        self.assertGreater(seconds, 1.5)
        self.assertLess(seconds, 2 + net.LATE)

    def test_stopping_the_socket_closes_the_port(self):
        system.run("systemctl stop answerd.socket")
        self.assertEqual(system.show("answerd.service", "ActiveState"), "inactive")
        with self.assertRaises(ConnectionRefusedError):
            system.connect(booted.PORT)

    def test_stopping_the_service_keeps_the_port(self):
        system.run("systemctl stop answerd.service")
        self.assertEqual(system.ask(b"back"), b"ok\n")
        net.wait_until(lambda: system.show("answerd.service", "ActiveState") == "active", what="the service to be up")


if __name__ == "__main__":
    tap.main()
