# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole systemd for a test, booted in a container over the files of the machine.

Its root is an overlay of `/` on a tmpfs, so all writes vanish with it. The mounts are made in a mount namespace of the
test's process, and the container dies with that process: nothing stays behind, however the test ends. The network is
the container's own, with loopback only. Its cgroups are below a group of its own. systemd-nspawn would make them below
the test's group. There, two containers would use the same names, and one systemd would find and kill processes of the
other's services.
"""

import atexit
import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import uuid

import net

ACTIVATE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "activate.py")
LIBC = ctypes.CDLL(None, use_errno=True)

# linux/sched.h, sys/mount.h
CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 0x1000
MS_MOVE = 0x2000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18

TOOLS = ("systemd-nspawn", "nsenter", "systemctl", "journalctl", "dbus-daemon")
# Units of the machine that are useless in the container and would degrade or slow its boot.
MASKED = ("systemd-networkd-wait-online.service", "systemd-timesyncd.service", "systemd-resolved.service",
          "systemd-networkd.service", "networking.service", "ssh.service", "apt-daily.timer",
          "apt-daily-upgrade.timer", "man-db.timer", "e2scrub_reap.service", "redis-server.service",
          "memcached.service", "postgresql.service", "docker.service", "docker.socket", "containerd.service",
          "console-getty.service", "getty.target", "cron.service")

_unshared = False


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _mount(source, target, kind, flags, data):
    encoded = [None if x is None else x.encode() for x in (source, target, kind)]
    _check(LIBC.mount(*encoded, ctypes.c_ulong(flags), None if data is None else data.encode()),
           f"cannot mount {kind or 'flags'} on {target}")


def _unshare_mounts():
    """Gives this process its own mounts, once (unshare(2)). They vanish with the process and its children."""
    global _unshared
    if not _unshared:
        _check(LIBC.unshare(CLONE_NEWNS), "cannot unshare the mount namespace")
        _mount("none", "/", None, MS_REC | MS_PRIVATE, None)
        _leave_chroot()
        _unshared = True


def _leave_chroot():
    """Inside a chroot(2), makes its root the root of the mount namespace.

    Otherwise systemd could not make user namespaces for PrivateUsers= (EPERM of unshare(2)).
    """
    cwd, root = os.getcwd(), os.open("/", os.O_PATH | os.O_DIRECTORY)
    try:
        with open("/proc/self/ns/mnt", "rb") as ours:
            # Moves the process to the root of the namespace, even of its own (setns(2)).
            _check(LIBC.setns(ours.fileno(), CLONE_NEWNS), "cannot enter the mount namespace")
        if not os.path.samestat(os.stat(root), os.stat("/")):
            os.fchdir(root)
            path = os.getcwd()
            _mount(path, path, None, MS_BIND | MS_REC, None)  # only mounts can be moved
            os.chdir(path)
            _mount(".", "/", None, MS_MOVE, None)
            os.chroot(".")
    finally:
        os.close(root)
    os.chdir(cwd)


def _control_group_roots():
    """The mount points of the hierarchies in which systemd has groups: cgroup v2, and its own in v1."""
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            mount, (kind, _, options) = before.split()[4], after.split()[:3]
            if kind == "cgroup2" or kind == "cgroup" and "name=systemd" in options.split(","):
                yield mount


def enter_network(namespace):
    """Moves the calling thread to the network of an open /proc/PID/ns/net, for sockets made from now on."""
    _check(LIBC.setns(namespace.fileno(), CLONE_NEWNET), "cannot enter a network namespace")


def require():
    """Skips the test, with the reason, if no container can be booted."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("booting a container takes root")
    for tool in TOOLS:
        if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/lib/systemd"):
            raise unittest.SkipTest(f"{tool} is not installed")
    with open("/proc/filesystems", encoding="ascii") as kinds:
        if "\toverlay\n" not in kinds.read():
            raise unittest.SkipTest("the kernel has no overlay file system")


class Failed(AssertionError):
    """A command inside ended unexpectedly. Shows its output."""


class Container:
    """A booted systemd. `root`: its file system, seen from outside."""

    def __init__(self, boot_timeout=60.0):
        require()
        self._directory = tempfile.mkdtemp(prefix="an", dir="/tmp")
        self._process = None
        self._groups = []
        self.leader = 0
        atexit.register(self.close)
        try:
            self._mount_root()
            self._prepare()
        except OSError as error:
            self.close()
            raise unittest.SkipTest(f"no container here: {error}") from None
        self._boot_timeout = boot_timeout

    def _mount_root(self):
        _unshare_mounts()
        _mount("tmpfs", self._directory, "tmpfs", 0, "mode=755")
        for name in ("upper", "work", "root"):
            os.mkdir(os.path.join(self._directory, name))
        self.root = os.path.join(self._directory, "root")
        _mount("overlay", self.root, "overlay", 0,
               f"lowerdir=/,upperdir={self._directory}/upper,workdir={self._directory}/work")

    def path(self, name):
        """The path of a file in the container, seen from outside. Not for /tmp, /run, /proc and the like."""
        return os.path.join(self.root, name.lstrip("/"))

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def _prepare(self):
        self.write("/etc/machine-id", uuid.uuid4().hex + "\n")
        self.write("/etc/hostname", "answerd-test\n")
        self.write("/etc/fstab", "")
        # The container keeps its own persistent journal, not the machine's.
        shutil.rmtree(self.path("/var/log/journal"), ignore_errors=True)
        os.makedirs(self.path("/var/log/journal"))
        for unit in MASKED:
            link = self.path("/etc/systemd/system/" + unit)
            if os.path.lexists(link):
                os.unlink(link)
            os.symlink("/dev/null", link)

    def _make_groups(self):
        for root in _control_group_roots():
            group = os.path.join(root, "answerd-" + os.path.basename(self._directory))
            try:
                os.mkdir(group)
            except FileExistsError:  # the same hierarchy, mounted twice
                continue
            self._groups.append(group)

    def _enter_groups(self):
        for group in self._groups:
            with open(os.path.join(group, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write("0")

    def _remove_groups(self):
        """Removes the groups once the kernel has released the last process."""
        for group in self._groups:
            for folder, _, _ in os.walk(group, topdown=False):
                net.wait_until(lambda: not self._busy(folder), what=f"{folder} to be empty")
        self._groups = []

    @staticmethod
    def _busy(folder):
        try:
            os.rmdir(folder)
        except OSError as error:
            return error.errno == errno.EBUSY
        return False

    def boot(self):
        """Boots. Returns when systemd has started everything."""
        self._make_groups()
        self._console = open(os.path.join(self._directory, "console"), "wb+")
        self._process = subprocess.Popen(
            [sys.executable, "-SE", ACTIVATE, "", "systemd-nspawn", "--quiet", "--directory=" + self.root,
             "--machine=answerd-test", "--register=no", "--keep-unit", "--boot", "--private-network",
             "--console=pipe", "--resolv-conf=off", "--timezone=off", "--link-journal=no"],
            stdin=subprocess.DEVNULL, stdout=self._console, stderr=subprocess.STDOUT,
            preexec_fn=self._enter_groups)
        try:
            self.leader = net.wait_until(self._find_leader, self._boot_timeout, "the container to start",
                                         interval=0.02)
            net.wait_until(self._booted, self._boot_timeout, "systemd to come up", interval=0.1)
            self.run("ip link set lo up", check=False)
        except AssertionError as error:
            self._console.seek(0)
            text = self._console.read().decode(errors="replace")
            raise Failed(f"{error}\n{text[-4000:]}") from None

    def reboot(self):
        """As if somebody had pushed the button: nothing is stopped in order."""
        self.run("systemctl reboot --force --force", check=False)
        self._process.wait(timeout=self._boot_timeout)
        self._console.close()
        self.boot()

    def _find_leader(self):
        if self._process.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended, status {self._process.returncode}")
        # nspawn's only child is the container's PID 1.
        with open(f"/proc/{self._process.pid}/task/{self._process.pid}/children", encoding="ascii") as file:
            for pid in file.read().split():
                with open(f"/proc/{pid}/status", encoding="ascii") as status:
                    for line in status:
                        if line.startswith("NSpid:") and line.split()[-1] == "1" and len(line.split()) > 2:
                            return int(pid)
        return 0

    def _booted(self):
        if self._process.poll() is not None:
            raise AssertionError(f"systemd-nspawn ended, status {self._process.returncode}")
        state = self.run("systemctl is-system-running --wait", check=False).strip()
        return state in ("running", "degraded")

    def command(self, *arguments):
        """A command that runs another one inside.

        --root: if systemd-nspawn itself runs in a chroot(2), the root of its mount namespace stays the machine's. Only
        the leader's own root is the container's.
        """
        return ["nsenter", "--target", str(self.leader), "--all", "--root", "--wd", "env", "-i", "LC_ALL=C.UTF-8",
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                "TERM=dumb", "SYSTEMD_PAGER=", *arguments]

    def run(self, script, check=True, timeout=120.0, binary=False, data=None):
        """Runs a shell line inside. Returns its output, with standard error.

        `check` may be False, or the expected exit status.
        """
        done = subprocess.run(
            self.command("sh", "-c", script), input=data, stdout=subprocess.PIPE, timeout=timeout,
            stderr=subprocess.DEVNULL if binary else subprocess.STDOUT,
            **({} if data is not None else {"stdin": subprocess.DEVNULL}))
        text = done.stdout if binary else done.stdout.decode(errors="backslashreplace")
        wanted = 0 if check is True else check
        if check is not False and done.returncode != wanted:
            raise Failed(f"`{script}`: exit status {done.returncode}, not {wanted}\n{text}")
        return text

    def status(self, script, timeout=120.0):
        """The exit status of a shell line."""
        return subprocess.run(self.command("sh", "-c", script), stdin=subprocess.DEVNULL, timeout=timeout,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode

    def socket(self, family=socket.AF_INET, timeout=net.TIMEOUT):
        """A stream socket in the network of the container, for use from outside.

        A socket stays in the network namespace in which its thread made it (setns(2)).
        """
        with open("/proc/self/task/%d/ns/net" % LIBC.gettid(), "rb") as ours, \
                open(f"/proc/{self.leader}/ns/net", "rb") as theirs:
            enter_network(theirs)
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
            finally:
                enter_network(ours)
        sock.settimeout(timeout)
        return sock

    def connect(self, port, host="127.0.0.1", timeout=net.TIMEOUT):
        sock = self.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, timeout)
        try:
            sock.connect((host, port))
        except BaseException:
            sock.close()
            raise
        return sock

    def host_pid(self, pid):
        """The PID outside of the process with this PID inside."""
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                if os.stat(f"/proc/{name}/ns/pid").st_ino != os.stat(f"/proc/{self.leader}/ns/pid").st_ino:
                    continue
                with open(f"/proc/{name}/status", encoding="utf-8") as status:
                    ids = next(line for line in status if line.startswith("NSpid:")).split()
            except OSError:
                continue
            if int(ids[-1]) == pid:
                return int(name)
        raise ProcessLookupError(pid)

    def close(self):
        """Ends the container through its leader, and releases its files."""
        atexit.unregister(self.close)
        if self.leader:
            try:
                os.kill(self.leader, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.leader = 0
        if self._process is not None:
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            self._console.close()
        self._remove_groups()
        # MNT_DETACH: the mounts belong to this process, and remaining users are ending.
        for path in (os.path.join(self._directory, "root"), self._directory):
            if os.path.ismount(path):
                LIBC.umount2(path.encode(), 2)
        if os.path.isdir(self._directory):
            os.rmdir(self._directory)
