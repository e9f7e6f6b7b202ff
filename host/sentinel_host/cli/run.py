"""``sentinel run``: one worker in this process, or several under a supervisor; ``sentinel worker`` is one of those."""

from __future__ import annotations

import argparse
import os

from sentinel_host.cli.logs import ProcessLog, begin_log
from sentinel_host.config import Config
from sentinel_host.control import AdminAccess, ConfigSource
from sentinel_host.control.token import admin_token
from sentinel_host.errors import SentinelError
from sentinel_host.hotload.cache import cache_directory
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.server import QuicEndpoint, open_quic
from sentinel_host.supervisor.activation import activated_sockets
from sentinel_host.supervisor.alone import run_alone
from sentinel_host.supervisor.fairness import COUNTS, create_counts
from sentinel_host.supervisor.listeners import Listeners
from sentinel_host.supervisor.notify import Notifier
from sentinel_host.supervisor.output import LOCK, create_lock
from sentinel_host.supervisor.serving import KEYS, LIMITS, Serving
from sentinel_host.supervisor.source import parse_source, read_source
from sentinel_host.supervisor.supervisor import Supervisor
from sentinel_host.supervisor.worker import work


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises `SentinelError` when it cannot start.
    """
    source = read_source(options.config, options.upstream, options.bind)
    config = parse_source(source)
    notifier = Notifier.from_environment(os.environ)
    listeners = Listeners(activated_sockets(os.environ))
    lock = create_lock()
    log = begin_log(lock)
    try:
        if config.server.workers == 1:
            _run_alone(source, config, listeners, notifier, log)
        else:
            _supervise(source, config, listeners, notifier, log, lock)
    finally:
        log.close()
    return 0


def worker(options: argparse.Namespace) -> int:
    """Serve what the supervisor says."""
    return work(options.control, begin_log)


def _run_alone(source: ConfigSource, config: Config, listeners: Listeners, notifier: Notifier, log: ProcessLog) -> None:
    public, admin = listeners.open_public(config), listeners.open_admin(config)
    serving = Serving(
        config,
        log,
        read_config=lambda: parse_source(read_source(source.file, source.upstream, source.bind)),
    )
    listening = [*public, *([admin] if admin is not None else [])]
    run_alone(serving, listening, notifier, _admin_access(config), _open_quic(config))


def _open_quic(config: Config) -> QuicEndpoint | None:
    address, tls = config.server.quic_bind, config.server.tls
    return open_quic("public", address, tls.cert, tls.key) if address is not None and tls is not None else None


def _supervise(
    source: ConfigSource, config: Config, listeners: Listeners, notifier: Notifier, log: ProcessLog, lock: int
) -> None:
    # Made whether or not there are limits yet, or guests with keys: a later configuration may have some, and must find
    # the memory there.
    try:
        table = SharedTable.create(config.server.limit_slots)
        store = SharedStore.create(config.server.kv_memory)
        shared = {LOCK: lock, LIMITS: table.fd, KEYS: store.fd, COUNTS: create_counts()}
    except OSError as error:
        raise SentinelError(
            f"{config.file}: no memory for server.limit_slots and kv_memory: {error.strerror}"
        ) from None
    Supervisor(source, config, listeners, notifier, shared, log).run(_admin_access(config))


def _admin_access(config: Config) -> AdminAccess:
    """Raises `ConfigError` for a token that is none."""
    if config.server.admin is None:
        return AdminAccess()
    token = admin_token(config, os.environ, cache_directory(config), make=True)
    return AdminAccess((config.server.admin.rpartition(":")[0],), token)
