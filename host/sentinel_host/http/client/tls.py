"""TLS towards upstreams: always verified."""

from __future__ import annotations

import os
import ssl

from sentinel_host.config.files import as_file
from sentinel_host.errors import ConfigError


def client_context(ca: str | None = None, content: bytes | None = None) -> ssl.SSLContext:
    """A context that verifies the certificate and its host name, at least TLS 1.2, ALPN ``http/1.1``.

    ``ca`` is a PEM file or a directory of hashed certificates that is trusted *instead of* the system's; a file that
    cannot be read or holds no certificate is a ConfigError. With its ``content``, which was read before, the file is
    only named in errors.
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
