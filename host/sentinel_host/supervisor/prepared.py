"""Everything that a configuration needs of the machine, opened before anything is served.

`sentinel run` and `sentinel check` both do this, so that they refuse the same configurations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from sentinel_host.config import Config, read_files
from sentinel_host.config.files import client_tls_entries
from sentinel_host.control import AdminAccess, ConfigSource
from sentinel_host.errors import ConfigError
from sentinel_host.hotload.cache import cache_directory
from sentinel_host.hotload.signature import verifier_of
from sentinel_host.http.client import configured_context
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.server import Certificates, QuicGroup, open_quic
from sentinel_host.supervisor.cells import cells_for
from sentinel_host.supervisor.listeners import Listeners, Listening
from sentinel_host.supervisor.source import parse_source
from sentinel_host.upstream import EndpointTable


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration with the content of its files, its open sockets and its shared memory.

    ``table``, ``store`` and ``endpoints`` are the shared memory of limits, guests' keys and
    endpoints. They are None with one worker, which makes them by itself.
    """

    source: ConfigSource
    config: Config
    certificates: Certificates
    public: list[Listening]
    admin: Listening | None
    quic: QuicGroup | None
    access: AdminAccess
    table: SharedTable | None
    store: SharedStore | None
    endpoints: EndpointTable | None


def prepare(
    source: ConfigSource, listeners: Listeners, environment: Mapping[str, str], *, make_token: bool
) -> Prepared:
    """Read every file that ``source`` names, open all sockets and make the shared memory.

    With ``make_token``, an admin token is made if there is none. Raises `ConfigError` that names
    file and key.
    """
    config = read_files(parse_source(source))
    certificates = check_files(config)
    access = AdminAccess.of(config, environment, cache_directory(config), make_token=make_token)
    source = msgspec.structs.replace(source, files=config.files)
    try:
        public, admin = listeners.open_public(config), listeners.open_admin(config)
        quic = _open_quic(config, listeners)
        return Prepared(source, config, certificates, public, admin, quic, access, *_memory(config))
    except ConfigError:
        listeners.close()
        raise


def _open_quic(config: Config, listeners: Listeners) -> QuicGroup | None:
    """A socket for each process that there may be at one time, by the number of its cell."""
    address, workers = config.server.quic_bind, config.server.workers
    if address is None:
        return None
    return open_quic(listeners.open_datagrams(address, 1 if workers == 1 else cells_for(workers)))


def check_files(config: Config) -> Certificates:
    """Check the content of all files that a configuration names; returns the certificates.

    Raises `ConfigError` that names file and key for the first invalid file.
    """
    for tls in client_tls_entries(config):
        configured_context(config, tls)
    verifier_of(config, None)
    return Certificates(config)


def _memory(config: Config) -> tuple[SharedTable | None, SharedStore | None, EndpointTable | None]:
    """The memory that several workers share.

    It is made even if nothing uses it yet: a later configuration may, and workers inherit memory
    only when they start.
    """
    if config.server.workers == 1:
        return None, None, None
    try:
        return (
            SharedTable.create(config.server.limit_slots),
            SharedStore.create(config.server.kv_memory),
            EndpointTable.create(cells_for(config.server.workers)),
        )
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"{config.file}: no memory for server.limit_slots, server.kv_memory and the table of endpoints: {reason}"
        ) from None
