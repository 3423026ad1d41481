# SPDX-License-Identifier: LGPL-2.1-or-later
"""No call of a worker bypasses the world: each is wrapped, or known to be harmless."""

import os
import re
import subprocess
import unittest
from pathlib import Path

TOP = Path(os.environ.get("top_srcdir", Path(__file__).resolve().parent.parent.parent))
BUILD = Path(os.environ.get("top_builddir", TOP / "build"))

# The libraries of workers, if they exist.
LIBRARIES = ["libbase", "libprotocol", "libnet", "libjournal", "liblog", "librecord", "libserve"]
# If workers are part of this one, only these objects.
PROCESS = "libanswerd"
WORKER = {"acceptor", "address-limit", "connection", "conversation", "log", "output", "recorder", "settings", "worker"}

# They touch only the memory they are given.
PURE = """
    __assert_fail __cpu_model __ctype_b_loc __ctype_tolower_loc __ctype_toupper_loc __errno_location __memcpy_chk __memmove_chk
    __memset_chk __snprintf_chk __sprintf_chk __stack_chk_fail __strcpy_chk __vsnprintf_chk abort bcmp gmtime_r
    inet_ntop inet_pton memchr memcmp memcpy memmem memmove memrchr memset snprintf sprintf stpcpy strchr strcmp strcpy
    strcspn strdup strftime strerror strerrordesc_np strerrorname_np strlen strncmp strnlen strrchr strspn strtod strtol strtoul
    strtoull vsnprintf
    ceil exp2 floor log2 sqrt
    qsort
    __cpu_model
    pthread_mutex_destroy pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock pthread_once
""".split()

# Called before or beside the workers, from functions that no worker calls.
ELSEWHERE = """
    getenv
    freeaddrinfo gai_strerror getaddrinfo getrlimit if_indextoname if_nametoindex lstat mallopt setrlimit
    ferror fprintf program_invocation_short_name sigfillset fflush fputs fwrite stdout stderr
    tdelete tdestroy tfind tsearch
    __asprintf_chk __vasprintf_chk asprintf getopt_long opterr optind optopt vasprintf
    fclose fdopen fgetc fopen fputc open_memstream timegm
    ppoll
""".split()

# For sanitizers and coverage.
INSTRUMENTS = re.compile(r"__(asan|ubsan|lsan|tsan|sanitizer|gcov|llvm)_|_GLOBAL_OFFSET_TABLE_|__start_|__stop_|__sancov")

# OpenSSL reaches sockets only through our own BIO. It reads files when a configuration is loaded, beside the workers.
OPENSSL = re.compile(r"(ASN1|BIO|CRYPTO|d2i|ERR|EVP|GENERAL|HMAC|i2d|OPENSSL|OSSL|PEM|RAND|SSL|TLS|X509V3|X509)_|sk_")


def symbols(path, members=None):
    """The undefined and the defined names of an archive, or of some of its objects."""
    text = subprocess.run(["nm", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    undefined, defined, wanted = set(), set(), True
    for line in text.splitlines():
        if line.endswith(".o:"):
            name = line[:-3].rpartition("-")[2] if members is None else line[:-3].partition("libanswerd_a-")[2]
            wanted = members is None or name in members
        fields = line.split()
        if not wanted or len(fields) < 2:
            continue
        (undefined if fields[-2] in "Uwv" else defined).add(fields[-1])
    return undefined, defined


def calls():
    undefined, defined = set(), set()
    for name in LIBRARIES + [PROCESS]:
        path = BUILD / "src" / f"{name}.a"
        if path.exists():
            u, d = symbols(path, WORKER if name == PROCESS else None)
            undefined |= u
            defined |= d
    # Functions that the process offers to its workers are not system calls either.
    defined |= symbols(BUILD / "src" / f"{PROCESS}.a")[1]
    return {name for name in undefined - defined if not INSTRUMENTS.match(name) and not OPENSSL.match(name)}


def wrapped():
    return [line.removeprefix("--wrap=") for line in (TOP / "tests/sim/wrapped").read_text().split()]


class Calls(unittest.TestCase):
    def test_each_is_wrapped_or_harmless(self):
        self.assertEqual(sorted(calls() - set(wrapped()) - set(PURE) - set(ELSEWHERE)), [])

    def test_there_are_some(self):
        self.assertLessEqual({"epoll_wait", "accept4", "sendmmsg", "close"}, calls())

    def test_the_list_is_in_order_and_has_no_harmless_one(self):
        self.assertEqual(wrapped(), sorted(set(wrapped())))
        self.assertEqual(set(wrapped()) & set(PURE + ELSEWHERE), set())

    def test_each_that_is_wrapped_is_answered(self):
        defined = symbols(BUILD / "tests/sim/libworld.a")[1]
        self.assertEqual([name for name in wrapped() if f"__wrap_{name}" not in defined], [])


if __name__ == "__main__":
    unittest.main()
