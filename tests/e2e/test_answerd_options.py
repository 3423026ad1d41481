# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line of answerd: every option and exit status, with the exact line."""

import fcntl
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import unittest

import net
import tap
from daemon import Daemon, program

USAGE, SYSTEM, CONFIG = 64, 71, 78
FIELDS = "{message} {id} {peer} {identity} {listener} {seq} {time}, or {{ for a brace"


def run(*arguments, env=None):
    """Runs answerd to its end. Returns its status, standard output and standard error."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LISTEN_", "NOTIFY_"))}
    environment.update(env or {})
    done = subprocess.run([program(), *arguments], env=environment, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Refused(unittest.TestCase):
    """It ends at once with one line on standard error and none on standard output."""

    def expect(self, status, said, *arguments):
        with self.subTest(arguments=arguments):
            self.assertEqual(run(*arguments), (status, "", said + "\n"))

    def test_values_of_options(self):
        for arguments, said in [
            (["--framing=lines"], "--framing=lines: not line, length, netstring or chunk"),
            (["-f", ""], "--framing=: not line, length, netstring or chunk"),
            (["--record=disk"], "--record=disk: not journal, log, stderr or none"),
            (["--workers=0"], "--workers=0: not a number from 1 to 1024, or auto"),
            (["-w", "1025"], "--workers=1025: not a number from 1 to 1024, or auto"),
            (["-w-1"], "--workers=-1: not a number from 1 to 1024, or auto"),
            (["--reply=ok {name}"], "--reply=ok {name}: at character 4: unknown field; use " + FIELDS),
            (["-r", "100%}"], "--reply=100%}: at character 5: unmatched }; write }} for a brace"),
            (["-r", "a\\q"], "--reply=a\\q: at character 2: unknown escape; use \\n \\r \\t \\\\ or \\xHH"),
            (["--listen=localhost"], "--listen=localhost: the port is missing; write HOST:PORT, :PORT, "
                                     "[V6]:PORT, /path or @abstract"),
            (["-l", "::1:80"], "--listen=::1:80: an IPv6 address is written [ADDRESS]:PORT"),
            (["-l", ":65536"], "--listen=:65536: ports go from 0 to 65535"),
            (["-l", "unix:socket"], "--listen=unix:socket: a socket's path begins with / or @"),
            (["-l", "/" + "x" * 107], "--listen=/" + "x" * 107 + ": a socket's path has at most 107 bytes"),
            (["start"], "unexpected argument: start. Try --help."),
            (["-v"], "--verbose needs --check. Try --help."),
        ]:
            self.expect(USAGE, "answerd: " + said, *arguments)

    def test_unknown_and_incomplete_options(self):
        for arguments, said in [
            (["--port=80"], "unknown option '--port'."),
            (["--lisen=:1"], "unknown option '--lisen'; did you mean '--listen'?"),
            (["-x"], "unknown option '-x'."),
            (["--config"], "option '--config' needs a value."),
            (["-l"], "option '-l' needs a value."),
            (["--check=yes"], "option '--check' takes no value."),
            (["--re=x"], "option '--re' is short for more than one."),
        ]:
            with self.subTest(arguments=arguments):
                status, out, err = run(*arguments)
                self.assertEqual((status, out), (USAGE, ""))
                self.assertRegex(err, "^answerd: " + re.escape(said) + r" Try --help\.\n$")

    def test_an_option_is_refused_before_the_configuration_is_read(self):
        self.expect(USAGE, "answerd: --framing=x: not line, length, netstring or chunk",
                    "--config=/nonexistent", "--framing=x")

    def test_configuration_that_cannot_be_read(self):
        self.expect(CONFIG, "answerd: /nonexistent/a.conf: No such file or directory",
                    "--config=/nonexistent/a.conf")
        self.expect(CONFIG, "answerd: /tmp: cannot be read: Is a directory", "--config=/tmp")
        self.expect(CONFIG, "answerd: /nonexistent/a.conf: No such file or directory",
                    "--check", "--config=/nonexistent/a.conf")

    def test_addresses_that_the_system_refuses(self):
        with net.listener() as taken, tempfile.TemporaryDirectory() as folder:
            port = taken.getsockname()[1]
            plain = os.path.join(folder, "plain")
            with open(plain, "w", encoding="ascii"):
                pass
            served = os.path.join(folder, "served")
            with net.listener(served):
                for address, why in [
                    (f"127.0.0.1:{port}", "Address already in use"),
                    (served, "Address already in use"),
                    (plain, "the file exists and is not a socket"),
                    (folder, "it is a directory"),
                    ("/nonexistent/socket", "No such file or directory"),
                    ("192.0.2.1:1", "Cannot assign requested address"),
                ]:
                    self.expect(SYSTEM, f"answerd: cannot listen on {address}: {why}",
                                "--config=/dev/null", "--record=none", "--listen=" + address)
            self.assertTrue(os.path.isfile(plain), "a file that is no socket was taken away")

    def test_a_host_that_does_not_resolve(self):
        status, out, err = run("--config=/dev/null", "--listen=name.invalid:1")
        self.assertEqual((status, out), (SYSTEM, ""))
        self.assertRegex(err, r"^answerd: cannot listen on name\.invalid:1: [^\n]+\n$")

    def test_one_bad_address_among_good_ones(self):
        with net.listener() as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            self.expect(SYSTEM, f"answerd: cannot listen on {address}: Address already in use",
                        "--config=/dev/null", "--record=none", "--listen=127.0.0.1:0", "--listen=" + address)

    def test_too_few_descriptors_for_one_connection(self):
        command = 'ulimit -n 20; exec "$0" --config=/dev/null --record=none --workers=2 --listen=127.0.0.1:0'
        done = subprocess.run(["bash", "-c", command, program()], stdin=subprocess.DEVNULL, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT)
        self.assertEqual((done.returncode, done.stderr), (SYSTEM, b"answerd: cannot start: Too many open files\n"))


class Shown(unittest.TestCase):
    def test_help(self):
        for option in "-h", "--help":
            status, out, err = run(option)
            self.assertEqual((status, err), (0, ""))
            self.assertTrue(out.startswith("Usage: answerd [OPTION…]\n"))
            for name in "config listen framing reply workers record check verbose help version".split():
                self.assertIn("--" + name, out)
            # The place of installation is unknown here.
            out = re.sub(r"/\S*/answerd/answerd\.conf", "/etc/answerd/answerd.conf", out)
            self.assertLessEqual(max(map(len, out.splitlines())), 80)

    def test_what_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([program(), "--help"], stdout=full, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (SYSTEM, b"answerd: standard output: No space left on device\n"))

    def test_version(self):
        for option in "-V", "--version":
            status, out, err = run(option)
            self.assertEqual((status, err), (0, ""))
            self.assertRegex(out, r"\Aanswerd \d+(\.\d+)*( \(git [0-9a-f]+\))?\nFeatures: [+-]openssl [+-]epoll_pwait2 [+-]assertions\n"
                                  r"Built with: libsystemd \d[^ ,]*, (?:no openssl|openssl \d\S*)\nLicence: LGPL-2\.1-or-later\n\Z")

    def test_check_of_a_good_configuration_says_nothing(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[Server]\nWorkers=2\n[Listener default]\nListen=127.0.0.1:0\nReply={id}\n")
            file.flush()
            self.assertEqual(run("--check", "-c", file.name), (0, "", ""))

    def test_check_says_everything_that_is_wrong(self):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write("[Server]\nWorker=2\n\n[Listener default]\nFraming=x\nReply={\n")
            file.flush()
            status, out, err = run("--check", "-c", file.name)
            self.assertEqual((status, out), (CONFIG, ""))
            self.assertEqual(err.splitlines(), [
                f"answerd: {file.name}:2: unknown key Worker= in [Server]; did you mean Workers=?",
                f"answerd: {file.name}:5: Framing=x: not line, length, netstring or chunk",
                f"answerd: {file.name}:6: Reply={{: unknown field; use {FIELDS}"])


class Serving(unittest.TestCase):
    def test_short_options_do_what_the_long_ones_do(self):
        for options in [["-l", "127.0.0.1:0", "-f", "netstring", "-r", "<{message}>", "-w", "1"],
                        ["--listen=127.0.0.1:0", "--framing=netstring", "--reply=<{message}>", "--workers=1"]]:
            daemon = Daemon(self, options)
            self.assertEqual(net.exchange(daemon.address(), b"5:hello,0:,"), b"7:<hello>,2:<>,")
            self.assertEqual(list(daemon.workers()), ["worker-0"])
            daemon.stop()

    def test_workers_auto_is_one_for_each_cpu(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--workers=auto"])
        self.assertEqual(len(daemon.workers()), len(os.sched_getaffinity(0)))
        daemon.stop()

    def test_options_win_over_the_file(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--reply=option", "--framing=line"],
                        config="[Listener default]\nListen=/nonexistent/socket\nReply=file\nFraming=chunk\n")
        self.assertEqual(net.exchange(daemon.address(), b"a\nb\n"), b"option\noption\n")
        daemon.stop()

    def test_several_listens_of_every_kind(self):
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        abstract = f"@answerd-test-{os.getpid()}"
        listens = ["127.0.0.1:0", "[::1]:0", folder + "/a", "unix:" + folder + "/b", abstract]
        daemon = Daemon(self, ["--listen=" + a for a in listens], listeners=5)
        self.assertEqual(daemon.addresses[2:], [folder + "/a", folder + "/b", abstract])
        for address in daemon.addresses:
            self.assertEqual(net.exchange(address, b"x\n"), b"ok\n", address)
        daemon.stop()
        self.assertEqual(os.listdir(folder), [], "sockets of the daemon's own go with it")

    def test_a_socket_left_behind_is_replaced(self):
        folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, folder)
        path = folder + "/s"
        Daemon(self, ["--listen=" + path]).kill()
        self.assertTrue(os.path.exists(path))
        daemon = Daemon(self, ["--listen=" + path])
        self.assertEqual(net.exchange(path, b"x\n"), b"ok\n")
        daemon.stop()

    def test_a_port_is_free_again_at_once(self):
        daemon = Daemon(self)
        port = daemon.address()[1]
        with daemon.connect() as client:
            client.sendall(b"x\n")
            self.assertEqual(net.recv_line(client), b"ok\n")
            daemon.stop()  # closes the connection first, so this side gets TIME_WAIT
        again = Daemon(self, [f"--listen=127.0.0.1:{port}"])
        self.assertEqual(net.exchange(again.address(), b"x\n"), b"ok\n")
        again.stop()

    def test_an_address_named_twice_is_one_socket(self):
        with net.listener() as probe:
            port = probe.getsockname()[1]
        daemon = Daemon(self, [f"--listen=127.0.0.1:{port}"] * 2)
        self.assertEqual(net.exchange(daemon.address(), b"x\n"), b"ok\n")
        self.assertEqual(len([line for line in daemon.stderr.lines if "listening on" in line]), 1)
        daemon.stop()

    def test_dual_stack(self):
        for listen in "[::]:0", ":0", "*:0":
            daemon = Daemon(self, ["--listen=" + listen, "--reply={peer}"])
            port = daemon.address()[1]
            for host, shown in ("127.0.0.1", "127.0.0.1:%d\n"), ("::1", "[::1]:%d\n"):
                with net.connect((host, port)) as client:
                    client.sendall(b"x\n")
                    self.assertEqual(net.recv_line(client).decode(), shown % client.getsockname()[1])
            daemon.stop()

    def test_both_families_by_name(self):
        """[::] is IPv6 only if 0.0.0.0 is named as well, in any order."""
        for listens in ["0.0.0.0:{}", "[::]:{}"], ["[::]:{}", "0.0.0.0:{}"]:
            port = net.free_port()
            daemon = Daemon(self, ["--listen=" + a.format(port) for a in listens], listeners=2)
            self.assertEqual(sorted(daemon.addresses), [("0.0.0.0", port), ("::", port)])
            for host in "127.0.0.1", "::1":
                self.assertEqual(net.exchange((host, port), b"x\n"), b"ok\n")
            daemon.stop()

    def test_all_addresses_and_those_of_one_family(self):
        for every in ":{}", "*:{}":
            port = net.free_port()
            self.assertEqual(
                run("--config=/dev/null", "--record=none", "--listen=" + every.format(port), f"--listen=0.0.0.0:{port}"),
                (SYSTEM, "", f"answerd: cannot listen on 0.0.0.0:{port}: Address already in use\n"))

    def test_one_family_only(self):
        daemon = Daemon(self, ["--listen=[::1]:0"])
        with self.assertRaises(ConnectionRefusedError):
            net.connect(("127.0.0.1", daemon.address()[1]))
        daemon.stop()

    def test_host_names(self):
        addresses = {a[4][0] for a in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM)}
        daemon = Daemon(self, ["--listen=localhost:0"], listeners=len(addresses))
        self.assertEqual({host for host, _ in daemon.addresses}, addresses)
        for address in daemon.addresses:
            self.assertEqual(net.exchange(address, b"x\n"), b"ok\n")
        daemon.stop()

    def test_nothing_configured_at_all(self):
        """In its own network namespace: the port is fixed."""
        if os.geteuid() != 0 or not shutil.which("unshare"):
            self.skipTest("a network namespace needs root")
        script = ('ip link set lo up || exit 77\n'
                  'exec 3< <("$0" --config=/dev/null --record=none 2>&1)\n'
                  'read -r line <&3; echo "$line"\n'
                  'exec 4<>/dev/tcp/127.0.0.1/8080; echo hello >&4; read -r reply <&4; echo "$reply"\n'
                  'kill $!\n')
        done = subprocess.run(["unshare", "--net", "bash", "-c", script, program()], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=net.TIMEOUT, check=False)
        if done.returncode == 77:
            self.skipTest("ip is not installed")
        self.assertEqual(done.stdout, b"listening on 127.0.0.1:8080\nok\n", done.stderr)

    def test_messages_are_shown_where_there_is_no_journal(self):
        daemon = Daemon(self, ["--listen=127.0.0.1:0", "--record=stderr"])
        with daemon.connect() as client:
            client.sendall("grüße 你好\x1b[31m\n".encode())
            self.assertEqual(net.recv_line(client), b"ok\n")
            port = client.getsockname()[1]
        daemon.stderr.wait_for(rf"^127\.0\.0\.1:{port}: grüße 你好\\x1b\[31m$")
        daemon.stop()

    def test_a_full_pipe_holds_the_replies(self):
        """Record=stderr keeps the promise, too: no reply before the message is written."""
        read_end, write_end = os.pipe()
        capacity = fcntl.fcntl(read_end, fcntl.F_GETPIPE_SZ)
        process = subprocess.Popen(
            [program(), "--config=/dev/null", "--record=stderr", "--listen=127.0.0.1:0", "--workers=1"],
            stdin=subprocess.DEVNULL, stderr=write_end, stdout=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(write_end)
        lines = [b"%06d %s" % (i, b"x" * 400) for i in range(1000)]
        with os.fdopen(read_end, "rb", buffering=0) as pipe:
            said = pipe.read(1 << 16)
            with net.connect(net.parse_address(said.split()[-1].decode())) as client:
                client.sendall(b"\n".join(lines) + b"\n")

                def queued():
                    return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]

                net.wait_until(lambda: queued() > capacity // 2, what="the pipe to fill up")
                answered = len(client.recv(3000, socket.MSG_DONTWAIT))
                data = pipe.read(capacity)
                self.assertLessEqual(answered // 3, data.count(b"\n"))
                self.assertLess(data.count(b"\n"), len(lines))
                last = lines[-1] + b"\n"
                while not data.endswith(last):
                    data += pipe.read(1 << 16)
                # Lines of the log come in between.
                got = [line.split(b": ", 1)[1] for line in data.splitlines() if not line.startswith(b"answerd")]
                self.assertEqual(got, lines)
                net.recv_exactly(client, 3000 - answered)
            process.terminate()
            self.assertEqual(process.wait(timeout=net.TIMEOUT), 0)


if __name__ == "__main__":
    tap.main()
