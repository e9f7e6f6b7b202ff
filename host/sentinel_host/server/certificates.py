"""The certificates of listeners, which may be replaced while they serve.

Rule 1: a listener's context stays the same object; once another certificate counts, it passes handshakes on to the
        context of that. Connections that are there are not touched.
Rule 2: nothing is loaded into a context that serves. Half of a pair would leave a listener that can shake no hands, and
        an old RSA certificate stays beside a new one of another kind, to be shown to whoever prefers it.
Rule 3: files are not read here: see `sentinel_host.config.files`.
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
    """One certificate and its key: ``context`` shows it, and ``chain`` and ``key`` are what they are, in PEM."""

    def __init__(self, context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
        self.context = context
        self.chain = chain
        self.key = key
        self._current = context

    def replace(self, fresh: Certificate) -> None:
        """Have another count."""
        self.chain, self.key, self._current = fresh.chain, fresh.key, fresh.context
        # It is called for every handshake, whether or not the client names a server.
        self.context.sni_callback = self._pass_on

    def _pass_on(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        connection.context = self._current


class Certificates:
    """Those of the listeners of ``config``, or of ``listeners`` that have been opened for another one before.

    Raises `ConfigError` that names key and file.
    """

    def __init__(self, config: Config, listeners: Iterable[TlsConfig] | None = None) -> None:
        entries = tls_entries(config) if listeners is None else (("server.tls", tls) for tls in listeners)
        self._certificates = {tls: _certificate(config, at, tls) for at, tls in entries}

    def of(self, tls: TlsConfig) -> Certificate:
        """The one that these files hold."""
        return self._certificates[tls]

    def renew(self, config: Config) -> Callable[[], None]:
        """Read the files' content anew; returns what has it count. Raises `ConfigError` that names key and file."""
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
