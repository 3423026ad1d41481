# SPDX-License-Identifier: LGPL-2.1-or-later
"""A flood of everything that uses memory, on a service limited to 64 MiB: the daemon turns clients away and is not
killed."""

import os
import re
import selectors
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import booted
import net
import tap

LIMIT = 64 << 20
CLIENTS = 1000
SECONDS = 5.0
# Unfinished messages, and echoes that nobody reads.
UNFINISHED = b"u" * 60000
ECHOED = (b"e" * 10000 + b"\n") * 6

system = None


def setUpModule():
    global system
    system = booted.start()
    system.run("systemctl start answerd.socket")


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read()


class Unified:
    """MemoryMax= of the unit, if the container's systemd has the memory controller."""

    FOLDER = "/sys/fs/cgroup/system.slice/answerd.service/"

    def __init__(self, test):
        if "memory" not in system.run("cat /sys/fs/cgroup/cgroup.controllers", check=False).split():
            raise FileNotFoundError("the container has no memory controller")
        test.addCleanup(system.drop_in, "answerd.service", "")
        system.drop_in("answerd.service", f"[Service]\nMemoryMax={LIMIT}\n")
        system.run("systemctl restart answerd.service")
        self.settings = ""  # the daemon's default is a quarter of MemoryMax=

    def enter(self):
        pass

    def killed(self):
        return int(re.search(r"^oom_kill (\d+)$", system.run(f"cat {self.FOLDER}memory.events"), re.MULTILINE).group(1))

    def peak(self):
        return int(system.run(f"cat {self.FOLDER}memory.peak || cat {self.FOLDER}memory.current"))


class Legacy:
    """The test's own group in cgroup v1, which systemd does not delegate to a container."""

    def __init__(self, test):
        self.folder = f"/sys/fs/cgroup/memory/answerd-test-{os.getpid()}"
        os.mkdir(self.folder)
        test.addCleanup(self.remove)
        with open(f"{self.folder}/memory.limit_in_bytes", "w", encoding="ascii") as file:
            file.write(str(LIMIT))
        # The daemon reads only the limit of cgroup v2, of which its default is a quarter.
        self.settings = f"[Server]\nMemoryLimit={LIMIT // 4}\n"

    def enter(self):
        with open(f"{self.folder}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(system.container.host_pid(system.main_pid())))

    def remove(self):
        system.run("systemctl stop answerd.service")
        os.rmdir(self.folder)

    def killed(self):
        return int(re.search(r"^oom_kill (\d+)$", read(f"{self.folder}/memory.oom_control"), re.MULTILINE).group(1))

    def peak(self):
        return int(read(f"{self.folder}/memory.max_usage_in_bytes"))


class Memory(unittest.TestCase):
    def limit(self):
        reasons = []
        for way in (Unified, Legacy):
            try:
                return way(self)
            except OSError as error:
                reasons.append(str(error))
        self.skipTest("; ".join(reasons))

    def flood(self):
        """Clients that send as much as the daemon takes and read nothing. A client that is cut off comes again."""
        selector = selectors.DefaultSelector()

        def open_client(data):
            sock = system.connect(booted.PORT)
            sock.setblocking(False)
            selector.register(sock, selectors.EVENT_WRITE, data)

        for number in range(CLIENTS):
            open_client((UNFINISHED, ECHOED)[number % 2])
        deadline, again = time.monotonic() + SECONDS, 0
        while time.monotonic() < deadline:
            for key, _ in selector.select(0.1):
                try:
                    key.fileobj.send(key.data)
                    if key.data is UNFINISHED:
                        selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                except BlockingIOError:
                    pass
                except OSError:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    open_client(key.data)
                    again += 1
        return selector, again

    def test_no_oom_kill(self):
        group = self.limit()
        self.addCleanup(system.run, "rm -f /etc/answerd/answerd.conf; systemctl restart answerd.service")
        system.container.write("/etc/answerd/answerd.conf", group.settings +
                               "[Listener default]\nReply={message}\nRecord=none\n")
        system.run("systemctl restart answerd.service")
        group.enter()
        pid = system.main_pid()
        selector, again = self.flood()
        # Other clients are served meanwhile.
        self.assertEqual(system.ask(b"beside the flood"), b"beside the flood\n")
        system.run(f"kill -USR1 {pid}")
        shed = net.wait_until(lambda: re.search(r" shed=(\d+)", system.run("journalctl -q -u answerd -n 50 -o cat")),
                              what="the counters in the journal")
        print(f"{type(group).__name__}: {group.peak() >> 20} MiB at most of {LIMIT >> 20}, {again} clients came again, "
              f"{shed.group(1)} were cut off for want of memory")
        for key in list(selector.get_map().values()):
            key.fileobj.close()
        self.assertEqual(group.killed(), 0)
        self.assertEqual(system.main_pid(), pid)
        self.assertGreater(int(shed.group(1)), 0, "the flood was too small to tell anything")
        self.assertLessEqual(group.peak(), LIMIT)


if __name__ == "__main__":
    tap.main()
