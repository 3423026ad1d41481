# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units as systemd reads them, and the exposure of the service. Needs no booted systemd."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import daemon
import tap

EXPOSURE_LIMIT = 0.2
UNITS = ("answerd.socket", "answerd.service", "answerd@.socket", "answerd@.service", "answerd.target")

# All privileges that the service gives up: removing a line from the unit must be deliberate.
HARDENING = """
DynamicUser=yes NoNewPrivileges=yes CapabilityBoundingSet= AmbientCapabilities= ProtectSystem=strict
ProtectHome=yes PrivateTmp=yes PrivateDevices=yes PrivateMounts=yes PrivateUsers=yes PrivateNetwork=yes
IPAddressDeny=any RestrictAddressFamilies=AF_UNIX ProtectClock=yes ProtectHostname=yes
ProtectKernelTunables=yes ProtectKernelModules=yes ProtectKernelLogs=yes ProtectControlGroups=yes
ProtectProc=invisible ProcSubset=pid LockPersonality=yes MemoryDenyWriteExecute=yes RestrictRealtime=yes
RestrictSUIDSGID=yes RestrictNamespaces=yes RemoveIPC=yes DevicePolicy=closed UMask=0077
SystemCallArchitectures=native SystemCallFilter=@system-service
""".split()


class Units(unittest.TestCase):
    def setUp(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd-analyze is not installed")
        self.folder = tempfile.mkdtemp(prefix="au", dir="/tmp")
        self.addCleanup(shutil.rmtree, self.folder)
        for name in UNITS:
            self.copy(name)

    def copy(self, name):
        for top in (os.environ.get("top_builddir", "build"), daemon.TOP):
            path = os.path.join(top, "systemd", name)
            if os.path.exists(path):
                break
        with open(path, encoding="utf-8") as file:
            text = file.read()
        # The program is not installed yet, and systemd-analyze checks that it exists.
        text = re.sub(r"^(Exec\w+=)\S+/answerd\b", r"\1/bin/true", text, flags=re.MULTILINE)
        with open(os.path.join(self.folder, name), "w", encoding="utf-8") as file:
            file.write(text)

    def text(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return [line for line in file.read().splitlines() if line and line[0] != "#"]

    def analyze(self, *arguments):
        done = subprocess.run(["systemd-analyze", *arguments], check=False, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def test_systemd_finds_nothing_wrong(self):
        names = [os.path.join(self.folder, u.replace("@.", "@1.")) for u in UNITS]
        self.assertEqual(self.analyze("verify", "--man=no", *names), (0, ""))

    def test_exposure(self):
        for name in ("answerd.service", "answerd@.service"):
            with self.subTest(name):
                status, text = self.analyze("security", "--offline=true", os.path.join(self.folder, name))
                self.assertEqual(status, 0, text)
                figure = float(re.search(r"exposure level for \S+ (\d+\.\d)", text).group(1))
                self.assertLessEqual(figure, EXPOSURE_LIMIT, text)

    def test_every_hardening_line_is_there(self):
        lines = self.text("answerd.service")
        for line in HARDENING:
            with self.subTest(line):
                self.assertIn(line, lines)

    def test_instances_differ_in_nothing_else(self):
        def common(name):
            return [line.replace("answerd@%i", "answerd").replace(", instance %i", "")
                    .replace("WantedBy=answerd.target", "WantedBy=multi-user.target")
                    for line in self.text(name)]

        self.assertEqual(common("answerd@.service"), common("answerd.service"))
        extra = {"PartOf=answerd.target", "ReusePort=yes", "WantedBy=multi-user.target", "Also=answerd.target"}
        self.assertEqual(set(common("answerd@.socket")) - extra,
                         set(common("answerd.socket")) - {"WantedBy=sockets.target"})


if __name__ == "__main__":
    tap.main()
