"""Which certificate a client gets, and which hosts it may then ask for on that connection."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from sentinel_host.config.files import as_file

Serves = Callable[[str], bool]
"""Whether the certificate that a connection showed is the one for a host."""

_WILDCARD = "*."


class Certificate:
    """A certificate's ``chain`` and ``key`` in PEM, and the ``context`` that shows it.

    ``names`` are the DNS names of its extension ``subjectAltName``, in lower case (RFC 6125 section
    6.4.4: the common name counts no longer).
    """

    def __init__(self, context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
        self.context = context
        self.chain = chain
        self.key = key
        self.names = _names(chain)


class ServerSslObject(ssl.SSLObject):
    """The server's end of a connection.

    ``serves`` says whether the certificate that it showed is the one for a host; it is None if the
    client named no server, and where there is one certificate only.
    """

    serves: Serves | None = None


class CertificateSelector:
    """Chooses by the server name that the client sends (SNI, RFC 6066 section 3): a certificate
    with exactly this name, then one with a wildcard in place of its first label, then the first of
    ``certificates``.
    """

    def __init__(self, certificates: Sequence[Certificate]) -> None:
        self.default = certificates[0]
        self._has_more = len(certificates) > 1
        self._exact: dict[str, Certificate] = {}
        self._wildcard: dict[str, Certificate] = {}
        for certificate in certificates:
            for name in certificate.names:
                if name.startswith(_WILDCARD):
                    self._wildcard.setdefault(name.removeprefix(_WILDCARD), certificate)
                else:
                    self._exact.setdefault(name, certificate)
        if self._has_more:
            context = self.default.context
            context.sslobject_class = ServerSslObject
            context.sni_callback = self._on_server_name

    def select(self, name: str) -> Certificate:
        """The certificate for a host name, of whatever case, with a dot at the end or without."""
        name = name.lower().removesuffix(".")
        return self._exact.get(name) or self._wildcard.get(name.partition(".")[2]) or self.default

    def choose(self, name: str | None) -> tuple[Certificate, Serves | None]:
        """The certificate for a client that asks for this server, or for none, and
        `ServerSslObject.serves`.
        """
        if name is None or not self._has_more:
            return self.default, None
        chosen = self.select(name)
        return chosen, lambda host: self.select(host) is chosen

    def _on_server_name(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if name is None:
            return
        chosen, serves = self.choose(name)
        connection.context = chosen.context
        if isinstance(connection, ServerSslObject):
            connection.serves = serves


def pair_fault(cert: str, chain: bytes, key: str, error: BaseException | None) -> tuple[str, str]:
    """Which of two files, ``cert`` and ``key``, is at fault when OpenSSL did not load them with
    this error, and why. ``chain`` is what the first says.
    """
    with as_file(chain) as path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=path)
        except ssl.SSLError:
            return "cert", f"{cert}: it holds no certificate in PEM"
    if getattr(error, "reason", None) in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        return "key", f"{key}: it is not the key of {cert}"
    return "key", f"{key}: it holds no private key in PEM without a passphrase"


def _names(chain: bytes) -> list[str]:
    # Loading it takes a while, and a gateway without TLS has no need of it.
    from cryptography import x509

    certificate = x509.load_pem_x509_certificates(chain)[0]
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [name.lower() for name in extension.value.get_values_for_type(x509.DNSName)]
