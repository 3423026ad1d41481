# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program on its own terminal, and the screen that it draws.

The terminal understands the output of line editors for a `linux` terminal (console_codes(4)). Any other output fails
the test, since it would be drawn wrong.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import termios
import time
import unicodedata

DEADLINE = 60.0

CONTROL = re.compile(r"\x1b\[([0-9;?]*)([@A-Za-z])|\x1b(.)", re.DOTALL)


def width_of(character):
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """Rows of cells; the second cell of a wide character is ''."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self.wrap = False  # the last column is filled; the next character starts a row
        self._pending = ""

    def text(self):
        """The rows, without trailing spaces and empty rows at the bottom."""
        return "\n".join("".join(row).rstrip() for row in self.cells).rstrip("\n")

    def feed(self, text):
        text = self._pending + text
        self._pending = ""
        at = 0
        while at < len(text):
            if text[at] == "\x1b":
                match = CONTROL.match(text, at)
                if not match or match.group(3) == "[":
                    self._pending = text[at:]
                    return
                self._control(match)
                at = match.end()
            else:
                self._character(text[at])
                at += 1

    def _line_feed(self):
        if self.row < self.rows - 1:
            self.row += 1
        else:
            self.cells = self.cells[1:] + [[" "] * self.columns]

    def _character(self, character):
        if character == "\r":
            self.column, self.wrap = 0, False
        elif character == "\n":
            self._line_feed()
            self.wrap = False
        elif character == "\b":
            self.column, self.wrap = max(0, self.column - 1), False
        elif character == "\x07":
            pass
        elif character < " ":
            raise AssertionError(f"control character {character!r}")
        else:
            self._print(character)

    def _print(self, character):
        width = width_of(character)
        if self.wrap or self.column + width > self.columns:
            self._line_feed()
            self.column, self.wrap = 0, False
        self.cells[self.row][self.column:self.column + width] = [character] + [""] * (width - 1)
        self.column += width
        if self.column == self.columns:
            self.column, self.wrap = self.columns - 1, True

    def _control(self, match):
        if match.group(3):
            raise AssertionError(f"escape sequence {match.group()!r}")
        numbers = [int(n) for n in match.group(1).split(";") if n.isdigit()]
        n = max(numbers[0], 1) if numbers else 1
        command, row = match.group(2), self.cells[self.row]
        if command != "m":
            self.wrap = False
        if command == "A":
            self.row = max(0, self.row - n)
        elif command == "B":
            self.row = min(self.rows - 1, self.row + n)
        elif command == "C":
            self.column = min(self.columns - 1, self.column + n)
        elif command == "D":
            self.column = max(0, self.column - n)
        elif command == "G":
            self.column = n - 1
        elif command == "H":
            self.row, self.column = (numbers + [1, 1])[0] - 1, (numbers + [1, 1])[1] - 1
        elif command == "@":
            row[self.column:] = ([" "] * n + row[self.column:])[:self.columns - self.column]
        elif command == "P":
            row[self.column:] = (row[self.column + n:] + [" "] * n)[:self.columns - self.column]
        elif command in "JK" and not numbers:
            row[self.column:] = [" "] * (self.columns - self.column)
            if command == "J":
                for below in self.cells[self.row + 1:]:
                    below[:] = [" "] * self.columns
        elif command != "m":
            raise AssertionError(f"escape sequence {match.group()!r}")


class Terminal:
    """Runs a program on a new controlling terminal of this size."""

    def __init__(self, test, command, env, columns=40, rows=12):
        self.screen = Screen(columns, rows)
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                self._set_size(0, columns, rows)
                os.execve(command[0], command, {**os.environ, "TERM": "linux", **env})
            finally:
                os._exit(127)
        self._status = None
        self._decoder = b""
        test.addCleanup(self._end)

    @staticmethod
    def _set_size(fd, columns, rows):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, columns, rows):
        """Gives an empty screen of another size, like terminals that do not reflow."""
        self.screen = Screen(columns, rows)
        self._set_size(self._master, columns, rows)

    def type(self, text):
        os.write(self._master, text.encode())

    def signal(self, number):
        os.kill(self.pid, number)

    def _read(self, left):
        ready, _, _ = select.select([self._master], [], [], max(left, 0))
        if not ready:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: the program has ended
            data = b""
        if not data:
            return False
        self._decoder += data
        # A read may cut a character in two.
        text = self._decoder.decode(errors="ignore")
        self._decoder = self._decoder[len(text.encode()):]
        self.screen.feed(text)
        return True

    def expect(self, text):
        """Waits until the screen shows exactly this."""
        deadline = time.monotonic() + DEADLINE
        while self.screen.text() != text:
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"the screen shows\n{self.screen.text()}\n\nand not\n{text}")

    def expect_end(self, text):
        """Waits until the screen ends with this text."""
        deadline = time.monotonic() + DEADLINE
        while not self.screen.text().endswith(text):
            if not self._read(deadline - time.monotonic()):
                raise AssertionError(f"the screen shows\n{self.screen.text()}\n\nwhich does not end with\n{text}")

    def cursor(self):
        return self.screen.row, self.screen.column

    def expect_cursor(self, place):
        """Reads until the cursor is there. It may arrive after the text."""
        deadline = time.monotonic() + DEADLINE
        while self.cursor() != place:
            if time.monotonic() > deadline or not self._read(deadline - time.monotonic()):
                raise AssertionError(f"the cursor is at {self.cursor()} and not at {place}")

    def wait(self):
        """Reads to the end of the output. Returns the exit status, negative for a signal."""
        deadline = time.monotonic() + DEADLINE
        while self._read(deadline - time.monotonic()):
            pass
        while self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"it has not ended; the screen shows\n{self.screen.text()}")
            else:
                select.select([], [], [], 0.01)
        return self._status

    @staticmethod
    def new_settings():
        """The settings of a fresh terminal."""
        master, slave = pty.openpty()
        try:
            return termios.tcgetattr(master)
        finally:
            os.close(master)
            os.close(slave)

    def settings(self):
        return termios.tcgetattr(self._master)

    def _end(self):
        if self._status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._master)
