"""An authority of the tests' own, and the certificates that it signs: made anew for each set of servers, by openssl."""

import subprocess
from pathlib import Path
from typing import NamedTuple

DAYS_VALID = 2


class Certificate(NamedTuple):
    """Who somebody is, signed by the authority. Both are PEM files; the key is PKCS#8, encrypted if it has a
    password."""

    certificate: Path
    key: Path


class Authority:
    """`location` is the PEM file that clients and servers are told to trust. All files are in `folder`."""

    def __init__(self, folder: Path, name: str = "Authority of the tests") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.location = folder / "authority.pem"
        self._key = folder / "authority.key"
        signs = "keyUsage=critical,keyCertSign,cRLSign"
        _signed(self._key, self.location, "-nodes", "-subj", f"/CN={name}", "-addext", signs)

    def certificate(self, name: str, password: str | None = None) -> Certificate:
        """Of a server on loopback, or of a client: its common name is `name`. `password` encrypts the key's file."""
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        locked = ("-nodes",) if password is None else ("-passout", f"pass:{password}")
        names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        by = ("-CA", str(self.location), "-CAkey", str(self._key))
        own = ("-subj", f"/CN={name}", "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE")
        _signed(made.key, made.certificate, *locked, *by, *own)
        return made


def _signed(key: Path, certificate: Path, *words: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-days", str(DAYS_VALID), "-keyout", str(key), "-out", str(certificate), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl made no certificate: {done.stderr}")
