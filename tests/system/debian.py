# SPDX-License-Identifier: LGPL-2.1-or-later
"""The Debian packages, for tests that install them."""

import glob
import os
import shutil
import subprocess
import unittest

import booted
import daemon

TOOLS = ("dpkg-buildpackage", "dh", "lintian", "apt-get")

# Variables that make passes on. `check-system` would tell the build of the package, which runs its own `make check`,
# which tests to run and where the programs are.
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "TESTS", "top_srcdir", "top_builddir", "ANSWERD", "ASK",
           "ASK_BENCH")


def _newest_source():
    """When a source of the package last changed."""
    newest = 0.0
    for folder, folders, files in os.walk(daemon.TOP):
        if folder == daemon.TOP:
            folders[:] = ["completions", "man", "packaging", "src", "systemd"]
            files = ["Makefile.am", "README.md", "configure.ac", "dev"]
        newest = max([newest, *(os.stat(os.path.join(folder, name)).st_mtime for name in files)])
    return newest


def packages():
    """The paths of the packages. ./dev builds them and runs lintian in the end.

    Packages newer than their sources are not built again.
    """
    for tool in TOOLS:
        if not shutil.which(tool):
            raise unittest.SkipTest(f"{tool} is not installed")
    folder = os.path.join(booted.build_folder(), "deb")
    paths = glob.glob(os.path.join(folder, "*.deb"))
    if paths and min(os.stat(path).st_mtime for path in paths) > _newest_source():
        return paths
    env = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    done = subprocess.run([os.path.join(daemon.TOP, "dev"), "deb"], check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=dict(env, BUILD=booted.build_folder()))
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        raise AssertionError("./dev deb failed:\n" + done.stdout[-8000:])
    return glob.glob(os.path.join(folder, "*.deb"))


def start():
    """A container with the packages in /answerd-tree/build/deb, not installed; for setUpModule()."""
    booted.nspawn.require()
    paths = packages()
    system = booted.start(install=False)
    # Container images forbid packages to start services.
    system.run("rm -f /usr/sbin/policy-rc.d")
    # Without this file, man-db does not index all manuals after each installation.
    system.run("rm -f /var/lib/man-db/auto-update")
    folder = system.container.path("/answerd-tree/build/deb")
    os.makedirs(folder)
    for path in paths:
        shutil.copy(path, folder)
    return system
