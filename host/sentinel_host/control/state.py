"""Everything that the dashboard shows at a moment, as one answer."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from sentinel_host.control.certificates import CertificateView, view_certificates
from sentinel_host.control.guests import GuestView, view_guests
from sentinel_host.control.limits import LimitView, view_limits
from sentinel_host.control.overview import Overview
from sentinel_host.control.routes import RouteView, view_routes
from sentinel_host.control.snapshot import Numbers
from sentinel_host.control.upstreams import UpstreamView, view_upstreams


class WorkerState(msgspec.Struct, frozen=True):
    """A worker: whether it serves, and how often it died and was replaced."""

    worker: int
    up: bool
    restarts: int


class StateView(msgspec.Struct, frozen=True):
    """The gateway at ``time`` (RFC 3339).

    ``faults`` says why it is not ready, and is empty when it is. ``refused`` counts requests that
    reached no route, by status. ``refusal`` says why the configuration file is not served, if it is
    not. ``active`` requests are being served now, on ``connections`` of clients.
    """

    time: str
    faults: list[str]
    refusal: str
    active: int
    connections: int
    refused: dict[str, int]
    workers: list[WorkerState]
    routes: list[RouteView]
    upstreams: list[UpstreamView]
    guests: list[GuestView]
    limits: list[LimitView]
    certificates: list[CertificateView]


async def view_state(overview: Overview) -> StateView:
    """What all workers tell now."""
    snapshot, config = await overview.snapshot(), overview.config
    counters, gauges = snapshot.counters, snapshot.gauges
    restarts = counters.get("sentinel_worker_restarts", {})
    return StateView(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        faults=await overview.faults(),
        refusal=overview.refusal,
        active=_one(gauges.get("sentinel_requests_active", {})),
        connections=_one(gauges.get("sentinel_connections", {})),
        refused={status: int(count) for (status,), count in counters.get("sentinel_requests_refused", {}).items()},
        workers=[
            WorkerState(int(worker), bool(is_up), int(restarts.get((worker,), 0)))
            for (worker,), is_up in sorted(gauges.get("sentinel_worker_up", {}).items())
        ],
        routes=view_routes(config, snapshot),
        upstreams=view_upstreams(snapshot.upstreams, overview.endpoints),
        guests=view_guests(await overview.guests(), snapshot, overview.rollouts),
        limits=view_limits(config, snapshot),
        certificates=view_certificates(config),
    )


def _one(numbers: Numbers) -> int:
    return int(numbers.get((), 0))
