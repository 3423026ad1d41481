# SPDX-License-Identifier: LGPL-2.1-or-later
"""Broken configurations: the start is refused with file, line and reason; a reload leaves all as it was."""

import os
import subprocess
import tempfile
import unittest

import net
import tap
from daemon import Daemon, program

CONFIG = 78
SPAN = "a time span like 500ms, 30s, 5min or infinity"
SIZE = "a size from 1 to 256M, like 64K"
COUNT = "a number from 1, or infinity"
LISTENER = "[Listener default]\n"
FIELDS = "there are {message} {id} {peer} {listener} {seq} {time}, and {{ for a brace"

# The file, the line of the first thing that is wrong, and what is said of it.
BROKEN = [
    ("Workers=1\n", 1, "Workers= stands before any section; begin with [Server] or [Listener NAME]"),
    ("[Sever]\n", 1, "unknown section [Sever]; did you mean [Server]?"),
    ("[server]\n", 1, "unknown section [server]; did you mean [Server]?"),
    ("[Listener]\n", 1, "unknown section [Listener]"),
    ("[Listener ]\n", 1, "a listener's name is one or more characters without colon: [Listener ]"),
    ("[Listener a:b]\n", 1, "a listener's name is one or more characters without colon: [Listener a:b]"),
    ("[Client]\nA=1\n", 1, "unknown section [Client]"),
    ("[Server\n", 1, "] is missing"),
    ("[Server] x\n", 1, "nothing may follow ]"),
    ("[Server]\nWorkers\n", 2, "neither [SECTION], KEY=VALUE nor # comment"),
    ("[Server]\n Workers=1\n", 2, "a line may not begin with a space"),
    ("[Server]\nWorkers=1 ; two\n", 2, "no comment may follow a value; in a reply, write \\x3b for a "
                                       "semicolon after a space"),
    ("[Server]\nWorkers=1\0\n", 2, "there is a NUL byte in this line"),
    ("[Server]\nworkers=1\n", 2, "unknown key workers= in [Server]; did you mean Workers=?"),
    ("[Server]\nListen=:80\n", 2, "unknown key Listen= in [Server]"),
    ("[Server]\n=1\n", 2, "unknown key = in [Server]"),
    (LISTENER + "Workers=1\n", 2, "unknown key Workers= in [Listener]"),
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
    ("[Server]\nDrainTimeout=0\n", 2, "DrainTimeout=0: not " + SPAN),
    ("[Server]\nDrainTimeout=ten\n", 2, "DrainTimeout=ten: not " + SPAN),
    ("[Server]\nDrainTimeout=5 parsecs\n", 2, "DrainTimeout=5 parsecs: not " + SPAN),
    ("[Server]\nMemoryLimit=lots\n", 2, "MemoryLimit=lots: not a size like 64M, or infinity"),
    ("[Server]\nMemoryLimit=0\n", 2, "MemoryLimit=0: not a size like 64M, or infinity"),
    (LISTENER + "Framing=LINE\n", 2, "Framing=LINE: not line, length, netstring or chunk"),
    (LISTENER + "Record=syslog\n", 2, "Record=syslog: not journal, stderr or none"),
    (LISTENER + "MaxMessageSize=0\n", 2, "MaxMessageSize=0: not " + SIZE),
    (LISTENER + "MaxMessageSize=257M\n", 2, "MaxMessageSize=257M: not " + SIZE),
    (LISTENER + "MaxMessageSize=64KB\n", 2, "MaxMessageSize=64KB: not " + SIZE),
    (LISTENER + "OutputLimit=infinity\n", 2, "OutputLimit=infinity: not " + SIZE),
    (LISTENER + "IdleTimeout=-5s\n", 2, "IdleTimeout=-5s: not " + SPAN),
    (LISTENER + "MessageTimeout=\n", 2, "MessageTimeout=: not " + SPAN),
    (LISTENER + "WriteTimeout=0s\n", 2, "WriteTimeout=0s: not " + SPAN),
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
    (LISTENER + "Reply=a}b\n", 2, "Reply=a}b: at character 2: a brace is closed that was not opened; "
                                  "write }} for a brace"),
    (LISTENER + "Reply=\\x4\n", 2, "Reply=\\x4: unknown escape; there are \\n \\r \\t \\\\ \\xHH"),
    (LISTENER + "Reply=" + "x" * 200 + "\n", 2, "a line has at most 198 bytes"),
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
                     "[Server]\nWorkers = 1\n", "[Server]\nWorkers: 1\n", "[Listener a b]\n",
                     "[Server]\nWorkers=1\n[Listener x]\n[Server]\nDrainTimeout=1min 30s\n",
                     LISTENER + "Reply=\n", LISTENER + "Reply=a;b # c\n", LISTENER + "Reply={{}} \\x00\n",
                     LISTENER + "MaxMessageSize=256M\nRateLimit=infinity\nIdleTimeout=infinity\n"]:
            with self.subTest(text=text), tempfile.NamedTemporaryFile("w") as file:
                file.write(text)
                file.flush()
                done = subprocess.run([program(), "--check", "--config=" + file.name], timeout=net.TIMEOUT,
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, check=False)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))


class OnReload(unittest.TestCase):
    GOOD = LISTENER + "Listen=127.0.0.1:0\nReply={seq}\nRecord=none\n"

    def test_each_is_refused_and_the_old_one_stays(self):
        daemon = Daemon(self, [], config=self.GOOD)
        with daemon.connect() as client:
            for number, (text, line, reason) in enumerate(BROKEN, 1):
                with self.subTest(text=text):
                    said = daemon.reload(text)
                    self.assertEqual(said, "reload refused, the configuration stays as it was: "
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
        self.assertEqual(daemon.reload(), "reload refused, the configuration stays as it was: "
                                          f"{daemon.config_path}: No such file or directory")
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"1\n")
        daemon.write_config("")
        daemon.stop()

    def test_an_address_that_cannot_be_listened_on(self):
        daemon = Daemon(self, [], config=self.GOOD)
        with net.listener() as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            said = daemon.reload(LISTENER + "Listen=127.0.0.1:0\nReply=new\n[Listener b]\nListen=" + address)
        self.assertEqual(said, "reload refused, the configuration stays as it was: "
                               f"cannot listen on {address}: Address already in use")
        self.assertEqual(net.exchange(daemon.address(), b"a\n"), b"1\n")
        daemon.stop()


if __name__ == "__main__":
    tap.main()
