# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tools that send lines and leave. If nothing is sent to them, every line is recorded.

If a tool closes with replies unread, its own kernel resets the connection and drops unsent data. Then only the first
lines are recorded.
"""

import os
import subprocess
import sys
import unittest

import net
import senders
import tap

LINES = 500
MESSAGES, STREAM = senders.numbered(LINES)
PROXYD = "/lib/systemd/systemd-socket-proxyd"
NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr;
load_module {module};
events {{}}
stream {{
    server {{
        listen unix:{folder}/in;
        proxy_pass 127.0.0.1:{port};
        {more}
    }}
}}
"""
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"


class Tools(unittest.TestCase):
    def send(self, *command, shown=lambda record: record):
        """Runs it against a listener of each kind. PORT is replaced by the port, FILE by a file with the stream."""
        senders.require(self, command[0])
        file = senders.write(os.path.join(senders.folder(self), "lines"), STREAM.decode())
        for reply in "ok", "none":
            served = senders.Served(self, f"[Listener default]\nReply={reply}\n")
            words = [word.replace("PORT", str(served.port())).replace("FILE", file) for word in command]
            done = subprocess.run(words, input=STREAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                                  check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            if reply == "none":
                served.journal.wait_for(LINES)
            served.daemon.stop()
            served.journal.close_reader()
            got = [shown(r) for r in served.records()]
            self.assertEqual(got, MESSAGES if reply == "none" else MESSAGES[:len(got)], reply)

    def test_logger_one_by_one(self):
        """One connection per message. The reply comes after all the data, so nothing is lost. But two workers record
        in any order."""
        senders.require(self, "logger")
        for reply in "ok", "none":
            served = senders.Served(self, f"[Listener default]\nReply={reply}\n")
            loop = f"for n in $(seq 0 29); do logger -T -n 127.0.0.1 -P {served.port()} $n || exit; done"
            subprocess.run(["bash", "-c", loop], timeout=60, check=True)
            got = served.journal.wait_for(30)
            self.assertEqual(sorted(r.rpartition(b" ")[2] for r in got), sorted(MESSAGES[:30]), reply)
            served.daemon.stop()

    def test_logger_file(self):
        self.send("logger", "-T", "-n", "127.0.0.1", "-P", "PORT", "-f", "FILE",
                  shown=lambda record: record.rpartition(b" ")[2])

    def test_dev_tcp(self):
        self.send("bash", "-c", "cat >/dev/tcp/127.0.0.1/PORT")

    def test_socat(self):
        self.send("socat", "-u", "-", "TCP:127.0.0.1:PORT")

    def test_ncat(self):
        self.send("ncat", "--send-only", "127.0.0.1", "PORT")

    def test_nc(self):
        self.send("nc", "-q0", "127.0.0.1", "PORT")

    def test_busybox_nc(self):
        self.send("busybox", "nc", "127.0.0.1", "PORT")

    def test_asyncio(self):
        self.send(sys.executable, "-c", senders.ASYNCIO, "PORT")

    def test_telnet(self):
        """It sends lines with CR LF and shows the replies."""
        for program in (["telnet"], ["busybox", "telnet"]):
            senders.require(self, program[0])
            served = senders.Served(self)
            with subprocess.Popen([*program, "127.0.0.1", str(served.port())], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0) as process:
                for message in b"one", b"", b"two":
                    process.stdin.write(message + b"\n")
                    while process.stdout.readline().strip() != b"ok":
                        pass
                process.kill()
            self.assertEqual(served.journal.wait_for(3), [b"one", b"", b"two"])
            served.daemon.stop()

    def test_telnet_negotiation(self):
        """The negotiation of a telnet client comes before its first line, and becomes part of that message."""
        served = senders.Served(self)
        asked = b"\xff\xfd\x03\xff\xfb\x18\xff\xfb\x1f"
        with served.daemon.connect() as client:
            client.sendall(asked + b"hello\r\n")
            self.assertEqual(net.recv_line(client), b"ok\r\n")
        self.assertEqual(served.journal.wait_for(1), [asked + b"hello"])
        served.daemon.stop()


class Http(unittest.TestCase):
    """HTTP clients cannot send messages if HTTP is refused."""

    def refuse(self, *command):
        senders.require(self, command[0])
        served = senders.Served(self, "[Listener default]\nRefuse=http\n")
        done = subprocess.run([*command, f"http://127.0.0.1:{served.port()}/path"], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertIn(done.stdout, (b"", b"error: HTTP is not spoken here\n"))
        served.daemon.stop()
        served.journal.close_reader()
        self.assertEqual(served.records(), [])
        said = [e["MESSAGE"][0] for e in served.journal.entries]
        self.assertTrue(any(b"sent an HTTP request" in text for text in said), said)

    def test_curl(self):
        self.refuse("curl", "--silent", "--show-error", "--data", "a=b")

    def test_curl_http2(self):
        self.refuse("curl", "--silent", "--show-error", "--http2-prior-knowledge")

    def test_wget(self):
        self.refuse("wget", "--tries=1", "--quiet", "--output-document=-")


class Between(unittest.TestCase):
    """Proxies that forward the stream: all lines arrive. Replies come back if the proxy supports half-close."""

    def nc(self, *address, replies=None):
        senders.require(self, "nc")
        done = subprocess.run(["nc", "-N", *address], input=STREAM, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, check=True)
        if replies is not None:
            self.assertEqual(done.stdout, replies)

    def nginx(self, port, more=""):
        program = senders.require(self, "nginx")
        if not os.path.exists(NGINX_MODULE):
            self.skipTest("nginx has no stream module")
        folder = senders.folder(self)
        config = NGINX.format(folder=folder, port=port, module=NGINX_MODULE, more=more)
        nginx = senders.Program(self, [program, "-p", folder, "-c", senders.write(folder + "/conf", config)])

        def listens():
            if nginx.process.poll() is not None:
                raise AssertionError(nginx.said())
            return os.path.exists(folder + "/in")

        net.wait_until(listens, what="nginx to listen")
        return folder + "/in"

    def expect_all(self, served, times):
        served.journal.wait_for(LINES * times)
        served.daemon.stop()
        served.journal.close_reader()
        self.assertEqual(served.records(), MESSAGES * times)

    def test_nginx(self):
        served = senders.Served(self)
        path = self.nginx(served.port(), "proxy_half_close on;")
        self.nc("-U", path, replies=b"ok\n" * LINES)
        self.expect_all(served, 1)

    def test_nginx_with_a_proxy_header(self):
        served = senders.Served(self)
        path = self.nginx(served.port(), "proxy_protocol on;")
        with net.connect(path) as client:
            # The refusal may come before the line is sent. If nginx closes with the line unread, its kernel sends a
            # reset, and the refusal may be lost in flight.
            try:
                client.sendall(b"hello\n")
                said = net.recv_until_eof(client)
            except (BrokenPipeError, ConnectionResetError):
                said = b""
            self.assertIn(said, (b"", b"error: a PROXY header is not expected here\n"))
        self.expect_all(served, 0)

    def test_nginx_with_a_proxy_header_that_is_expected(self):
        served = senders.Served(self, "[Listener default]\nProxy=v1\nProxyFrom=127.0.0.1\n")
        path = self.nginx(served.port(), "proxy_half_close on; proxy_protocol on;")
        self.nc("-U", path, replies=b"ok\n" * LINES)
        self.expect_all(served, 1)

    def test_socket_proxyd(self):
        if not os.access(PROXYD, os.X_OK):
            self.skipTest("systemd-socket-proxyd is not installed")
        served = senders.Served(self)
        with net.listener() as sock:
            senders.Program(self, senders.activated(sock, PROXYD, f"127.0.0.1:{served.port()}"),
                            pass_fds=[sock.fileno()])
            self.nc("127.0.0.1", str(sock.getsockname()[1]))
        self.expect_all(served, 1)


if __name__ == "__main__":
    tap.main()
