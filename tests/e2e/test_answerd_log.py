# SPDX-License-Identifier: LGPL-2.1-or-later
"""Record=log: a reply says that the record is on the disk."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest

import net
import record_log
import tap
from daemon import Daemon, program

ERROR_STATUS = 74


class Log(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="al", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, log="", listener="", server="Workers=2", **rest):
        return Daemon(self, [], config=f"[Server]\n{server}\n[Log]\nDirectory={self.folder}\nSegmentSize=64K\nKeepFree=0\n"
                                       f"{log}\n[Listener default]\nListen=127.0.0.1:0\nRecord=log\nMaxMessageSize=32K\n{listener}\n", **rest)

    def data(self):
        return [record.data for record in record_log.read(self.folder)]

    def ask(self, client, message):
        client.sendall(message + b"\n")
        self.assertEqual(net.recv_line(client), b"ok\n")

    def thread(self, daemon, name):
        """The id of a thread of the daemon by its name."""
        for task in os.listdir(f"/proc/{daemon.pid}/task"):
            with open(f"/proc/{daemon.pid}/task/{task}/comm", encoding="ascii") as file:
                if file.read().strip() == name:
                    return int(task)
        raise AssertionError("no thread " + name)

    def trace(self, daemon, thread, *options, output="/dev/null"):
        """Attaches strace(1) to one thread."""
        tid = self.thread(daemon, thread)
        tracer = subprocess.Popen(["strace", "-qq", "-o", output, *options, "-p", str(tid)], stdin=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(tracer.wait)
        self.addCleanup(tracer.terminate)

        def traced():
            with open(f"/proc/{daemon.pid}/task/{tid}/status", encoding="ascii") as status:
                return "TracerPid:\t0\n" not in status.read()

        net.wait_until(traced, what="the thread to be traced")
        return tracer

    def inject(self, daemon, what, thread="log-committer"):
        """From now on, system calls of the committer end as strace's inject= says."""
        return self.trace(daemon, thread, "-e", "trace=" + what.partition(":")[0], "-e", "inject=" + what)


class Records(Log):
    def test_every_byte_with_all_that_is_known(self):
        daemon = self.start(listener="Framing=length\nReply={id}")
        messages = [b"", b"hello", bytes(range(256)), b"\0" * 3000]
        with daemon.connect() as client:
            port = str(client.getsockname()[1])
            ids = []
            for message in messages:
                client.sendall(len(message).to_bytes(4, "big") + message)
                size = int.from_bytes(net.recv_exactly(client, 4), "big")
                ids.append(net.recv_exactly(client, size).decode())
            # They are there before anything is stopped.
            found = record_log.read(self.folder)
        self.assertEqual([r.data for r in found], messages)
        self.assertEqual([r.number for r in found], [1, 2, 3, 4])
        self.assertEqual([f"{r.connection}-{r.seq}" for r in found], [i.split("-", 1)[1] for i in ids])
        self.assertEqual({(r.peer, r.port, r.listener, r.unfinished) for r in found},
                         {("127.0.0.1", port, "default", False)})
        daemon.stop()

    def test_the_longest_name_of_a_listener(self):
        name = "n" * 255
        daemon = self.start(listener=f"[Listener {name}]\nListen=127.0.0.1:0\nRecord=log\nMaxMessageSize=32K", listeners=2)
        with daemon.connect(1) as client:
            self.ask(client, b"hello")
        daemon.stop()
        self.assertEqual([(r.data, r.listener) for r in record_log.read(self.folder)], [(b"hello", name)])

    def test_an_unfinished_message(self):
        daemon = self.start()
        net.exchange(daemon.address(), b"one\ntwo")
        daemon.stop()
        self.assertEqual([(r.data, r.unfinished) for r in record_log.read(self.folder)],
                         [(b"one", False), (b"two", True)])

    def test_segments_and_restarts(self):
        sent = []
        for life in range(3):
            daemon = self.start()
            with daemon.connect() as client:
                for number in range(300):
                    sent.append(b"%d-%d " % (life, number) + b"x" * 900)
                    self.ask(client, sent[-1])
            daemon.stop()
        self.assertEqual(self.data(), sent)
        self.assertGreater(len(record_log.segments(self.folder)), 9)

    def test_one_larger_than_a_segment_is_refused(self):
        """A reload raises both limits, but the log's segments stay as they are until the next start."""
        config = ("[Log]\nDirectory={}\nMaxUse=1G\nSegmentSize={}\n[Listener default]\nListen=127.0.0.1:0\nRecord=log\n"
                  "MaxMessageSize={}\n")
        daemon = Daemon(self, [], config=config.format(self.folder, "64K", "32K"))
        daemon.reload(config.format(self.folder, "1M", "512K"))
        with daemon.connect() as client, daemon.connect() as other:
            self.ask(other, b"x")
            client.sendall(b"y\n" + b"y" * 100000 + b"\n" + b"y\n")
            self.assertEqual(net.recv_until_eof(client), b"ok\nerror: message too large for the log\n")
            daemon.stderr.wait_for("a message cannot be recorded: Message too long")
            self.ask(other, b"y" * 60000)
        daemon.stop()
        self.assertLessEqual(max(os.stat(path).st_size for path in record_log.segments(self.folder)), 1 << 17)
        self.assertEqual([len(d) for d in self.data()][:2], [1, 1])
        self.assertEqual(len(self.data()[-1]), 60000)

    def test_a_second_daemon_is_refused(self):
        daemon = self.start()
        other = self.start(ready=False)
        self.assertIn(f"the log {self.folder} is in use by process {daemon.pid}", other.expect_exit(71))
        daemon.stop()

    def test_reload_brings_the_log(self):
        config = f"[Log]\nDirectory={self.folder}\nSegmentSize=64K\n[Listener default]\nMaxMessageSize=32K\nListen=127.0.0.1:0\n"
        daemon = Daemon(self, [], config=config + "Record=none\n")
        with daemon.connect() as client:
            self.ask(client, b"not recorded")
            self.assertEqual(record_log.segments(self.folder), [])
            daemon.reload(config + "Record=log\n")
        with daemon.connect() as client:
            self.ask(client, b"recorded")
        daemon.stop()
        self.assertEqual(self.data(), [b"recorded"])

    def test_a_changed_log_is_for_the_next_start(self):
        config = f"[Log]\nDirectory={self.folder}\nSegmentSize=64K\n%s[Listener default]\nMaxMessageSize=32K\nListen=127.0.0.1:0\nRecord=log\n"
        daemon = Daemon(self, [], config=config % "")
        daemon.reload(config % "MaxAge=1d\n")
        daemon.stderr.wait_for(r"\[Log\] takes effect at the next start")
        daemon.stop()

    def test_a_folder_that_cannot_be(self):
        daemon = Daemon(self, [], config="[Log]\nDirectory=/proc/nothing\n[Listener default]\nListen=127.0.0.1:0\n"
                                         "Record=log\n", ready=False)
        self.assertIn("the log /proc/nothing: ", daemon.expect_exit(71))

    @unittest.skipUnless(shutil.which("strace"), "strace is needed")
    def test_sync_at_intervals_answers_before(self):
        daemon = self.start(log="Sync=1h", server="Workers=1")
        with daemon.connect() as client:
            self.ask(client, b"opens the segment")
            self.inject(daemon, "fdatasync:error=EIO")
            for number in range(5):
                self.ask(client, b"%d" % number)
        daemon.kill()
        self.assertEqual(self.data()[1:], [b"%d" % n for n in range(5)])


class Retention(Log):
    def fill(self, daemon, count, size=1000):
        with daemon.connect() as client:
            for number in range(count):
                self.ask(client, b"%d " % number + b"x" * size)

    def test_rotate(self):
        daemon = self.start(log="MaxUse=256K")
        self.fill(daemon, 1000)
        daemon.stop()
        found = record_log.read(self.folder)
        self.assertEqual(found[-1].number, 1000)
        self.assertGreater(found[0].number, 600)
        self.assertLessEqual(sum(os.stat(path).st_size for path in record_log.segments(self.folder)), 256 << 10)

    def test_wait(self):
        daemon = self.start(log="MaxUse=256K\nWhenFull=wait")
        with daemon.connect() as client:
            client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(400)))
            daemon.stderr.wait_for("the log has no room")
            daemon.stderr.wait_for("the log has taken nothing")
            answered = 0
            first = record_log.segments(self.folder)[0]
            self.assertEqual(record_log.read(self.folder)[0].number, 1)
            # Room comes as an administrator makes it: with a larger limit and a restart, and nothing is lost.
            daemon.kill()
            while client.recv(3):
                answered += 1
        kept = record_log.read(self.folder)
        self.assertGreaterEqual(len(kept), answered)
        self.assertTrue(os.path.exists(first))
        daemon = self.start(log="MaxUse=10M\nWhenFull=wait")
        self.fill(daemon, 100)
        daemon.stop()
        self.assertEqual(len(record_log.read(self.folder)), len(kept) + 100)


    def test_the_status_says_that_there_is_no_room(self):
        sockets = tempfile.mkdtemp(prefix="ad", dir="/tmp")
        self.addCleanup(shutil.rmtree, sockets)
        daemon = self.start(log="MaxUse=256K\nWhenFull=wait\nMirror=none", listener=f"Listen={sockets}/s", notify=True,
                            listeners=0)
        with net.connect(sockets + "/s") as client:
            client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(400)))
            status = ""
            while not status.endswith("; the log has no room"):
                status = daemon.notify.wait_for("STATUS", after=len(daemon.notify.messages))["STATUS"]
        daemon.kill()

    def test_wait_until_somebody_makes_room(self):
        daemon = self.start(log="MaxUse=512K\nWhenFull=wait\nMirror=none")
        count = 300
        with daemon.connect() as client:
            client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(count)))
            daemon.stderr.wait_for("the log has no room: MaxUse= or KeepFree= is reached")
            subprocess.run([program("answerlog"), "--vacuum-size=100K", self.folder], check=True,
                           stdout=subprocess.DEVNULL)
            self.assertEqual(net.recv_exactly(client, 3 * count), b"ok\n" * count)
        daemon.stop()
        found = record_log.read(self.folder)
        self.assertEqual((found[-1].number, found[-1].data.split()[0]), (count, b"%d" % (count - 1)))
        self.assertGreater(found[0].number, 1)


@unittest.skipUnless(shutil.which("strace"), "strace is needed")
class Faults(Log):
    def test_a_sync_that_fails_ends_the_service(self):
        daemon = self.start(server="Workers=1")
        with daemon.connect() as client:
            self.ask(client, b"good")
            self.inject(daemon, "fdatasync:error=EIO")
            client.sendall(b"bad\n")
            said = daemon.expect_exit(ERROR_STATUS)
            self.assertRegex(said, "the log cannot be written: Input/output error")
            self.assertEqual(net.recv_until_eof(client), b"")
        daemon = self.start()
        with daemon.connect() as client:
            self.ask(client, b"better")
        daemon.stop()
        found = self.data()
        self.assertEqual(found[0], b"good")
        self.assertEqual(found[-1], b"better")

    def test_a_write_that_fails_ends_the_service(self):
        daemon = self.start(server="Workers=1")
        self.inject(daemon, "pwritev:error=EIO")
        with daemon.connect() as client:
            client.sendall(b"bad\n")
            daemon.expect_exit(ERROR_STATUS)
            self.assertEqual(net.recv_until_eof(client), b"")
        self.assertEqual(self.data(), [])

    def hold(self, thread, what):
        """While these calls of the thread fail, replies wait. Returns the daemon, stopped."""
        daemon = self.start(log="Mirror=none", server="Workers=1")
        count = 200
        tracer = self.inject(daemon, what, thread)
        with daemon.connect() as client:
            client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(count)))
            daemon.stderr.wait_for("the log has taken nothing")
            tracer.terminate()
            tracer.wait()
            self.assertEqual(net.recv_exactly(client, 3 * count), b"ok\n" * count)
        daemon.stop()
        self.assertEqual(len(self.data()), count)
        return daemon

    def test_without_descriptors_replies_wait(self):
        self.hold("log-committer", "openat:error=EMFILE")

    def test_without_descriptors_for_the_next_segment_replies_wait(self):
        daemon = self.hold("log-keeper", "openat:error=ENFILE")
        said = [line for line in daemon.stderr.lines if "next segment" in line]
        self.assertEqual(said, ["answerd: the log's next segment cannot be made: Too many open files in system"])
        self.assertFalse([line for line in daemon.stderr.lines if "no room" in line])

    def test_a_disk_that_cannot_take_the_next_segment_ends_the_service(self):
        daemon = self.start(server="Workers=1")
        self.inject(daemon, "fdatasync:error=EIO", "log-keeper")
        with daemon.connect() as client:
            client.sendall(b"".join(b"%d " % n + b"x" * 1000 + b"\n" for n in range(200)))
            said = daemon.expect_exit(ERROR_STATUS)
            self.assertRegex(said, "the log cannot be written: Input/output error")
            answered = len(net.recv_until_eof(client)) // 3
        self.assertGreaterEqual(len(self.data()), answered)

    def test_no_space_holds_replies_until_there_is(self):
        for call in "pwritev", "renameat2":
            with self.subTest(call=call):
                self.hold_for_space(call)

    def hold_for_space(self, call):
        daemon = self.start(server="Workers=1")
        tracer = self.inject(daemon, call + ":error=ENOSPC")
        with daemon.connect() as client:
            client.sendall(b"waits\n")
            daemon.stderr.wait_for("the log has taken nothing")
            daemon.stderr.wait_for("^answerd: the log has no room: No space left on device$")
            tracer.terminate()
            tracer.wait()
            self.assertEqual(net.recv_line(client), b"ok\n")
        daemon.stderr.wait_for("the log takes records again")
        daemon.stop()
        self.assertEqual(sum("no room" in line for line in daemon.stderr.lines), 1)
        self.assertEqual(self.data()[-1], b"waits")

    def test_one_sync_for_a_message_alone(self):
        daemon = self.start(server="Workers=1")
        with daemon.connect() as client:
            self.ask(client, b"opens the segment")
            trace = os.path.join(daemon.directory, "trace")
            tracer = self.trace(daemon, "log-committer", "-e", "trace=fdatasync,pwritev", output=trace)
            for number in range(20):
                self.ask(client, b"%d" % number)
            tracer.terminate()
            tracer.wait()
        with open(trace, encoding="ascii") as file:
            calls = [line.partition("(")[0] for line in file]
        self.assertEqual(calls, ["pwritev", "fdatasync"] * 20)
        daemon.stop()


    def test_a_segment_that_cannot_be_removed(self):
        daemon = self.start(log="MaxUse=256K\nMirror=none")
        self.trace(daemon, "log-keeper", "-e", "trace=unlinkat", "-e", "inject=unlinkat:error=EACCES:when=1")
        with daemon.connect() as client:
            for number in range(500):
                self.ask(client, b"%d " % number + b"x" * 900)
        daemon.stderr.wait_for("the log's segment 0000000001.log cannot be removed: Permission denied")
        daemon.stop()
        self.assertEqual(sum("cannot be removed" in line for line in daemon.stderr.lines), 1)
        segments = [os.path.basename(path) for path in record_log.segments(self.folder)]
        self.assertIn("0000000001.log", segments)
        self.assertNotIn("0000000002.log", segments)

    def unreadable(self, path, **rest):
        """Starts the daemon. It cannot read this file."""
        leaks = "ASAN_OPTIONS=" + os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        return self.start(wrapper=["env", leaks, "strace", "-D", "-f", "-qq", "-o", "/dev/null", "-P", path,
                                   "-e", "trace=pread64", "-e", "inject=pread64:error=EIO"], **rest)

    def test_a_segment_that_cannot_be_read(self):
        daemon = self.start(log="Mirror=none")
        with daemon.connect() as client:
            for number in range(200):
                self.ask(client, b"%d " % number + b"x" * 900)
        daemon.kill()
        segments = record_log.segments(self.folder)
        self.assertGreater(len(segments), 2)

        daemon = self.unreadable(segments[1], log="Mirror=none")
        daemon.stderr.wait_for(f"the log {self.folder} is damaged: segment 2 cannot be read")
        with daemon.connect() as client:
            self.ask(client, b"goes on")
        daemon.stop()
        self.assertEqual((record_log.read(self.folder)[-1].number, self.data()[-1]), (201, b"goes on"))

        last = record_log.segments(self.folder)[-1]
        daemon = self.unreadable(last, ready=False)
        self.assertIn(f"the log {last}: Input/output error", daemon.expect_exit(71))


class LargeSegments(Log):
    """systemd hears that the recovery of a large segment goes on."""

    CONFIG = ("[Log]\nDirectory={folder}\nSegmentSize=32M\nMaxUse=1G\nKeepFree=0\nMirror=none\n"
              "[Listener default]\nListen=127.0.0.1:0\nRecord={record}\n")

    def start_with(self, record, **rest):
        return Daemon(self, [], config=self.config(record), **rest)

    def config(self, record):
        return self.CONFIG.format(folder=self.folder, record=record)

    def setUp(self):
        super().setUp()
        daemon = self.start_with("log")
        with daemon.connect() as client:
            for number in range(400):
                self.ask(client, b"%d " % number + b"x" * 60000)
        daemon.kill()

    def test_start(self):
        daemon = self.start_with("log", notify=True, listeners=0)
        self.assertEqual(daemon.notify.messages[0], {"EXTEND_TIMEOUT_USEC": "30000000", "WATCHDOG": "1",
                                                     "STATUS": "Recovering the log"})
        daemon.stop()
        self.assertEqual(len(self.data()), 400)

    def test_reload(self):
        daemon = self.start_with("none", notify=True, listeners=0)
        count = len(daemon.notify.messages)
        daemon.write_config(self.config("log"))
        daemon.signal(signal.SIGHUP)
        said = daemon.notify.wait_for("EXTEND_TIMEOUT_USEC", "30000000", after=count)
        self.assertEqual(said["WATCHDOG"], "1")
        daemon.notify.wait_for("READY", "1", after=daemon.notify.messages.index(said))
        daemon.stop()
        self.assertEqual(len(self.data()), 400)


class Kill(Log):
    def test_nothing_answered_is_missing(self):
        """kill -9, fifty times, while many clients send."""
        answered, lives = [], 50
        for life in range(lives):
            daemon = self.start()
            threads = []
            for number in range(8):
                def load(client=daemon.connect(), name=b"%d-%d-" % (life, number)):
                    seq = 0
                    with client:
                        try:
                            while True:
                                client.sendall(b"".join(name + b"%d\n" % (seq + i) for i in range(10)))
                                for i in range(10):
                                    net.recv_line(client)
                                    answered.append(name + b"%d" % (seq + i))
                                seq += 10
                        except (OSError, AssertionError):
                            pass

                threads.append(threading.Thread(target=load))
                threads[-1].start()
            before = len(answered)
            net.wait_until(lambda: len(answered) > before + 50, what="some answers", interval=0.001)
            daemon.kill()
            for thread in threads:
                thread.join()
        daemon = self.start()
        daemon.stop()
        found = self.data()
        self.assertEqual(len(set(found)), len(found))
        self.assertFalse(set(answered) - set(found))


if __name__ == "__main__":
    tap.main()
