# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, made by openssl(1)."""

import subprocess

KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "rsa": ("-newkey", "rsa:2048"),
}


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   check=True)


def join(path, *parts):
    """Writes a file that has the text of all parts."""
    with open(path, "w", encoding="ascii") as out:
        for part in parts:
            with open(part, encoding="ascii") as file:
                out.write(file.read())


class Authority:
    """Signs certificates. All files are in its folder: ca.pem; and of each NAME.crt, NAME.key, and both in NAME.pem."""

    def __init__(self, folder, name="test authority"):
        self.folder = folder
        self.file = folder + "/ca.pem"
        openssl("req", "-x509", *KEYS["ec"], "-nodes", "-days", "2", "-subj", "/CN=" + name,
                "-keyout", folder + "/ca.key", "-out", self.file)

    def sign(self, name, common_name, names=None, days=2, key="ec"):
        """names: alternative names, as in x509v3_config(5); days: how long it is valid; -1: it has expired. Returns the
        path without its ending."""
        base = f"{self.folder}/{name}"
        openssl("req", *KEYS[key], "-nodes", "-subj", "/CN=" + common_name, "-keyout", base + ".key",
                "-out", base + ".csr")
        extensions = []
        if names:
            extensions = ["-extfile", base + ".ext"]
            with open(base + ".ext", "w", encoding="ascii") as out:
                out.write(f"subjectAltName = {names}\n")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.file, "-CAkey", self.folder + "/ca.key",
                "-CAcreateserial", "-days", str(days), "-out", base + ".crt", *extensions)
        join(base + ".pem", base + ".crt", base + ".key")
        return base
