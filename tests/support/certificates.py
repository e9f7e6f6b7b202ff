"""Certificates for servers under test, made by the openssl command."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(folder: Path, *names: str, rsa: bool = False) -> tuple[Path, Path]:
    """The files of a certificate for localhost, 127.0.0.1 and these, valid for two days, and of its
    key: of P-256, for one of RSA takes a sixth of a second.
    """
    certificate, key = folder / "cert.pem", folder / "key.pem"
    kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command = ["openssl", "req", "-x509", "-newkey", *kind, "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subjects = ",".join(["DNS:localhost", "IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    subprocess.run(
        [*command, "-addext", f"subjectAltName={subjects}", "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key
