# SPDX-License-Identifier: LGPL-2.1-or-later
"""A journal that is only a socket, for tests that need no journald. It can stop and resume at will."""

import os
import select
import socket
import struct
import tempfile
import threading

import net


def decode(datagram):
    """An entry in the journal's native protocol: field names to lists of values, as bytes."""
    fields, at = {}, 0
    while at < len(datagram):
        end = datagram.index(b"\n", at)
        name, equals, value = datagram[at:end].partition(b"=")
        at = end + 1
        if not equals:
            (size,) = struct.unpack_from("<Q", datagram, at)
            value = datagram[at + 8:at + 8 + size]
            if len(value) != size or datagram[at + 8 + size:at + 9 + size] != b"\n":
                raise ValueError(f"{name!r} is cut")
            at += 9 + size
        fields.setdefault(name.decode("ascii"), []).append(value)
    return fields


class JournalSocket:
    """Takes entries into a list, as journald does, and can stop."""

    def __init__(self, test):
        self._directory = tempfile.TemporaryDirectory(prefix="aw", dir="/tmp")
        self.socket_path = os.path.join(self._directory.name, "socket")
        self.entries = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.socket_path)
        self._wake, self._woken = socket.socketpair()
        test.addCleanup(self.close)
        self.resume()

    def _take(self):
        data, ancillary, _, _ = self._socket.recvmsg(1 << 20, socket.CMSG_SPACE(4))
        # Too large for a datagram: the entry is in a file (systemd's JOURNAL_NATIVE_PROTOCOL).
        for _, _, passed in ancillary:
            (fd,) = struct.unpack("i", passed)
            with open(fd, "rb") as file:
                file.seek(0)
                data = file.read()
        self.entries.append(decode(data))

    def _read(self):
        while True:
            readable, _, _ = select.select([self._socket, self._woken], [], [])
            if self._woken in readable:
                self._woken.recv(1)
                return
            self._take()

    def records(self):
        """The messages, in the order of entries."""
        return [e["ANSWERD_DATA"][0] for e in list(self.entries) if "ANSWERD_DATA" in e]

    def wait_for(self, count, timeout=net.TIMEOUT):
        """The messages, once there are that many or the time is over."""
        try:
            net.wait_until(lambda: len(self.records()) >= count, timeout)
        except AssertionError:
            pass
        return self.records()

    def pause(self):
        """Stops reading. Once the queue is full, senders get EAGAIN."""
        if self._thread.is_alive():
            self._wake.send(b"x")
            self._thread.join()

    def resume(self):
        """Resumes reading."""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close_reader(self):
        """Reads what has been sent so far, then stops."""
        self.pause()
        while select.select([self._socket], [], [], 0)[0]:
            self._take()

    def close(self):
        self.pause()
        for sock in (self._socket, self._wake, self._woken):
            sock.close()
        self._directory.cleanup()
