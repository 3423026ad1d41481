# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, made by openssl(1)."""

import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   check=True)


KEYS = {
    "ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "rsa": ("-newkey", "rsa:2048"),
}


def write(path, *parts):
    with open(path, "w", encoding="ascii") as out:
        for part in parts:
            with open(part, encoding="ascii") as file:
                out.write(file.read())


class Authority:
    """Signs certificates. All files are in its folder: ca.pem, and of each NAME.crt, NAME.key, and both in NAME.pem."""

    def __init__(self, folder, name="test authority"):
        self.folder = folder
        self.file = folder + "/ca.pem"
        openssl("req", "-x509", *KEYS["ec"], "-noenc", "-days", "2", "-subj", "/CN=" + name,
                "-keyout", folder + "/ca.key", "-out", self.file)

    def sign(self, name, common_name, names="", days=2, key="ec"):
        """names: for subjectAltName, such as DNS:localhost,IP:127.0.0.1. Returns the path without its ending."""
        base = f"{self.folder}/{name}"
        more = ["-addext", "subjectAltName=" + names] if names else []
        openssl("req", "-x509", *KEYS[key], "-noenc", "-days", str(days), "-subj", "/CN=" + common_name, *more,
                "-extensions", "v3_req", "-CA", self.file, "-CAkey", self.folder + "/ca.key",
                "-keyout", base + ".key", "-out", base + ".crt")
        write(base + ".pem", base + ".crt", base + ".key")
        return base
