"""The exporter, fed with what is known of the whole gateway."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version

from sentinel_host.config import Config
from sentinel_host.control import Overview, Snapshot, merge
from sentinel_host.control.upstreams import endpoint_numbers
from sentinel_host.export import Exporter
from sentinel_host.observe import Taken


class OverviewSource:
    """A `sentinel_host.export.Source` of an `Overview`."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    async def records(self, after: Mapping[int, int], *, watch: bool) -> dict[int, Taken]:
        """Part of `Source`."""
        return await self._overview.records(after, watch=watch)

    async def lines(self) -> list[bytes]:
        """Part of `Source`."""
        return await self._overview.lines()

    async def counts(self) -> Snapshot:
        """Part of `Source`."""
        counted = await self._overview.snapshot()
        return merge([counted, endpoint_numbers(counted.upstreams, self._overview.endpoints)])


def exporter_of(config: Config, overview: Overview) -> Exporter | None:
    """The exporter that a configuration asks for."""
    if config.otlp.endpoint is None:
        return None
    return Exporter(config, OverviewSource(overview), version("sentinel-host"))
