# SPDX-License-Identifier: LGPL-2.1-or-later
"""ask with messages from a pipe or a file: exact bytes, many in flight, no deadlock, constant memory."""

import os
import re
import signal
import subprocess
import threading
import unittest

import asking
import net
import tap
from asking import Server, ask_raw, echo_lines, lines_of
from daemon import sanitized

MEBI = 1 << 20


class PipeCase(unittest.TestCase):
    def serve_port(self, handler):
        return f":{Server(self, handler).port}"

    def pipe(self, address, stdin, *options, status=0, error=""):
        """Runs ask with bytes or a file on stdin, checks status and stderr, and returns stdout."""
        given = {"stdin": stdin} if isinstance(stdin, bytes) else {"stdin_file": stdin}
        done = ask_raw([*options, address], **given)
        said = done.stderr.decode()
        self.assertEqual((done.returncode, said), (status, f"ask: {error}\n" if error else ""))
        return done.stdout

    def start(self, arguments, **rest):
        process = asking.start(arguments, **rest)

        def end():
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream:
                    stream.close()
        self.addCleanup(end)
        return process


    def feed(self, process, blocks):
        """Writes to a process from a thread, until all is written or the process has ended."""
        def write():
            try:
                with process.stdin:
                    for block in blocks:
                        view = memoryview(block)
                        while view:
                            view = view[process.stdin.write(view):]
            except BrokenPipeError:
                pass
        thread = threading.Thread(target=write, daemon=True)
        thread.start()
        self.addCleanup(thread.join, asking.DEADLINE)
        return thread


class Lines(PipeCase):
    def test_each_line_is_a_message(self):
        got = []

        def note(sock):
            for line in lines_of(sock):
                got.append(line)
                sock.sendall(b"%d\n" % len(got))
        self.assertEqual(self.pipe(self.serve_port(note), b"a\n\nb \r\nc"), b"1\n2\n3\n4\n")
        self.assertEqual(got, [b"a", b"", b"b \r", b"c"])

    def test_nothing_is_no_message(self):
        self.assertEqual(self.pipe(self.serve_port(echo_lines), b""), b"")

    def test_bytes_pass_unharmed(self):
        line = bytes(b for b in range(256) if b != 10) + b"!"
        self.assertEqual(self.pipe(self.serve_port(echo_lines), line + b"\n" + line), (line + b"\n") * 2)

    def test_lines_longer_than_a_read(self):
        lines = [bytes([65 + i]) * size + b"\n" for i, size in
                 enumerate((5 * MEBI, 1, 65535, 65536, 256 * 1024, 256 * 1024 - 1, 3 * MEBI))]
        self.assertEqual(self.pipe(self.serve_port(echo_lines), b"".join(lines)), b"".join(lines))

    def test_from_a_file(self):
        path = os.path.join(asking.directory(self), "lines")
        text = b"".join(b"line %d\n" % i for i in range(20000))
        with open(path, "wb") as file:
            file.write(text)
        with open(path, "rb") as file:
            self.assertEqual(self.pipe(self.serve_port(echo_lines), file), text)

    def test_other_framings(self):
        def length(sock):
            for want in (b"a", b"", b"b\r"):
                self.assertEqual(net.recv_exactly(sock, 4 + len(want)),
                                 len(want).to_bytes(4, "big") + want)
                sock.sendall(b"\0\0\0\2ok")
        self.assertEqual(self.pipe(self.serve_port(length), b"a\n\nb\r\n", "-flength"), b"ok\n" * 3)

    def test_a_dialogue(self):
        """A reply comes through before anything is closed."""
        process = self.start([self.serve_port(echo_lines)])
        for i in range(50):
            line = b"%d\n" % i
            process.stdin.write(line)
            self.assertEqual(process.stdout.read(len(line)), line)
        process.stdin.close()
        self.assertEqual(process.wait(asking.DEADLINE), 0)

    def test_json_in_order(self):
        done = ask_raw(["--json", self.serve_port(echo_lines)], stdin=b"".join(b"%d\n" % i for i in range(3000)))
        if b"built without JSON" in done.stderr:
            self.skipTest("ask is built without jansson")
        found = re.findall(rb'{"number":(\d+),"message":"(\d+)","reply":"(\d+)","bytes":\d+,"rtt_us":\d+}\n',
                           done.stdout)
        self.assertEqual(found, [(b"%d" % (i + 1), b"%d" % i, b"%d" % i) for i in range(3000)])

    def test_expect_names_the_first_that_does_not_match(self):
        address = self.serve_port(echo_lines)
        out = self.pipe(address, b"ok\nno\nnope\n", "--expect=^ok$", status=1,
                        error=f"{address}: reply 2 does not match '^ok$'")
        self.assertEqual(out, b"ok\nno\nnope\n")


class Flow(PipeCase):
    def test_many_are_in_flight(self):
        def all_at_once(sock):
            lines = lines_of(sock)
            for _ in range(5):
                held = [next(lines) for _ in range(1000)]
                sock.sendall(b"".join(line + b"\n" for line in held))
        text = b"".join(b"%d\n" % i for i in range(5000))
        self.assertEqual(self.pipe(self.serve_port(all_at_once), text), text)

    def test_chunk_waits_for_each_reply(self):
        def plain(sock):
            number = 0
            while True:
                data = sock.recv(1024)
                if not data:
                    return
                number += 1
                self.assertEqual(data, b"%d" % number)
                sock.send(b"ok " + data)
        text = b"".join(b"%d\n" % i for i in range(1, 1001))
        out = b"".join(b"ok %d\n" % i for i in range(1, 1001))
        self.assertEqual(self.pipe(self.serve_port(plain), text, "-fchunk"), out)

    def test_chunk_cannot_send_an_empty_line(self):
        def plain(sock):
            while sock.recv(1024):
                sock.send(b"ok")
        address = self.serve_port(plain)
        out = self.pipe(address, b"a\n\nb\n", "--framing=chunk", status=2,
                        error=f"{address}: line 2 is empty and cannot be sent with --framing=chunk")
        self.assertEqual(out, b"ok\n")

    def test_replies_larger_than_messages(self):
        """The server blocks in send again and again, and ask must keep reading."""
        reply = b"r" * 3000 + b"\n"

        def amplify(sock):
            for _ in lines_of(sock):
                sock.sendall(reply)
        self.assertEqual(self.pipe(self.serve_port(amplify), b"x\n" * 20000), reply * 20000)

    def test_a_server_that_reads_only_after_it_has_written(self):
        """The server reads only if ask takes its replies."""
        def stubborn(sock):
            sock.setsockopt(asking.socket.SOL_SOCKET, asking.socket.SO_SNDBUF, 4096)
            for line in lines_of(sock):
                sock.sendall(line + b"\n")
        text = (b"y" * 20000 + b"\n") * 150
        self.assertEqual(self.pipe(self.serve_port(stubborn), text), text)

    def test_a_reader_that_takes_its_time(self):
        """Replies wait in ask, with messages behind them, and none is lost."""
        process = self.start([self.serve_port(echo_lines)])
        text = b"".join(b"%d\n" % i for i in range(400_000))
        feeding = self.feed(process, [text])
        feeding.join(0.2)  # time for the pipe to this process to fill
        got = bytearray()
        while piece := process.stdout.read(10000):
            got += piece
        self.assertEqual(process.wait(asking.DEADLINE), 0)
        self.assertEqual(bytes(got), text)

    def volume(self, size, line):
        """Sends that many bytes in lines. Returns the peak memory of ask when the last line is unanswered."""
        peak = []

        def count(sock):
            pending = b""
            left = size // len(line)
            while left > 0:
                data = sock.recv(MEBI)
                n = data.count(b"\n")
                left -= n
                if left == 0:
                    peak.append(asking.memory_peak(process.pid))
                sock.sendall(b"ok\n" * n)
                pending = data
            self.assertTrue(pending.endswith(b"\n"))
        address = self.serve_port(count)
        process = self.start([address])
        block = line * (MEBI // len(line))
        blocks, rest = divmod(size // len(line), MEBI // len(line))
        self.feed(process, [block] * blocks + [line * rest])
        replies = 0
        while piece := process.stdout.read(MEBI):
            replies += piece.count(b"\n")
        self.assertEqual((process.wait(asking.DEADLINE), process.stderr.read()), (0, b""))
        self.assertEqual(replies, size // len(line))
        return peak[0]

    def test_memory_does_not_grow_with_the_input(self):
        line = b"z" * 99 + b"\n"
        small, large = self.volume(8 * MEBI, line), self.volume(256 * MEBI, line)
        tap_note = f"peak of memory: {small >> 10} KiB for 8 MiB, {large >> 10} KiB for 256 MiB"
        self.assertLess(large, small + 2 * MEBI, tap_note)
        if not sanitized():
            self.assertLess(large, 24 * MEBI, tap_note)


class Ends(PipeCase):
    def test_the_server_closes_with_messages_unanswered(self):
        def two(sock):
            lines = lines_of(sock)
            for _ in range(2):
                next(lines)
                sock.sendall(b"ok\n")
            for _ in range(3):
                next(lines)
        address = self.serve_port(two)
        out = self.pipe(address, b"1\n2\n3\n4\n5\n", status=5,
                        error=f"{address}: the server closed the connection; unanswered messages: 3 of 5")
        self.assertEqual(out, b"ok\nok\n")

    def test_the_server_closes_and_there_was_no_more(self):
        def three(sock):
            lines = lines_of(sock)
            for _ in range(3):
                next(lines)
                sock.sendall(b"ok\n")
        for _ in range(20):
            self.assertEqual(self.pipe(self.serve_port(three), b"1\n2\n3\n"), b"ok\n" * 3)

    def test_the_server_closed_and_a_line_follows(self):
        closed = threading.Event()

        def one(sock):
            net.recv_exactly(sock, 2)
            sock.sendall(b"ok\n")
            sock.shutdown(asking.socket.SHUT_RDWR)
            closed.set()
        address = self.serve_port(one)
        process = self.start([address])
        process.stdin.write(b"1\n")
        self.assertEqual(process.stdout.read(3), b"ok\n")
        self.assertTrue(closed.wait(net.TIMEOUT))
        process.stdin.write(b"2\n")
        # At once: ask does not wait for a reply that cannot come.
        self.assertEqual(process.wait(net.TIMEOUT), 5)
        self.assertRegex(process.stderr.read().decode(),
                         rf"\Aask: {address}: .*; unanswered messages: 1 of 2\n\Z")

    def test_no_reply_in_time(self):
        def silent(sock):
            while sock.recv(MEBI):
                pass
        address = self.serve_port(silent)
        self.pipe(address, b"x\n" * 100_000, "-t300ms", status=4,
                  error=f"{address}: no reply within 300ms")

    def test_the_time_runs_anew_with_each_reply(self):
        """The whole takes much longer than the timeout."""
        def slow(sock):
            for _ in lines_of(sock):
                threading.Event().wait(0.15)  # the delay of an answer
                sock.sendall(b"ok\n")
        self.assertEqual(self.pipe(self.serve_port(slow), b"x\n" * 6, "-t500ms"), b"ok\n" * 6)

    def test_whoever_reads_stdout_goes(self):
        address = self.serve_port(echo_lines)
        process = self.start([address])
        self.feed(process, [b"line\n" * 1_000_000])
        process.stdout.read(5)
        process.stdout.close()
        self.assertEqual(process.wait(asking.DEADLINE), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")

    def test_whoever_reads_stdout_goes_and_the_signal_is_ignored(self):
        address = self.serve_port(echo_lines)
        process = self.start([address], restore_signals=False)  # Python itself ignores SIGPIPE
        self.feed(process, [b"line\n" * 1_000_000])
        process.stdout.read(5)
        process.stdout.close()
        self.assertEqual(process.wait(asking.DEADLINE), 71)
        self.assertEqual(process.stderr.read().decode(), f"ask: {address}: standard output: Broken pipe\n")

    def test_stdin_that_cannot_be_read(self):
        address = self.serve_port(echo_lines)
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, folder)
        self.pipe(address, folder, status=71, error=f"{address}: standard input: Is a directory")

    def test_stdin_or_stdout_closed(self):
        address = self.serve_port(echo_lines)
        for redirection, error in (("<&-", "standard input"), (">&- </etc/passwd", "standard output")):
            with self.subTest(redirection):
                done = subprocess.run(["sh", "-c", f'exec "$0" "$1" {redirection}', asking.ASK, address],
                                      capture_output=True, timeout=asking.DEADLINE, check=False)
                self.assertEqual(done.returncode, 71)
                self.assertEqual(done.stderr.decode(), f"ask: {address}: {error}: Bad file descriptor\n")


if __name__ == "__main__":
    tap.main()
