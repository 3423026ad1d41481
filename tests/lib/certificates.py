# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, made by openssl(1)."""

import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                   check=True)


class Authority:
    """Signs certificates. All files are in its folder: ca.pem, and NAME.pem with the certificate and the key."""

    def __init__(self, folder):
        self.folder = folder
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", "/CN=test authority", "-keyout", folder + "/ca.key", "-out", folder + "/ca.pem")

    def sign(self, name, common_name):
        base = f"{self.folder}/{name}"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + common_name,
                "-keyout", base + ".key", "-out", base + ".csr")
        openssl("x509", "-req", "-in", base + ".csr", "-CA", self.folder + "/ca.pem", "-CAkey",
                self.folder + "/ca.key", "-CAcreateserial", "-days", "2", "-out", base + ".crt")
        with open(base + ".pem", "w", encoding="ascii") as out:
            for part in ".crt", ".key":
                with open(base + part, encoding="ascii") as file:
                    out.write(file.read())
