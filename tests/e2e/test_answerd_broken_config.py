# SPDX-License-Identifier: LGPL-2.1-or-later
"""Broken configurations: a start fails with file, line and reason; a reload changes nothing."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import net
import tap
from daemon import Daemon, program

CONFIG = 78
SPAN = "a time span like 500ms, 30s, 5min or infinity"
ZERO = "a time span above 0; "
OFF = ZERO + "infinity switches this timeout off"
SIZE = "a size from 1 to 256M, like 64K"
ADDRESSES = "addresses like 192.0.2.7 10.0.0.0/8 2001:db8::/32 unix"
COUNT = "a number from 1, or infinity"
LISTENER = "[Listener default]\n"
FIELDS = "use {message} {id} {peer} {identity} {listener} {seq} {time}, or {{ for a brace"

# The file, the line of the first error, and the message.
BROKEN = [
    ("Workers=1\n", 1, "Workers= is outside any section; begin with [Server] or [Listener NAME]"),
    ("[Sever]\n", 1, "unknown section [Sever]; did you mean [Server]?"),
    ("[server]\n", 1, "unknown section [server]; did you mean [Server]?"),
    ("[Listener ]\n", 1, "a listener's name has at least one character and no colon: [Listener ]"),
    ("[Listener a:b]\n", 1, "a listener's name has at least one character and no colon: [Listener a:b]"),
    ("[Listener " + "n" * 256 + "]\n", 1, "a listener's name has at most 255 bytes: [Listener " + "n" * 188 + "…]"),
    ("[Client]\nA=1\n", 1, "unknown section [Client]"),
    ("[Server\n", 1, "] is missing"),
    ("[Server] x\n", 1, "nothing may follow ]"),
    ("[Server]\nWorkers\n", 2, "expected [SECTION], KEY=VALUE or # comment"),
    ("[Server]\n Workers=1\n", 2, "a line may not begin with a space"),
    ("[Server]\nWorkers=1 ; two\n", 2, "no comment may follow a value; in a reply, write \\x3b for a "
                                       "semicolon after a space"),
    ("[Server]\nWorkers=1\0\n", 2, "the line contains a NUL byte"),
    ("[Server]\nworkers=1\n", 2, "unknown key workers= in [Server]; did you mean Workers=?"),
    ("[Server]\nListen=:80\n", 2, "unknown key Listen= in [Server]; it belongs in [Listener NAME]"),
    ("[Server]\n=1\n", 2, "unknown key = in [Server]"),
    (LISTENER + "Workers=1\n", 2, "unknown key Workers= in [Listener]; it belongs in [Server]"),
    (LISTENER + "Framming=line\n", 2, "unknown key Framming= in [Listener]; did you mean Framing=?"),
    (LISTENER + "\n# c\n; c\nBacklog=5\n", 5, "unknown key Backlog= in [Listener]"),
    ("[Server]\nWorkers=0\n", 2, "Workers=0: not a number from 1 to 1024, or auto"),
    ("[Server]\nWorkers=1025\n", 2, "Workers=1025: not a number from 1 to 1024, or auto"),
    ("[Server]\nWorkers=two\n", 2, "Workers=two: not a number from 1 to 1024, or auto"),
    ("[Server]\nWorkers=\n", 2, "Workers=: not a number from 1 to 1024, or auto"),
    ("[Server]\nMaxConnections=0\n", 2, "MaxConnections=0: not " + COUNT),
    ("[Server]\nMaxConnections=-1\n", 2, "MaxConnections=-1: not " + COUNT),
    ("[Server]\nMaxConnections=18446744073709551616\n", 2, "MaxConnections=18446744073709551616: not " + COUNT),
    ("[Server]\nMaxConnectionsPerAddress=1K\n", 2, "MaxConnectionsPerAddress=1K: not " + COUNT),
    ("[Server]\nDrainTimeout=0\n", 2, "DrainTimeout=0: not " + ZERO + "1ms is the shortest, infinity waits forever"),
    ("[Server]\nDrainTimeout=ten\n", 2, "DrainTimeout=ten: not " + SPAN),
    ("[Server]\nDrainTimeout=5 parsecs\n", 2, "DrainTimeout=5 parsecs: not " + SPAN),
    ("[Server]\nMemoryLimit=lots\n", 2, "MemoryLimit=lots: not a size like 64M, or infinity"),
    ("[Server]\nMemoryLimit=0\n", 2, "MemoryLimit=0: not a size like 64M, or infinity"),
    (LISTENER + "Allow=\n", 2, "Allow=: not any, or " + ADDRESSES),
    (LISTENER + "Allow=10.0.0.0/33\n", 2, "Allow=10.0.0.0/33: not any, or " + ADDRESSES),
    (LISTENER + "Deny=192.0.2.1 10.0.0.1/8\n", 2, "Deny=192.0.2.1 10.0.0.1/8: not none, or " + ADDRESSES),
    (LISTENER + "Proxy=yes\n", 2, "Proxy=yes: not off, v1, v2 or any"),
    (LISTENER + "Proxy=v2\n", 2, "Proxy=v2: also set ProxyFrom= to the addresses of your proxies"),
    (LISTENER + "ProxyFrom=10.0.0.5\nProxy=any\nProxyFrom=none\n", 3,
     "Proxy=any: also set ProxyFrom= to the addresses of your proxies"),
    (LISTENER + "Framing=LINE\n", 2, "Framing=LINE: not line, length, netstring or chunk"),
    (LISTENER + "Record=syslog\n", 2, "Record=syslog: not journal, log, stderr or none"),
    ("[Log]\nDirectory=log\n", 2, "Directory=log: not an absolute path"),
    ("[Log]\nSegmentSize=1K\n", 2, "SegmentSize=1K: not a size from 64K to 1G"),
    ("[Log]\nMaxUse=100M\n", 2, "MaxUse=100M: less than twice SegmentSize="),
    (LISTENER + "Record=log\nMaxMessageSize=64M\n", 3, "MaxMessageSize=64M of [Listener default] is too large for "
     "SegmentSize=64M: the log takes messages of up to 67103166 bytes. Set a smaller MaxMessageSize=, or a larger "
     "SegmentSize="),
    (LISTENER + "Record=log\n[Log]\nSegmentSize=64K\n", 4, "MaxMessageSize=64K of [Listener default] is too large for "
     "SegmentSize=64K: the log takes messages of up to 59838 bytes. Set a smaller MaxMessageSize=, or a larger "
     "SegmentSize="),
    ("[Log]\nKeepFree=-1\n", 2, "KeepFree=-1: not a size like 1G, or 0"),
    ("[Log]\nMaxAge=0\n", 2, "MaxAge=0: not " + ZERO + "infinity keeps records of any age"),
    (LISTENER + "Listen=8080\n", 2, "Listen=8080: a port has a colon before it; write :PORT or HOST:PORT"),
    (LISTENER + "Listen=run/socket\n", 2, "Listen=run/socket: a socket's path begins with / or @"),
    (LISTENER + "Listen=\n", 2, "Listen=: the address is missing"),
    ("[Listener]\n", 1, "unknown section [Listener]; did you mean [Listener default]?"),
    ("[Server]\nMaxMessageSize=1K\n", 2, "unknown key MaxMessageSize= in [Server]; it belongs in [Listener NAME]"),
    ("[Log]\nSync=0\n", 2, "Sync=0: not always, or a time span above 0, like 100ms"),
    ("[Log]\nWhenFull=drop\n", 2, "WhenFull=drop: not rotate or wait"),
    ("[Log]\nMirror=syslog\n", 2, "Mirror=syslog: not journal or none"),
    ("[Log]\nMaxuse=1G\n", 2, "unknown key Maxuse= in [Log]; did you mean MaxUse=?"),
    ("[log]\n", 1, "unknown section [log]; did you mean [Log]?"),
    (LISTENER + "MaxMessageSize=0\n", 2, "MaxMessageSize=0: not " + SIZE),
    (LISTENER + "MaxMessageSize=257M\n", 2, "MaxMessageSize=257M: not " + SIZE),
    (LISTENER + "MaxMessageSize=64KB\n", 2, "MaxMessageSize=64KB: not " + SIZE),
    (LISTENER + "OutputLimit=infinity\n", 2, "OutputLimit=infinity: not " + SIZE),
    (LISTENER + "IdleTimeout=-5s\n", 2, "IdleTimeout=-5s: not " + SPAN),
    (LISTENER + "MessageTimeout=\n", 2, "MessageTimeout=: not " + SPAN),
    (LISTENER + "WriteTimeout=0s\n", 2, "WriteTimeout=0s: not " + OFF),
    (LISTENER + "IdleTimeout=0\n", 2, "IdleTimeout=0: not " + OFF),
    (LISTENER + "RateLimit=0\n", 2, "RateLimit=0: not messages a second, from 1 to 1000000, or infinity"),
    (LISTENER + "RateLimit=1.5\n", 2, "RateLimit=1.5: not messages a second, from 1 to 1000000, or infinity"),
    (LISTENER + "Listen=localhost\n", 2, "Listen=localhost: the port is missing; write HOST:PORT, :PORT, "
                                         "[V6]:PORT, /path or @abstract"),
    (LISTENER + "Listen=[::1]\n", 2, "Listen=[::1]: an IPv6 address is written [ADDRESS]:PORT"),
    (LISTENER + "Listen=127.0.0.1:http:\n", 2, "Listen=127.0.0.1:http:: an IPv6 address is written "
                                               "[ADDRESS]:PORT"),
    (LISTENER + "Listen=127.0.0.1:-1\n", 2, "Listen=127.0.0.1:-1: a port is a number or the name of a service"),
    (LISTENER + "Listen=@\n", 2, "Listen=@: a socket's path is missing"),
    (LISTENER + "Reply={msg}\n", 2, "Reply={msg}: unknown field; " + FIELDS),
    (LISTENER + "Reply=got {id\n", 2, "Reply=got {id: at character 5: unknown field; " + FIELDS),
    (LISTENER + "Reply=a}b\n", 2, "Reply=a}b: at character 2: unmatched }; write }} for a brace"),
    (LISTENER + "Reply=\\x4\n", 2, "Reply=\\x4: unknown escape; use \\n \\r \\t \\\\ or \\xHH"),
    (LISTENER + "Reply=" + "x" * (1 << 16) + "\nFraming=x\n", 2, "a line has at most 65536 bytes"),
    (LISTENER + "Reply=" + "x" * 60000 + "{\n", 2, "Reply=" + "x" * 197 + "…: at character 60001: unknown field; " + FIELDS),
]


class AtStart(unittest.TestCase):
    def test_each_is_refused_with_file_line_and_reason(self):
        self.assertGreaterEqual(len(BROKEN), 50)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.conf")
            for text, line, reason in BROKEN:
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text)
                for options in [], ["--check"]:
                    with self.subTest(text=text, options=options):
                        done = subprocess.run([program(), "--config=" + path, *options], timeout=net.TIMEOUT,
                                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                              stderr=subprocess.PIPE, check=False)
                        self.assertEqual(done.returncode, CONFIG)
                        self.assertEqual(done.stdout, b"")
                        self.assertEqual(done.stderr.decode().splitlines()[0],
                                         f"answerd: {path}:{line}: {reason}")

    def test_what_is_fine(self):
        for text in ["", "\n\n", "# only\n; comments\n", "[Server]", "[Server]\r\nWorkers=1\r\n",
                     "[Server]\nWorkers = 1\n", "[Server]\nWorkers: 1\n", "[Listener a b]\n", "[Listener " + "n" * 255 + "]\nRecord=log\n",
                     "[Server]\nWorkers=1\n[Listener x]\n[Server]\nDrainTimeout=1min 30s\n",
                     LISTENER + "Reply=\n", LISTENER + "Reply=a;b # c\n", LISTENER + "Reply={{}} \\x00\n",
                     LISTENER + "Reply=" + "x" * 60000 + "\n", LISTENER + "OutputLimit=64k\n[Server]\nMemoryLimit=1g\n",
                     "\ufeff[Server]\nWorkers=1\n",
                     LISTENER + "Record=none\nMaxMessageSize=256M\nRateLimit=infinity\nIdleTimeout=infinity\n"]:
            with self.subTest(text=text), tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                done = subprocess.run([program(), "--check", "--config=" + file.name], timeout=net.TIMEOUT,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))


class Parts(unittest.TestCase):
    """FILE.d/*.conf beside the file."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "a.conf")
        os.mkdir(self.path + ".d")

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def check(self, *options):
        return subprocess.run([program(), "--check", "--config=" + self.path, *options], timeout=net.TIMEOUT, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)

    def test_values_in_force_and_where_they_come_from(self):
        self.write("a.conf", "[Server]\nWorkers=2\n[Listener default]\nReply=one\nListen=:1\nIdleTimeout=5min\n")
        self.write("a.conf.d/20.conf", "[Listener default]\nReply=three\nListen=:3\n[Listener b]\nMaxMessageSize=1k\n")
        self.write("a.conf.d/10.conf", "# more\n[Listener default]\nReply=two\nListen=:2\n")
        self.write("a.conf.d/.30.conf", "broken")
        self.write("a.conf.d/40.conf.bak", "broken")
        done = self.check("-v", "--framing=chunk")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        part = self.path + ".d/"
        # Where the program keeps its state depends on how it was configured.
        said = re.sub(r"=/\S+/lib/answerd", "=/var/lib/answerd", done.stdout)
        self.assertEqual([line.split() for line in said.splitlines()], [line.split() for line in f"""\
[Server]
DrainTimeout=10s default
MaxConnections=what LimitNOFILE= allows default
MaxConnectionsPerAddress=infinity default
MemoryLimit=a quarter of the memory default
Workers=2 {self.path}:2

[Log]
Directory=/var/lib/answerd default
KeepFree=a seventh of the disk, at most 4G default
MaxAge=infinity default
MaxUse=a tenth of the disk, at most 4G default
Mirror=journal default of a service
SegmentSize=64M default
Sync=always default
WhenFull=rotate default

[Listener default]
Listen=:1 {self.path}:5
Listen=:2 {part}10.conf:4
Listen=:3 {part}20.conf:3
Reply=three {part}20.conf:2
Allow=any default
Deny=none default
Framing=chunk --framing
IdleTimeout=5min {self.path}:6
MaxMessageSize=64K default
MessageTimeout=30s default
OutputLimit=256K default
Proxy=off default
ProxyFrom=none default
RateLimit=infinity default
Record=journal default of a service
Refuse=none default of a service
TLS=none default
WriteTimeout=30s default

[Listener b]
Reply=ok default
Allow=any default
Deny=none default
Framing=chunk --framing
IdleTimeout=infinity default
MaxMessageSize=1k {part}20.conf:5
MessageTimeout=30s default
OutputLimit=256K default
Proxy=off default
ProxyFrom=none default
RateLimit=infinity default
Record=journal default of a service
Refuse=none default of a service
TLS=none default
WriteTimeout=30s default
""".splitlines()])

    def test_the_sources_stand_in_one_column(self):
        self.write("a.conf", "[Log]\nDirectory=/" + "long/" * 20 + "\nSync=1s\n[Listener default]\nReply=für " + "x" * 40 + "\n")
        lines = [line for line in self.check("-v").stdout.splitlines() if line and line[0] != "["]
        source = re.compile(rf" (default( of a service)?|{re.escape(self.path)}:\d)$")
        columns = {source.search(line).start() for line in lines if not line.startswith("Directory=/long/")}
        self.assertEqual(columns, {len("Reply=für " + "x" * 40)})

    def test_the_folder_of_the_log_in_force(self):
        self.write("a.conf", "")

        def folder(state):
            done = subprocess.run([program(), "--check", "-v", "--config=" + self.path], timeout=net.TIMEOUT, text=True,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True,
                                  env={**os.environ, "STATE_DIRECTORY": state})
            return re.search(r"^(Directory=\S+) +(\S+)$", done.stdout, re.MULTILINE).groups()

        self.assertEqual(folder("/tmp/state"), ("Directory=/tmp/state", "$STATE_DIRECTORY"))
        # Several, of which none is meant.
        self.assertEqual(folder("/tmp/state:/tmp/other")[1], "default")
        self.write("a.conf", "[Log]\nDirectory=/tmp/named\n")
        self.assertEqual(folder("/tmp/state"), ("Directory=/tmp/named", self.path + ":2"))

    def test_proxies_without_a_proxy_header(self):
        self.write("a.conf", "[Listener default]\nProxyFrom=10.0.0.5\n")
        done = self.check()
        self.assertEqual((done.returncode, done.stderr),
                         (0, f"answerd: {self.path}:2: ProxyFrom=10.0.0.5 has no effect without Proxy=\n"))

    def test_addresses_in_force(self):
        self.write("a.conf", "[Listener default]\nListen=:1\n")
        self.assertRegex(self.check("-v", "--listen=:7").stdout, r"\[Listener default\]\nListen=:7 +--listen\nReply")
        self.write("a.conf", "")
        self.assertRegex(self.check("-v").stdout, r"\[Listener default\]\nListen=127.0.0.1:8080 +default\nReply")

    def test_a_section_does_not_reach_into_the_next_file(self):
        self.write("a.conf", "[Server]\n")
        self.write("a.conf.d/1.conf", "Workers=1\n")
        done = self.check()
        self.assertEqual(done.returncode, CONFIG)
        self.assertIn(f"{self.path}.d/1.conf:1: Workers= is outside any section", done.stderr)

    def test_what_is_wrong_in_all_of_them(self):
        self.write("a.conf", "[Sever]\n")
        self.write("a.conf.d/1.conf", "\n[Listner a]\n")
        os.mkdir(self.path + ".d/2.conf")
        self.assertEqual(self.check().stderr, f"""\
answerd: {self.path}:1: unknown section [Sever]; did you mean [Server]?
answerd: {self.path}.d/1.conf:2: unknown section [Listner a]; did you mean [Listener NAME]?
answerd: {self.path}.d/2.conf: cannot be read: Is a directory
""")

    def test_the_folder_alone(self):
        self.write("a.conf.d/1.conf", "[Server]\nWorkers=3\n")
        self.assertIn(f"Workers=3 {self.path}.d/1.conf:2", " ".join(self.check("-v").stdout.split()))

    def test_reload(self):
        daemon = Daemon(self, [], config=OnReload.GOOD)
        folder = daemon.config_path + ".d"
        os.mkdir(folder)
        self.addCleanup(shutil.rmtree, folder)
        with open(folder + "/1.conf", "w", encoding="utf-8") as file:
            file.write(LISTENER + "Reply=part\n")
        self.assertEqual(daemon.reload(), "reloaded: " + daemon.config_path)
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"part\n")
        daemon.stop()


class OnReload(unittest.TestCase):
    GOOD = LISTENER + "Listen=127.0.0.1:0\nReply={seq}\nRecord=none\n"

    def test_each_is_refused_and_the_old_one_stays(self):
        daemon = Daemon(self, [], config=self.GOOD)
        with daemon.connect() as client:
            for number, (text, line, reason) in enumerate(BROKEN, 1):
                with self.subTest(text=text):
                    said = daemon.reload(text)
                    self.assertEqual(said, "reload refused, the old configuration stays in force: "
                                           f"{daemon.config_path}:{line}: {reason}")
                    client.sendall(b"x\n")
                    self.assertEqual(net.recv_line(client), b"%d\n" % number)
                    self.assertEqual(net.exchange(daemon.address(), b"a\nb\n"), b"1\n2\n")
        self.assertEqual(daemon.reload(self.GOOD.replace("{seq}", "new")), "reloaded: " + daemon.config_path)
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"new\n")
        daemon.stop()

    def test_a_file_that_is_gone(self):
        daemon = Daemon(self, [], config=self.GOOD)
        os.unlink(daemon.config_path)
        self.assertEqual(daemon.reload(), "reload refused, the old configuration stays in force: "
                                          f"{daemon.config_path}: No such file or directory")
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"1\n")
        daemon.write_config("")
        daemon.stop()

    def test_an_address_that_cannot_be_listened_on(self):
        daemon = Daemon(self, [], config=self.GOOD)
        with net.listener() as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            said = daemon.reload(LISTENER + "Listen=127.0.0.1:0\nReply=new\n[Listener b]\nListen=" + address)
        self.assertEqual(said, "reload refused, the old configuration stays in force: "
                               f"cannot listen on {address}: Address already in use")
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"1\n")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
