"""What a process that serves the data plane is made of, alone or as one of several workers."""

from __future__ import annotations

import gc
from collections.abc import Callable

from sentinel_host.config import Config
from sentinel_host.control import Snapshot, merge
from sentinel_host.control.collect import collect
from sentinel_host.gateway import Live, Supply, create_app
from sentinel_host.http.server import Connections, ServerLimits
from sentinel_host.kv import SharedStore
from sentinel_host.limiter import SharedTable
from sentinel_host.server.limits import server_limits
from sentinel_host.supervisor.log import Log, log_counts

KEYS = "keys"
"""The name, among the shared memory that workers are given, of the store of guests' keys."""

LIMITS = "limits"
"""That of the table that counts requests."""


class Serving:
    """The application and the connections of one process.

    ``limit_table`` and ``kv_store`` are those of all workers, and ``connections`` makes what knows of the others'; a
    process that is alone needs none of these, but ``read_config``, which reads the configuration anew; workers get
    their guests from a ``supply``. Raises `ConfigError`.
    """

    def __init__(
        self,
        config: Config,
        log: Log,
        limit_table: SharedTable | None = None,
        connections: Callable[[ServerLimits], Connections] = Connections,
        read_config: Callable[[], Config] | None = None,
        supply: Callable[[Live], Supply] | None = None,
        kv_store: SharedStore | None = None,
    ) -> None:
        self.gateway = create_app(
            config, log.write_guest_lines, limit_table, kv_store=kv_store, read_config=read_config, supply=supply
        )
        self.connections = connections(server_limits(config))
        self.grace = config.server.grace
        self.lame_duck = config.server.lame_duck
        self._log = log

    def snapshot(self) -> Snapshot:
        """What this process has counted."""
        return merge([collect(self.gateway, self.connections), log_counts(self._log)])


def settle() -> None:
    """To be called once everything is there that stays, before the first request.

    Requests leave no cycles, so that looking for some every 700 objects is a tenth of the CPU for nothing. Full
    collections still come, for what applications and libraries may leave.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
