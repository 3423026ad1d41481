# SPDX-License-Identifier: LGPL-2.1-or-later
"""Other people's programs as senders, in a folder for the test. They end with it."""

import os
import shutil
import signal
import subprocess
import tempfile

import net
from daemon import ACTIVATE, Daemon
from journal_socket import JournalSocket

SBIN = ":/usr/sbin:/sbin"
# A program that sends its standard input to a port and closes.
ASYNCIO = """
import asyncio, sys
async def main():
    _, writer = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    writer.write(sys.stdin.buffer.read())
    writer.close()
    await writer.wait_closed()
asyncio.run(main())
"""


def numbered(count):
    """That many messages, and the lines that contain them."""
    messages = [b"%d" % n for n in range(count)]
    return messages, b"".join(m + b"\n" for m in messages)


def require(test, *programs):
    """Skips the test if a program is not installed. Returns the path of the last one."""
    found = None
    for program in programs:
        found = shutil.which(program, path=os.environ["PATH"] + SBIN)
        if not found:
            test.skipTest(program + " is not installed")
    return found


def folder(test):
    path = tempfile.mkdtemp(prefix="as", dir="/tmp")
    test.addCleanup(shutil.rmtree, path)
    return path


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


class Program:
    """A program that runs until the end of the test. It has its own session, so its children end, too."""

    def __init__(self, test, command, **rest):
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        start_new_session=True, **rest)
        test.addCleanup(self.end)

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        self.signal(signal.SIGTERM)
        self.process.wait(timeout=net.TIMEOUT)

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended already
        self.process.wait()
        self.log.close()


class Served:
    """An answerd that can be started again: the test holds its sockets, as systemd does."""

    def __init__(self, test, config="", listeners=1):
        self.test, self.config = test, config
        self.journal = JournalSocket(test)
        self.sockets = [net.listener() for _ in range(listeners)]
        for sock in self.sockets:
            test.addCleanup(sock.close)
        self.start()

    def start(self):
        self.daemon = Daemon.activate(self.test, [(s, None) for s in self.sockets], config=self.config,
                                      journal=self.journal)

    def restart(self):
        self.daemon.stop()
        self.start()

    def kill(self):
        self.daemon.kill()
        self.start()

    def reload(self):
        after = len(self.daemon.notify.all())
        self.daemon.signal(signal.SIGHUP)
        self.daemon.notify.wait_for("READY", "1", after=after)

    def port(self):
        return self.sockets[0].getsockname()[1]

    def records(self):
        return self.journal.records()


def activated(sock, *command):
    """A command that passes a socket to a program as systemd does. The caller must pass the descriptor on."""
    return ["python3", "-SE", ACTIVATE, str(sock.fileno()), *command]
