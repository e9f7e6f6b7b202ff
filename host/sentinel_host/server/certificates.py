"""The certificates of listeners, which can be replaced while they serve.

Rule 1: A listener's context stays the same object. After a replacement it passes each handshake on
        to the context of the new certificate. Open connections are not touched.
Rule 2: Nothing is loaded into a context that serves. A certificate without its key would break
        every handshake, and an old RSA certificate would stay beside a new ECDSA one and still be
        offered.
Rule 3: Files are read elsewhere (`sentinel_host.config.files`).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable, Iterable

from sentinel_host.config import Config, TlsConfig
from sentinel_host.config.files import as_file, tls_entries
from sentinel_host.errors import ConfigError
from sentinel_host.server.sockets import tls_context

_log = logging.getLogger("sentinel.server")


class Certificate:
    """One certificate: the ``context`` that offers it, and its ``chain`` and ``key`` in PEM."""

    def __init__(self, context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
        self.context = context
        self.chain = chain
        self.key = key
        self._current = context

    def replace(self, fresh: Certificate) -> None:
        """Offer another certificate from now on."""
        self.chain, self.key, self._current = fresh.chain, fresh.key, fresh.context
        # OpenSSL calls this for every handshake, also if the client names no server.
        self.context.sni_callback = self._pass_on

    def _pass_on(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current


class Certificates:
    """The certificates of all listeners of ``config``, or of ``listeners`` that are open already.

    Raises `ConfigError` that names key and file.
    """

    def __init__(self, config: Config, listeners: Iterable[TlsConfig] | None = None) -> None:
        entries = tls_entries(config) if listeners is None else (("server.tls", tls) for tls in listeners)
        self._certificates = {tls: _certificate(config, at, tls) for at, tls in entries}

    def of(self, tls: TlsConfig) -> Certificate:
        """The certificate of a listener."""
        return self._certificates[tls]

    def renew(self, config: Config) -> Callable[[], None]:
        """Load the files' new content; returns a function that puts it into use.

        Raises `ConfigError` that names key and file.
        """
        changed: list[tuple[str, Certificate, Certificate]] = []
        for at, tls in tls_entries(config):
            known = self._certificates.get(tls)
            if known is not None and (known.chain, known.key) != (config.content(tls.cert), config.content(tls.key)):
                changed.append((f"{config.file}: {at}", known, _certificate(config, at, tls)))

        def count() -> None:
            for where, known, fresh in changed:
                known.replace(fresh)
                _log.info("%s: another certificate is shown from now on", where)

        return count


def _certificate(config: Config, at: str, tls: TlsConfig) -> Certificate:
    chain, key = config.content(tls.cert), config.content(tls.key)
    with as_file(chain) as chain_file, as_file(key) as key_file:
        try:
            return Certificate(tls_context(chain_file, key_file), chain, key)
        except ConfigError as error:
            reason = error.__cause__
    raise ConfigError(f"{config.file}: {at}{_fault(config, tls, chain, reason)}")


def _fault(config: Config, tls: TlsConfig, chain: bytes, reason: BaseException | None) -> str:
    """Which of the two files is at fault, and why."""
    with as_file(chain) as chain_file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cafile=chain_file)
        except ssl.SSLError:
            return f".cert: {config.locate(tls.cert)}: it holds no certificate in PEM"
    key = config.locate(tls.key)
    if getattr(reason, "reason", None) in ("KEY_VALUES_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        return f".key: {key}: it is not the key of {config.locate(tls.cert)}"
    return f".key: {key}: it holds no private key in PEM without a passphrase"
