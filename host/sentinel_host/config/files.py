"""The files that a configuration names, read together with it: their content is part of it.

Rule 1: they are read once for every process, and nothing that serves reads them again: a worker
        that starts later has what its siblings have, and a file that is truncated or removed
        meanwhile does no harm.
Rule 2: only what is needed is read: the authorities of an upstream without TLS may be missing.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from sentinel_host.config.model import BindConfig, CertificateConfig, Config, GuestConfig, TlsConfig
from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.errors import ConfigError

KEY_PREFIX: Final = "ed25519:"
"""What begins a key of ``verify_keys`` that is none of a file's name."""

# A system's bundle of authorities has a quarter of a MiB.
_LARGEST: Final = 16 << 20
# What OpenSSL looks for in a directory of authorities: see openssl-rehash(1).
IS_HASHED: Final = re.compile(r"[0-9a-f]{8}\.[0-9]+").fullmatch


class NamedFile(NamedTuple):
    """A file, or a directory of authorities, and the key that names it."""

    key: str
    path: str


def named_files(config: Config) -> Iterator[NamedFile]:
    """What is needed of the files that a configuration names."""
    for key, name in _names(config):
        yield NamedFile(key, config.locate(name))


def read_files(config: Config, *only: str) -> Config:
    """The configuration with what the files say that it names, or ``only`` those that these keys
    name.

    Raises `ConfigError` that names file and key of the first that cannot be read.
    """
    files: dict[str, bytes] = {}
    for key, path in named_files(config):
        if path not in files and (not only or key in only):
            try:
                files[path] = _read(path) if key.endswith(".ca") else _read_file(path)
            except OSError as error:
                raise ConfigError(f"{config.file}: {key}: {path}: {error.strerror or error}") from None
    return msgspec.structs.replace(config, files=files)


def with_known_files(config: Config, *known: dict[str, bytes]) -> Config:
    """The configuration with what is known of its files, the first that knows one first."""
    files = {
        path: next(each[path] for each in known if path in each)
        for _, path in named_files(config)
        if any(path in each for each in known)
    }
    return msgspec.structs.replace(config, files=files)


@contextlib.contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """The path of a file that holds it, for libraries that take nothing else."""
    with open(os.memfd_create("content"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"


class ClientTls(NamedTuple):
    """The files of TLS towards servers, as they are named, and the key ``at`` which that is
    said.
    """

    at: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def named(self) -> Iterator[tuple[str, str]]:
        """The keys that name a file, and the names."""
        for key, name in (("ca", self.ca), ("cert", self.cert), ("key", self.key)):
            if name is not None:
                yield f"{self.at}.{key}", name


def guest_tls(guest: str, settings: GuestConfig) -> ClientTls | None:
    """The TLS towards what a guest asks, if it asks over TLS."""
    http = settings.http
    if "http-client" not in settings.grants or not is_secure(http.allow):
        return None
    return ClientTls(f"guest.{guest}.http", http.ca, http.cert, http.key)


def upstream_tls(index: int, upstream: UpstreamConfig) -> ClientTls | None:
    """The TLS towards an upstream, if it has any."""
    if not is_secure(upstream.urls()):
        return None
    return ClientTls(f"upstream[{index}]", upstream.ca, upstream.cert, upstream.key)


def client_tls_entries(config: Config) -> Iterator[ClientTls]:
    """The TLS towards all servers that are asked, as far as it is needed."""
    for index, upstream in enumerate(config.upstream):
        if (tls := upstream_tls(index, upstream)) is not None:
            yield tls
    for guest in config.named_guests():
        settings = config.guest.get(guest)
        if settings is not None and (tls := guest_tls(guest, settings)) is not None:
            yield tls
    if (collector := collector_authorities(config)) is not None:
        yield ClientTls("otlp", collector)


def collector_authorities(config: Config) -> str | None:
    """The name of the file that the collector is verified with, if it is needed."""
    otlp = config.otlp
    return otlp.ca if otlp.endpoint is not None and is_secure([otlp.endpoint]) else None


def is_secure(targets: Iterable[str]) -> bool:
    """Whether one of them at least is asked over TLS."""
    return any(target.lower().startswith(("https:", "srv+https:")) for target in targets)


def tls_entries(config: Config) -> Iterator[tuple[str, TlsConfig]]:
    """Each certificate that a listener is to have, with its key."""
    server = config.server
    entries = [entry if isinstance(entry, BindConfig) else BindConfig(entry) for entry in server.bind]
    if server.tls is not None and (server.quic_bind is not None or any(entry.tls is None for entry in entries)):
        yield "server.tls", server.tls
    for index, entry in enumerate(entries):
        if entry.tls is not None:
            yield f"server.bind[{index}].tls", entry.tls


def certificate_entries(at: str, tls: TlsConfig) -> Iterator[tuple[str, CertificateConfig]]:
    """The certificates of a listener whose key is ``at``, the default one first."""
    yield at, CertificateConfig(tls.cert, tls.key)
    for index, pair in enumerate(tls.certificates):
        yield f"{at}.certificates[{index}]", pair


def tls_files(at: str, tls: TlsConfig) -> Iterator[tuple[str, str]]:
    """The keys that name a file of a listener's TLS, and the names."""
    for key, pair in certificate_entries(at, tls):
        yield f"{key}.cert", pair.cert
        yield f"{key}.key", pair.key
    if tls.client_ca is not None:
        yield f"{at}.client_ca", tls.client_ca


def _names(config: Config) -> Iterator[tuple[str, str]]:
    for key, tls in tls_entries(config):
        yield from tls_files(key, tls)
    if config.server.admin_token_file is not None:
        yield "server.admin_token_file", config.server.admin_token_file
    for index, name in enumerate(config.guests.verify_keys):
        if not name.startswith(KEY_PREFIX):
            yield f"guests.verify_keys[{index}]", name
    for index, route in enumerate(config.route):
        if route.respond is not None and route.respond.file is not None:
            yield f"route[{index}].respond.file", route.respond.file
    for client in client_tls_entries(config):
        yield from client.named()


def _read(path: str) -> bytes:
    """A file, or all hashed certificates of a directory one after the other. Raises `OSError`."""
    if not os.path.isdir(path):
        return _read_file(path)
    return b"\n".join(_read_file(os.path.join(path, entry)) for entry in sorted(os.listdir(path)) if IS_HASHED(entry))


def _read_file(path: str) -> bytes:
    with open(path, "rb") as file:
        data = file.read(_LARGEST + 1)
    if len(data) > _LARGEST:
        raise OSError(errno.EFBIG, f"is larger than {_LARGEST >> 20} MiB")
    return data
