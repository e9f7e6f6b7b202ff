"""What operators are told about the certificates of listeners."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from sentinel_host.config import Config
from sentinel_host.config.files import certificate_entries, tls_entries
from sentinel_host.control.snapshot import Numbers, Snapshot

# The dashboard asks each second for the same few.
_KEPT: Final = 32


class CertificateView(msgspec.Struct, frozen=True):
    """A listener's certificate: the first of the chain in ``file``, which the ``key`` of the
    configuration names.

    ``names`` are its subject alternative names. Times are RFC 3339; ``days_left`` is negative once
    it has expired. ``sha256`` is its fingerprint.
    """

    key: str
    file: str
    subject: str
    issuer: str
    names: list[str]
    not_before: str
    not_after: str
    days_left: float
    sha256: str


def view_certificates(config: Config, now: datetime | None = None) -> list[CertificateView]:
    """The certificates of all listeners, each file once."""
    found = {}
    for at, tls in tls_entries(config):
        for key, pair in certificate_entries(at, tls):
            if pair.cert not in found:
                found[pair.cert] = _view(f"{key}.cert", config.locate(pair.cert), config.content(pair.cert), now)
    return list(found.values())


def certificate_numbers(config: Config) -> Snapshot:
    """When the certificates of listeners expire, for metrics."""
    expiries: Numbers = {
        (view.file,): datetime.fromisoformat(view.not_after).timestamp() for view in view_certificates(config)
    }
    return Snapshot(gauges={"sentinel_certificate_expiry_seconds": expiries})


class _Parsed(msgspec.Struct, frozen=True):
    subject: str
    issuer: str
    names: list[str]
    begin: datetime
    end: datetime
    sha256: str


@lru_cache(_KEPT)
def _parse(chain: bytes) -> _Parsed:
    # Loading it takes a while, and most of what a process does has no need of it.
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    certificate = x509.load_pem_x509_certificates(chain)[0]
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = [str(name.value) for name in extension.value]
    except x509.ExtensionNotFound:
        names = []
    return _Parsed(
        certificate.subject.rfc4514_string(),
        certificate.issuer.rfc4514_string(),
        names,
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.fingerprint(SHA256()).hex(),
    )


def _view(key: str, file: str, chain: bytes, now: datetime | None) -> CertificateView:
    parsed = _parse(chain)
    left = parsed.end - (now or datetime.now(UTC))
    return CertificateView(
        key=key,
        file=file,
        subject=parsed.subject,
        issuer=parsed.issuer,
        names=parsed.names,
        not_before=parsed.begin.isoformat(),
        not_after=parsed.end.isoformat(),
        days_left=round(left.total_seconds() / 86400, 2),
        sha256=parsed.sha256,
    )
