"""The parts of a process that serves the data plane: a single process, or one of several
workers.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence

from sentinel_host.config import Config
from sentinel_host.control import Snapshot, merge
from sentinel_host.control.collect import collect
from sentinel_host.control.process import process_numbers
from sentinel_host.gateway.app import create_app
from sentinel_host.hotload.guest_source import GuestSource, Renewal
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.net import Names
from sentinel_host.server.limits import server_limits
from sentinel_host.supervisor.access import open_access_log
from sentinel_host.supervisor.log import Log, log_counts
from sentinel_host.upstream import EndpointTable


class Serving:
    """The application and the connections of one process.

    A worker is given ``limit_table``, ``kv_store`` and ``endpoints``, which all workers share, its
    ``cell`` in the latter, its ``number``, ``connections``, which knows the other workers' counts,
    ``names``, which begins with what others have learned, and the ``source`` of its guests. A
    single process is given ``read_config``, which reads the configuration anew. ``renewals`` are
    told of the new content of files. Raises `ConfigError`.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        limit_table: SharedTable | None = None,
        connections: Callable[[ServerLimits], Connections] = Connections,
        read_config: Callable[[], Config] | None = None,
        source: GuestSource | None = None,
        kv_store: SharedStore | None = None,
        renewals: Sequence[Renewal] = (),
        endpoints: EndpointTable | None = None,
        cell: int = 0,
        number: int = 0,
        names: Names | None = None,
    ) -> None:
        self.gateway = create_app(
            config,
            log.write_guest_lines,
            limit_table,
            kv_store=kv_store,
            read_config=read_config,
            source=source,
            renewals=renewals,
            endpoints=endpoints,
            cell=cell,
            number=number,
            names=names,
        )
        self.connections = connections(server_limits(config))
        self.grace = config.server.grace
        self.lame_duck = config.server.lame_duck
        self._log = log
        self._name = f"worker-{number}"
        self._access = open_access_log(config, log)
        if self._access is not None:
            self.gateway.recorder.access_log = self._access.log

    def snapshot(self) -> Snapshot:
        """What this process has counted."""
        access = [self._access.counts()] if self._access is not None else []
        return merge(
            [collect(self.gateway, self.connections), log_counts(self._log), process_numbers(self._name), *access]
        )

    def take_lines(self) -> list[bytes]:
        """The log's lines since the last time, for a collector."""
        return self._log.take_lines()

    def reopen(self) -> None:
        """Open the files of the logs anew, which were moved away."""
        self._log.reopen()
        if self._access is not None:
            self._access.reopen()

    def close(self) -> None:
        """Write what waits of the access log; no request is served any more."""
        if self._access is not None:
            self._access.close()


def tune_collector() -> None:
    """Collect garbage seldom; to be called once everything that stays is there, before the first
    request.

    Requests leave no cycles, and the default of a collection every 700 objects costs a tenth of the
    CPU. Full collections still run, for cycles of applications and libraries.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
