# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that speak TLS: answerd, the least that an echo on OpenSSL can do, and those that people put in front of a
plain server. For the latter, only their own CPU and memory count, not those of the plain server behind them.

All have the same certificate, ECDSA with P-256. All connections use TLS 1.3.
"""

import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import tempfile

import certificates
import daemon
import measure
import net
import servers
import turns

HANDSHAKES = 2000  # a second, asked for while plain connections are measured
PLAIN_RATE = 1000  # messages a second on these
CLIENT = ["--tls", "--insecure"]
MESSAGE = b"x" * 1000 + b"\n"


class Place:
    """A folder with a certificate, the CPUs of servers, and a plain server for those that need one behind them."""

    def __init__(self, folder, cpus, load_cpus):
        self.folder, self.cpus, self._load_cpus = folder, cpus, load_cpus
        certificates.Authority(folder).sign("server", "localhost")
        self.certificate, self.key, self.both = (f"{folder}/server.{end}" for end in ("crt", "key", "pem"))
        self.backend = None

    def start_backend(self, stack):
        """On the CPU of the load, so that the servers have theirs alone."""
        self.backend = stack.enter_context(servers.start_floor(self._load_cpus)).address

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path


class Plain:
    """The plain address of a server that also speaks TLS, for ask-bench."""

    def __init__(self, server, address):
        self.address, self.said = address, server.said


@contextlib.contextmanager
def floor(place):
    try:
        program = servers.tool("floor-tls")
    except FileNotFoundError as error:
        raise servers.Missing(str(error)) from None
    with servers.Server([program, place.certificate, place.key], cpus=place.cpus) as server:
        yield server, None


def answerd(program):
    @contextlib.contextmanager
    def start(place):
        config = place.write("answerd.conf",
                             f"[Server]\nWorkers=1\n"
                             f"[TLS server]\nCertificate={place.certificate}\nKey={place.key}\n"
                             f"[Listener encrypted]\nListen=127.0.0.1:0\nRecord=none\nTLS=server\n"
                             f"[Listener plain]\nListen=127.0.0.1:0\nRecord=none\n")
        checked = subprocess.run([program, "--check", "--config=" + config], stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, check=False)
        if checked.returncode != 0:
            raise servers.Missing(checked.stderr.strip())
        with servers.Server([program, "--config=" + config], cpus=place.cpus) as server:
            # In the order of the file.
            both = net.wait_until(lambda: servers.listening(server.said())[1:], what="both listeners")
            yield server, Plain(server, both[0])
    return start


@contextlib.contextmanager
def haproxy(place):
    port, plain = servers.free_port(), servers.free_port()
    config = place.write("haproxy.cfg", f"""
global
    nbthread 1
    maxconn 9000
    ssl-default-bind-options ssl-min-ver TLSv1.3
defaults
    mode tcp
    backlog 4096
    timeout connect 1m
    timeout client 1h
    timeout server 1h
    default_backend behind
frontend encrypted
    bind 127.0.0.1:{port} ssl crt {place.both}
frontend plain
    bind 127.0.0.1:{plain}
backend behind
    server one {place.backend}
""")
    with servers.Server([servers.installed("haproxy"), "-db", "-f", config], port, place.cpus) as server:
        yield server, Plain(server, f"127.0.0.1:{plain}")


@contextlib.contextmanager
def nginx(place):
    module = "/usr/lib/nginx/modules/ngx_stream_module.so"
    if not os.path.exists(module):
        raise servers.Missing(f"{module} is not installed")
    port, plain = servers.free_port(), servers.free_port()
    config = place.write("nginx.conf", f"""
load_module {module};
daemon off;
master_process off;
pid {place.folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 19000; }}
stream {{
    proxy_timeout 1h;
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096;
        ssl_certificate {place.certificate};
        ssl_certificate_key {place.key};
        ssl_protocols TLSv1.3;
        proxy_pass {place.backend};
    }}
    server {{
        listen 127.0.0.1:{plain} backlog=4096;
        proxy_pass {place.backend};
    }}
}}
""")
    command = [servers.installed("nginx"), "-e", "stderr", "-p", place.folder, "-c", config]
    with servers.Server(command, port, place.cpus) as server:
        yield server, Plain(server, f"127.0.0.1:{plain}")


@contextlib.contextmanager
def stunnel(place):
    port = servers.free_port()
    config = place.write("stunnel.conf", f"""
foreground = yes
pid =
[one]
accept = 127.0.0.1:{port}
connect = {place.backend}
cert = {place.certificate}
key = {place.key}
sslVersionMin = TLSv1.3
""")
    with servers.Server([servers.installed("stunnel"), config], port, place.cpus) as server:
        yield server, None


class Row:
    """start(place): a context with the server, and with its plain address or None."""

    def __init__(self, name, start):
        self.name, self.start = name, start


def rows(bench):
    others = [Row(f"{a.name}, TLS", answerd(a.program)) for a in bench.answerds]
    return [Row("floor, TLS", floor), *others, Row("haproxy in front", haproxy), Row("nginx in front", nginx),
            Row("stunnel in front", stunnel)]


class Measurement:
    def __init__(self, bench, place):
        self.bench, self.place, self.rows = bench, place, rows(bench)

    def started(self, stack):
        """The rows that there are, each with its server and its plain address."""
        found = []
        for row in self.rows:
            if row.name in self.bench.missing:
                continue
            try:
                found.append((row.name, *stack.enter_context(row.start(self.place))))
            except servers.Missing as reason:
                self.bench.missing[row.name] = str(reason)
                self.bench.say(f"{row.name}: skipped: {reason}")
        return found

    def cpu(self, column, connections, options):
        """CPU µs per message, or per connection with --churn."""
        sizes = self.bench.sizes
        with contextlib.ExitStack() as stack:
            found = self.started(stack)
            loads = [turns.Load(server, None, [*CLIENT, "--workers=1", *options], connections, self.bench.load_cpus)
                     for _, server, _ in found]
            for (name, *_), (cpu, _) in zip(found, turns.take(loads, sizes.turns, sizes.tls_seconds)):
                self.bench.add(name, **{column: cpu})

    def memory(self):
        with contextlib.ExitStack() as stack:
            for name, server, _ in self.started(stack):
                self.bench.add(name, **{"tls idle": idle_memory(server, self.bench.sizes.tls_idle)})

    def disturbance(self):
        """How long plain clients wait, alone and while clients of TLS come as fast as asked, or as the load can."""
        with contextlib.ExitStack() as stack:
            for name, _, plain in self.started(stack):
                if plain:
                    self.bench.add(name, **{"tls p99 alone": self.plain_p99(plain)})
            for name, server, plain in self.started(stack):
                if plain:
                    with Handshakes(server, self.bench.load_cpus) as handshakes:
                        self.bench.add(name, **{"tls p99": self.plain_p99(plain)})
                    self.bench.add(name, **{"tls handshakes": handshakes.rate})

    def plain_p99(self, plain):
        result = measure.load(plain, "--connections=50", f"--rate={PLAIN_RATE}", "--workers=1",
                              f"--duration={self.bench.sizes.tls_disturbed}s", cpus=self.bench.load_cpus)
        return result["latency_us"]["p99"]


class Handshakes:
    """Clients that come, ask once, and go. They have the lowest priority, so that the measuring ask-bench beside them is
    not late. As SCHED_IDLE they might not even get the time to end."""

    def __init__(self, server, cpus):
        def prepare():
            os.sched_setaffinity(0, cpus)
            os.nice(19)

        self.rate = None
        before = server.cpu_ns()
        command = measure.load_command(server, *CLIENT, "--churn", "--connections=50", f"--rate={HANDSHAKES}",
                                       "--workers=1", f"--duration={turns.LONGEST}s", f"--timeout={turns.LONGEST}s")
        # It dies with the bench.
        self._process = subprocess.Popen([sys.executable, "-SE", servers.ACTIVATE, "", *command],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                         preexec_fn=prepare)
        net.wait_until(lambda: server.cpu_ns() - before > turns.AT_WORK_NS, interval=0.001, what="some handshakes")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        out, err = self._process.communicate(timeout=60)
        result = json.loads(out) if out else {"errors": {"none": err.decode()}}
        # What was due and not begun at the end does not matter.
        if set(result["errors"]) - {"unanswered"}:
            raise AssertionError(f"ask-bench: {result['errors']}")
        self.rate = result["achieved"]["connects"] / result["achieved"]["seconds"]


def idle_memory(server, connections):
    """The server's own bytes per connection, once each has been answered."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = server.address.split(":")

    def ask():
        sock = context.wrap_socket(net.connect((host, int(port))))
        sock.sendall(MESSAGE)
        measure.answered(sock)
        return sock

    ask().close()
    before = server.anonymous_bytes()
    with contextlib.ExitStack() as stack:
        for _ in range(connections):
            stack.enter_context(ask())
        return (server.anonymous_bytes() - before) / connections


def work(bench):
    """(column, connections, options for ask-bench)."""
    return [("tls 50", 50, []), ("tls 1000", bench.sizes.many, []), ("tls full", 50, ["--churn"]),
            ("tls resumed", 50, ["--churn", "--tls-resume"])]


def measure_all(bench, rounds):
    bench.raise_limit()
    if "+openssl" not in subprocess.run([daemon.program("ask-bench"), "--version"], capture_output=True, text=True,
                                        check=True).stdout:
        bench.missing["tls"] = "ask-bench is built without OpenSSL"
        return
    with tempfile.TemporaryDirectory(prefix="answerd-tls") as folder, contextlib.ExitStack() as stack:
        place = Place(folder, bench.server_cpus, bench.load_cpus)
        place.start_backend(stack)
        m = Measurement(bench, place)
        m.memory()
        for number in range(rounds):
            bench.say(f"tls, round {number + 1} of {rounds}")
            for column, connections, options in work(bench):
                m.cpu(column, connections, options)
            m.disturbance()


COLUMNS = [("tls 50", "µs of CPU per message, 50 connections", ".2f"),
           ("tls 1000", "{many:,} connections", ".2f"),
           ("tls full", "µs of CPU per handshake and message", ".0f"),
           ("tls resumed", "… resumed", ".0f"),
           ("tls idle", "bytes of its own per idle connection", ",.0f")]
DISTURBANCE = [("tls p99 alone", "alone", ",.0f"), ("tls p99", "beside handshakes", ",.0f"),
               ("tls handshakes", "handshakes a second", ",.0f")]


def tables(bench, row, figure, ratio):
    """Markdown, with the ratios to the floor."""
    parts = []
    for title, columns, first in (("TLS 1.3, ECDSA P-256", COLUMNS, "tls 50"),
                                  (f"99 % of {PLAIN_RATE:,} plain messages a second answered within, µs", DISTURBANCE,
                                   "tls p99")):
        found = [r.name for r in rows(bench) if bench.median(r.name, first) is not None]
        if found:
            parts.append([row([title] + [t.format(many=bench.sizes.many) for _, t, _ in columns]),
                          row(["---"] + ["---:"] * len(columns))] +
                         [row([name] + [figure(bench.median(name, k), form) +
                                        ratio(bench.median(name, k), bench.median("floor, TLS", k))
                                        for k, _, form in columns]) for name in found])
    return parts
