"""The certificates of listeners, which can be replaced while they serve.

Rule 1: Each handshake gets the context that is current when its connection is accepted. Open
        connections are not touched.
Rule 2: Nothing is loaded into a context that serves. A certificate without its key would break
        every handshake, and an old RSA certificate would stay beside a new ECDSA one and still be
        offered. A new context also ends old sessions: a client whose authority is no longer trusted
        cannot resume one.
Rule 3: Files are read elsewhere (`sentinel_host.config.files`).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable

from sentinel_host.config import CertificateConfig, Config, TlsConfig
from sentinel_host.config.files import as_file, certificate_entries, tls_entries, tls_files
from sentinel_host.errors import ConfigError
from sentinel_host.http.tls import Certificate, CertificateSelector, pair_fault
from sentinel_host.server.sockets import tls_context

_log = logging.getLogger(__name__)


class ListenerTls:
    """The TLS of one listener: its certificates, of which the first is shown by default. ``selector``
    chooses for the next handshake.
    """

    def __init__(self, settings: TlsConfig, certificates: list[Certificate], content: list[bytes]) -> None:
        self.settings = settings
        self.content = content
        self.selector = CertificateSelector(certificates)

    def context(self) -> ssl.SSLContext:
        """For the next handshake."""
        return self.selector.default.context

    def replace(self, fresh: ListenerTls) -> None:
        """Do what another says from now on."""
        self.settings, self.content, self.selector = fresh.settings, fresh.content, fresh.selector


class Certificates:
    """The certificates of all listeners of ``config``, or of ``listeners`` that are open already.

    Raises `ConfigError` that names key and file.
    """

    def __init__(self, config: Config, listeners: Iterable[TlsConfig] | None = None) -> None:
        entries = tls_entries(config) if listeners is None else (("server.tls", tls) for tls in listeners)
        self._listeners = {tls: _listener_tls(config, at, tls) for at, tls in entries}

    def of(self, tls: TlsConfig) -> ListenerTls:
        """The TLS of a listener."""
        return self._listeners[tls]

    def renew(self, config: Config) -> Callable[[], None]:
        """Load the files' new content; returns a function that puts it into use.

        Raises `ConfigError` that names key and file.
        """
        changed: list[tuple[str, ListenerTls, ListenerTls]] = []
        for at, tls in tls_entries(config):
            known = self._listeners.get(tls)
            if known is not None and known.content != _content(config, tls):
                changed.append((f"{config.file}: {at}", known, _listener_tls(config, at, tls)))

        def count() -> None:
            for where, known, fresh in changed:
                known.replace(fresh)
                _log.info("%s: new certificates are used from now on", where)

        return count


def _content(config: Config, tls: TlsConfig) -> list[bytes]:
    return [config.content(name) for _, name in tls_files("", tls)]


def _listener_tls(config: Config, at: str, tls: TlsConfig) -> ListenerTls:
    certificates = [_certificate(config, key, pair, tls) for key, pair in certificate_entries(at, tls)]
    return ListenerTls(tls, certificates, _content(config, tls))


def _certificate(config: Config, at: str, pair: CertificateConfig, tls: TlsConfig) -> Certificate:
    chain, key = config.content(pair.cert), config.content(pair.key)
    with as_file(chain) as chain_file, as_file(key) as key_file:
        try:
            context = tls_context(chain_file, key_file, list(tls.alpn))
        except ConfigError as error:
            reason = error.__cause__
        else:
            context.minimum_version = ssl.TLSVersion.TLSv1_3 if tls.min_version == "1.3" else ssl.TLSVersion.TLSv1_2
            _ask_for_certificates(config, at, tls, context)
            return Certificate(context, chain, key)
    kind, fault = pair_fault(config.locate(pair.cert), chain, config.locate(pair.key), reason)
    raise ConfigError(f"{config.file}: {at}.{kind}: {fault}")


def _ask_for_certificates(config: Config, at: str, tls: TlsConfig, context: ssl.SSLContext) -> None:
    if tls.client_ca is None:
        return
    with as_file(config.content(tls.client_ca)) as authorities:
        try:
            context.load_verify_locations(cafile=authorities)
        except ssl.SSLError:
            path = config.locate(tls.client_ca)
            raise ConfigError(f"{config.file}: {at}.client_ca: {path}: it holds no certificate in PEM") from None
    context.verify_mode = ssl.CERT_REQUIRED if tls.client_certificate == "require" else ssl.CERT_OPTIONAL
