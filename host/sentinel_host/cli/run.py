"""``sentinel run``: one worker in this process, or several under a supervisor.

Each of the two needs modules that the other does without, and that take a tenth of a second to
load.
"""

from __future__ import annotations

import argparse
import os

from sentinel_host.cli.first_steps import need_configuration
from sentinel_host.cli.logs import ProcessLog, begin_log
from sentinel_host.control import ConfigSource
from sentinel_host.supervisor.activation import activated_sockets
from sentinel_host.supervisor.fairness import COUNTS, create_counts
from sentinel_host.supervisor.listeners import Listeners
from sentinel_host.supervisor.notify import Notifier
from sentinel_host.supervisor.output import LOCK, create_lock
from sentinel_host.supervisor.prepared import prepare
from sentinel_host.supervisor.shared import ENDPOINTS, KEYS, LIMITS
from sentinel_host.supervisor.source import parse_source, read_source


def run(options: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT.

    Raises `SentinelError` when it cannot start.
    """
    if options.upstream is None:
        need_configuration(options.config, "sentinel.toml")
    source = read_source(options.config, options.upstream, options.bind)
    config = parse_source(source)
    notifier = Notifier.from_environment(os.environ)
    listeners = Listeners(activated_sockets(os.environ))
    lock = create_lock()
    log = begin_log(lock, config)
    try:
        if config.server.workers == 1:
            _run_single_process(source, listeners, notifier, log)
        else:
            _supervise(source, listeners, notifier, log, lock)
    finally:
        log.close()
    return 0


def _run_single_process(source: ConfigSource, listeners: Listeners, notifier: Notifier, log: ProcessLog) -> None:
    from sentinel_host.supervisor.serving import Serving
    from sentinel_host.supervisor.single_process import run_single_process

    prepared = prepare(source, listeners, os.environ, make_token=True)
    serving = Serving(
        prepared.config,
        log,
        read_config=lambda: parse_source(read_source(source.file, source.upstream, source.bind)),
        renewals=[prepared.certificates.renew, prepared.access.renew],
    )
    run_single_process(serving, prepared, notifier)


def _supervise(source: ConfigSource, listeners: Listeners, notifier: Notifier, log: ProcessLog, lock: int) -> None:
    from sentinel_host.supervisor.supervisor import Supervisor

    prepared = prepare(source, listeners, os.environ, make_token=True)
    assert prepared.table is not None
    assert prepared.store is not None
    assert prepared.endpoints is not None
    shared = {
        LOCK: lock,
        LIMITS: prepared.table.fd,
        KEYS: prepared.store.fd,
        ENDPOINTS: prepared.endpoints.fd,
        COUNTS: create_counts(),
    }
    Supervisor(prepared, listeners, notifier, shared, log).run()
