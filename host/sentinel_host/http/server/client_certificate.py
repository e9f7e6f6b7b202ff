"""What a connection's TLS tells about the requests on it."""

from __future__ import annotations

import hashlib
import ssl
from typing import Any

import msgpack


def tls_extension(connection: ssl.SSLObject) -> dict[str, Any] | None:
    """The scope extension `TLS` of a connection, after its handshake; None if there is nothing to
    tell.
    """
    serves = getattr(connection, "serves", None)
    certificate = connection.getpeercert(binary_form=True)
    if serves is None and certificate is None:
        return None
    return {
        "serves": serves,
        "client_certificate": None if certificate is None else pack_client_certificate(certificate),
    }


def pack_client_certificate(certificate: bytes) -> bytes:
    """The record ``client-certificate`` of the contract in MessagePack, from a certificate in DER
    that TLS has verified.

    What cannot be read of it is left empty: authorities sign odd names.
    """
    subject, names = _subject_and_names(certificate)
    packed: bytes = msgpack.packb([subject, names, hashlib.sha256(certificate).hexdigest(), True])
    return packed


def _subject_and_names(certificate: bytes) -> tuple[str, list[str]]:
    # Loading it takes a while, and most gateways ask for no certificates.
    from cryptography import x509

    # As OpenSSL writes them.
    kinds: dict[type[Any], str] = {
        x509.DNSName: "DNS",
        x509.UniformResourceIdentifier: "URI",
        x509.RFC822Name: "email",
        x509.IPAddress: "IP",
    }
    subject = ""
    try:
        read = x509.load_der_x509_certificate(certificate)
        subject = read.subject.rfc4514_string()
        extension = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return subject, []
    return subject, [f"{kinds[type(name)]}:{name.value}" for name in extension.value if type(name) in kinds]
