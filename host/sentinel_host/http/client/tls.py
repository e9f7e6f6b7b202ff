"""TLS towards upstreams: always verified."""

from __future__ import annotations

import os
import ssl

from sentinel_host.config import Config
from sentinel_host.config.files import ClientTls, as_file
from sentinel_host.errors import ConfigError
from sentinel_host.http.tls import pair_fault


def client_context(ca: str | None = None, content: bytes | None = None) -> ssl.SSLContext:
    """A context that verifies the certificate and its host name, at least TLS 1.2, ALPN
    ``http/1.1``.

    ``ca`` is a PEM file or a directory of hashed certificates that is trusted *instead of* the
    system's; a file that cannot be read or holds no certificate is a ConfigError. With its
    ``content``, which was read before, the file is only named in errors.
    """
    try:
        if ca is None:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if content is not None:
                with as_file(content) as path:
                    context.load_verify_locations(cafile=path)
            elif os.path.isdir(ca):
                context.load_verify_locations(capath=ca)
            else:
                context.load_verify_locations(cafile=ca)
    except (OSError, ValueError) as error:
        reason = "it holds no certificate" if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        raise ConfigError(f"{ca}: {reason or error}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def configured_context(config: Config, tls: ClientTls) -> ssl.SSLContext:
    """A `client_context` as it is configured, which shows a certificate if there is to be one.

    Raises `ConfigError` that names file and key.
    """
    ca, cert, key = tls.ca, tls.cert, tls.key
    try:
        context = client_context() if ca is None else client_context(config.locate(ca), config.content(ca))
    except ConfigError as error:
        raise ConfigError(f"{config.file}: {tls.at}.ca: {error}") from None
    if cert is not None and key is not None:
        chain = config.content(cert)
        with as_file(chain) as chain_file, as_file(config.content(key)) as key_file:
            try:
                # OpenSSL would ask for a passphrase on the terminal.
                context.load_cert_chain(chain_file, key_file, password="")
            except (OSError, ValueError) as error:
                kind, fault = pair_fault(config.locate(cert), chain, config.locate(key), error)
                raise ConfigError(f"{config.file}: {tls.at}.{kind}: {fault}") from None
    return context


def configured_content(config: Config, tls: ClientTls | None) -> tuple[tuple[str, bytes], ...]:
    """The paths and contents that a `configured_context` is made of: equal ones make equal
    contexts.
    """
    return () if tls is None else tuple((config.locate(name), config.content(name)) for _, name in tls.named())
