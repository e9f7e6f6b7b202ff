"""The checks of all upstreams, as configurations replace each other.

Rule 1: an upstream that stays as it was keeps its checker, with what that knows.
Rule 2: an endpoint whose checks end is no longer down.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from sentinel_host.config.upstreams import UpstreamConfig
from sentinel_host.net import Names
from sentinel_host.upstream.checks import Checker
from sentinel_host.upstream.table import EndpointTable


@dataclass(frozen=True, slots=True)
class CheckedUpstream:
    """An upstream that may have a check, and what verifies its https."""

    config: UpstreamConfig
    context: ssl.SSLContext | None = None


class Checkers:
    """Checks whatever `follow` was told last, from one event loop; ``worker`` is this process's
    number in the table.
    """

    def __init__(self, table: EndpointTable, worker: int, names: Names) -> None:
        self._table = table
        self._worker = worker
        self._names = names
        self._checkers: dict[str, tuple[CheckedUpstream, Checker]] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def follow(self, upstreams: Iterable[CheckedUpstream]) -> None:
        """Check these from now on, and no others; their names differ."""
        before, self._checkers = self._checkers, {}
        for upstream in upstreams:
            name = upstream.config.name
            if name in before and before[name][0] == upstream:
                self._checkers[name] = before.pop(name)
            elif upstream.config.check is not None:
                checker = Checker(upstream.config, self._table, self._worker, self._names, upstream.context)
                checker.start()
                self._checkers[name] = upstream, checker
        for name, (_, checker) in before.items():
            successor = self._checkers.get(name)
            task = asyncio.get_running_loop().create_task(checker.close(successor[1] if successor else None))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def changes(self) -> dict[tuple[str, ...], float]:
        """By upstream and endpoint, how often a check has found it to be well or down after it had
        not been.
        """
        return {
            (name, endpoint): state.flaps
            for name, (_, checker) in self._checkers.items()
            for endpoint, state in checker.states.items()
        }

    async def close(self) -> None:
        """Check no more."""
        self.follow(())
        await asyncio.gather(*self._closing)
