"""Certificates as aioquic takes them, chosen as for TLS over TCP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificates

from sentinel_host.http.tls import Certificate, CertificateSelector, Serves


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """What a server shows, with ``chain`` behind it, and signs with."""

    certificate: Any
    chain: list[Any]
    key: Any


class CertificateStore:
    """Loads each certificate once, for as long as somebody has it."""

    def __init__(self) -> None:
        self._loaded: WeakKeyDictionary[Certificate, ShownCertificate] = WeakKeyDictionary()

    def shown(self, certificate: Certificate) -> ShownCertificate:
        """The certificate as aioquic takes it."""
        known = self._loaded.get(certificate)
        if known is None:
            first, *others = load_pem_x509_certificates(certificate.chain)
            known = ShownCertificate(first, others, load_pem_private_key(certificate.key, None))
            self._loaded[certificate] = known
        return known


class CertificateChoice:
    """Chooses for one connection. ``serves`` is that of `CertificateSelector.choose`, once the client
    has named a server.
    """

    __slots__ = ("_selector", "_store", "serves")

    def __init__(self, selector: CertificateSelector, store: CertificateStore) -> None:
        self._selector = selector
        self._store = store
        self.serves: Serves | None = None

    def choose(self, name: str | None) -> ShownCertificate:
        """For a client that asks for this server, or for none."""
        certificate, self.serves = self._selector.choose(name)
        return self._store.shown(certificate)
