# SPDX-License-Identifier: LGPL-2.1-or-later
"""Mirror=journal: each record of the log becomes a journal entry, and no reply waits for it."""

import os
import re
import signal
import tempfile
import time
import unittest

import journald
import net
import tap
from daemon import Daemon
from journal_socket import JournalSocket
from load import Load

BATCH = 512  # BATCH_RECORDS
OPTIONS = ["--listen=127.0.0.1:0", "--record=log"]


def switches(pid):
    """How often the mirror's thread went to sleep."""
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            status = file.read()
        if "\tlog-mirror\n" in status:
            return int(re.search(r"^voluntary_ctxt_switches:\t(\d+)", status, re.MULTILINE)[1])
    raise AssertionError("the mirror does not run")


def messages(start, count):
    return [b"%d" % n for n in range(start, start + count)]


class Mirror(unittest.TestCase):
    def setUp(self):
        self.journal = JournalSocket(self)
        log = tempfile.TemporaryDirectory(prefix="al", dir="/tmp")
        self.addCleanup(log.cleanup)
        self.folder = log.name

    def start(self, more="", options=(), **rest):
        config = f"[Log]\nDirectory={self.folder}\nMirror=journal\n{more}"
        rest.setdefault("journal", self.journal)
        return Daemon(self, OPTIONS + list(options), config=config, **rest)

    def answer(self, daemon, sent):
        """Sends the messages on one connection; each must be answered."""
        with daemon.connect() as sock:
            sock.sendall(b"".join(message + b"\n" for message in sent))
            self.assertEqual(net.recv_exactly(sock, 3 * len(sent)), b"ok\n" * len(sent))

    def expect_asleep(self, daemon, seconds=0.3):
        """The mirror sleeps for so long without waking."""
        def rests():
            before = switches(daemon.pid)
            time.sleep(seconds)
            return switches(daemon.pid) == before
        net.wait_until(rests, what="the mirror to sleep", interval=0)


class Copies(Mirror):
    def test_each_record_once_byte_equal_and_in_order(self):
        sent = [bytes([n]) * (n * 7 % 300) for n in range(256)] + [os.urandom(300_000), b"", b"\nPRIORITY=0\n"]
        daemon = self.start("[Listener default]\nMaxMessageSize=1M\n", options=["--framing=length"])
        with daemon.connect() as sock:
            for message in sent:
                sock.sendall(len(message).to_bytes(4, "big") + message)
                self.assertEqual(net.recv_exactly(sock, 6), b"\0\0\0\2ok")
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        daemon.stop()
        self.assertEqual(self.journal.records(), sent)
        entries = [entry for entry in self.journal.entries if "ANSWERD_DATA" in entry]
        self.assertEqual([e["ANSWERD_SEQ"] for e in entries], [[m] for m in messages(1, len(sent))])
        self.assertEqual(len({e["ANSWERD_ID"][0] for e in entries}), len(sent))
        self.assertEqual({(e["ANSWERD_PEER"][0], e["MESSAGE_ID"][0]) for e in entries},
                         {(b"127.0.0.1", b"bb76528fac9d4b059a11d46c1196ef46")})

    def test_across_segments(self):
        daemon = self.start("SegmentSize=128K\n")
        sent = [b"%d " % n + b"x" * 1000 for n in range(1000)]
        self.answer(daemon, sent)
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        self.assertGreater(len(os.listdir(self.folder)), 4)
        daemon.stop()

    def test_mirror_none(self):
        daemon = Daemon(self, OPTIONS, config=f"[Log]\nDirectory={self.folder}\nMirror=none\n", journal=self.journal)
        self.answer(daemon, messages(0, 100))
        daemon.stop()
        self.journal.close_reader()
        self.assertEqual(self.journal.entries, [])
        self.journal.resume()
        self.assertNotIn("mirror", os.listdir(self.folder))

    def test_without_a_journal_nothing_is_mirrored_by_default(self):
        daemon = Daemon(self, OPTIONS, config=f"[Log]\nDirectory={self.folder}\n")
        self.answer(daemon, messages(0, 10))
        daemon.stop()
        self.assertNotIn("mirror", os.listdir(self.folder))

    def test_a_wrong_value(self):
        daemon = self.start("Mirror=yes\n", ready=False)
        self.assertRegex(daemon.expect_exit(78), r"answerd\.conf:4: Mirror=yes: .*journal or none")


class Behind(Mirror):
    def test_no_reply_waits_for_a_journal_that_stands_still(self):
        daemon = self.start()
        self.journal.pause()
        sent = messages(0, 3000)
        self.answer(daemon, sent)
        self.expect_asleep(daemon)
        self.journal.resume()
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        daemon.stop()
        self.assertEqual(self.journal.records(), sent)

    def test_no_reply_waits_for_a_journal_that_is_away(self):
        os.rename(self.journal.socket_path, self.journal.socket_path + "-")
        daemon = self.start()
        sent = messages(0, 1000)
        self.answer(daemon, sent)
        os.rename(self.journal.socket_path + "-", self.journal.socket_path)
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        daemon.stop()

    def test_the_counters_show_how_far_it_is_behind(self):
        daemon = self.start()
        self.journal.pause()
        self.answer(daemon, messages(0, 1000))
        self.expect_asleep(daemon)
        daemon.signal(signal.SIGUSR1)
        behind = int(daemon.stderr.wait_for(r"connections=.* unmirrored=(\d+)$")[0][1])
        self.journal.close_reader()
        self.assertGreaterEqual(len(self.journal.records()), 1000 - behind)
        self.assertGreater(behind, 0)
        self.journal.resume()
        self.journal.wait_for(1000)
        self.expect_asleep(daemon)
        def caught_up():
            daemon.signal(signal.SIGUSR1)  # the counters are written once a second at most
            return re.search(r"connections=.* discarded=\d+( \(and|$)", daemon.stderr.lines[-1])
        net.wait_until(caught_up, interval=0.05)
        daemon.stop()

    def test_the_status_shows_how_far_it_is_behind(self):
        listener = net.listener()
        self.addCleanup(listener.close)
        daemon = self.start(sockets=[(listener, None)], notify=True)
        daemon.addresses = [listener.getsockname()]
        self.journal.pause()
        self.answer(daemon, messages(0, 1000))
        def status(pattern):
            return re.search(pattern, [m["STATUS"] for m in daemon.notify.all() if "STATUS" in m][-1])
        net.wait_until(lambda: status(r" 1000 messages in all; \d+ records not in the journal yet$"))
        self.journal.resume()
        self.assertEqual(self.journal.wait_for(1000), messages(0, 1000))
        net.wait_until(lambda: status(r" 1000 messages in all$"))
        daemon.stop()

    def test_idle_it_sleeps_until_a_record_is_synced(self):
        daemon = self.start()
        self.answer(daemon, messages(0, 10))
        self.journal.wait_for(10)
        for turn in range(5):
            self.expect_asleep(daemon)
            self.answer(daemon, messages(10 + turn, 1))
            self.assertEqual(self.journal.wait_for(11 + turn), messages(0, 11 + turn))
        daemon.stop()

    def test_retention_overtakes(self):
        """The records that retention removed are counted, and all others are there, in order."""
        daemon = self.start("SegmentSize=128K\nMaxUse=512K\n")
        self.answer(daemon, [b"first"])
        self.journal.wait_for(1)
        self.journal.pause()
        sent = [b"%d " % n + b"x" * 1000 for n in range(2000)]
        self.answer(daemon, sent)
        self.journal.resume()
        net.wait_until(lambda: sent[-1] in self.journal.records(), what="the last record")
        daemon.stop()
        copied = self.journal.records()[1:]
        self.assertEqual(copied, [message for message in sent if message in set(copied)])
        # It may be told in parts, one a second.
        pattern = r"retention removed (\d+) records? of the log before the journal had taken (?:them|it)"
        found = [re.search(pattern, line) for line in daemon.stderr.wait_end()]
        self.assertEqual(sum(int(m[1]) for m in found if m), len(sent) - len(copied))
        self.assertGreater(len(sent) - len(copied), 0)

    def test_a_record_that_cannot_be_read_is_counted(self):
        daemon = self.start()
        self.journal.pause()
        # The second half proves that the first had been synced, so the damage is no torn end.
        self.answer(daemon, messages(0, 1000))
        self.answer(daemon, messages(1000, 1000))
        daemon.kill()
        with open(os.path.join(self.folder, "0000000001.log"), "r+b") as file:
            at = file.read().index(b"500", 4096)
            file.seek(at)
            file.write(b"X")
        self.journal.resume()
        daemon = self.start()
        net.wait_until(lambda: b"1999" in self.journal.records())
        daemon.stderr.wait_for(r"^answerd: 1 record of the log cannot be read, and is not in the journal$")
        self.assertEqual(set(messages(0, 2000)) - set(self.journal.records()), {b"500"})
        daemon.stop()


class Restarted(Mirror):
    def test_after_a_clean_stop_it_resumes_without_gap_or_duplicate(self):
        sent = []
        for turn in range(5):
            daemon = self.start()
            more = messages(1000 * turn, 700)
            self.answer(daemon, more)
            daemon.stop()
            sent += more
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        self.assertEqual(self.journal.records(), sent)

    def test_a_stop_does_not_wait_for_a_journal_that_stands_still(self):
        daemon = self.start()
        self.journal.pause()
        sent = messages(0, 2000)
        self.answer(daemon, sent)
        begun = time.monotonic()
        daemon.stop()
        self.assertLess(time.monotonic() - begun, 1 + net.LATE)
        self.journal.resume()
        daemon = self.start()
        self.assertEqual(self.journal.wait_for(len(sent)), sent)
        daemon.stop()
        self.assertEqual(self.journal.records(), sent)

    def test_what_was_recorded_without_a_mirror_follows(self):
        """Without a position it begins with the oldest record; a damaged position counts as none."""
        config = f"[Log]\nDirectory={self.folder}\nMirror=none\n"
        daemon = Daemon(self, OPTIONS, config=config, journal=self.journal)
        self.answer(daemon, messages(0, 100))
        daemon.stop()
        daemon = self.start()
        self.answer(daemon, messages(100, 100))
        daemon.stop()
        self.assertEqual(self.journal.wait_for(200), messages(0, 200))
        with open(os.path.join(self.folder, "mirror"), "r+b") as file:
            file.seek(8)
            file.write(b"\7")
        daemon = self.start()
        self.assertEqual(self.journal.wait_for(400), messages(0, 200) * 2)
        daemon.stop()

    def test_a_log_that_begins_again_is_mirrored_from_its_first_record(self):
        daemon = self.start()
        self.answer(daemon, messages(0, 100))
        daemon.stop()
        for name in os.listdir(self.folder):
            if name.endswith(".log"):
                os.unlink(os.path.join(self.folder, name))
        daemon = self.start()
        self.answer(daemon, messages(200, 10))
        daemon.stop()
        self.assertEqual(self.journal.wait_for(110), messages(0, 100) + messages(200, 10))

    def test_killed_under_load(self):
        """No record is missing, and of each run only the last batch may come twice."""
        kills = 10
        listener = net.listener()
        self.addCleanup(listener.close)
        def activate():
            return self.start("[Listener default]\nRecord=log\n", sockets=[(listener, None)], notify=True)
        with Load(lambda: net.connect(listener.getsockname()), clients=8, burst=16) as load:
            for _ in range(kills):
                daemon = activate()
                load.wait_answered(300)
                daemon.kill()
            daemon = activate()
            load.wait_answered(100)
        net.wait_until(lambda: set(load.answered) <= set(self.journal.records()), what="all to be mirrored")
        daemon.stop()
        self.assertEqual(load.failures, [])
        records = self.journal.records()
        self.assertLessEqual(set(records), set(load.answered) | set(load.unknown))
        self.check_repeats(records, kills)

    def check_repeats(self, records, kills):
        """Each run begins at most a batch before the point that the run before it reached."""
        places, end, at, runs = {}, 0, 0, 1
        for record in records:
            if record not in places:
                self.assertEqual(at, end, "a run left out what the run before it had not copied")
                places[record] = end
                end += 1
            elif places[record] != at:
                self.assertGreaterEqual(places[record], end - BATCH)
                runs += 1
            at = places[record] + 1
        self.assertLessEqual(runs, kills + 1)


class Journald(Mirror):
    def test_journald_restarted_and_stopped_under_load(self):
        journal = journald.Journal(self)
        daemon = self.start(journal=journal)
        with Load(daemon.connect) as load:
            for _ in range(3):
                load.wait_answered(200)
                journal.restart()
                load.wait_answered(200)
                journal.pause_until_full()
                load.wait_answered(1000)
                journal.resume()
        entries = journal.wait_for(len(load.answered), "MESSAGE_ID=bb76528fac9d4b059a11d46c1196ef46")
        self.assertEqual(load.unknown, [])
        load.check(entries)
        daemon.stop()


if __name__ == "__main__":
    tap.main()
