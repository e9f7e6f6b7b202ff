"""Upstreams as operators see them: their endpoints, and the state of each.

Workers report which endpoints there are (`UpstreamReport`). The state of each is in the shared
table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from sentinel_host.control.snapshot import EndpointReport, Numbers, Snapshot, UpstreamReport
from sentinel_host.upstream.table import EndpointState, EndpointTable

State: TypeAlias = Literal["serving", "warming", "ejected", "down", "draining"]
STATES: Final[tuple[State, ...]] = get_args(State)


class ConnectionsView(msgspec.Struct, frozen=True):
    """Connections to an endpoint, of all workers. ``waiting`` are requests that wait for one."""

    open: int
    idle: int
    waiting: int
    tunnels: int


class EndpointView(msgspec.Struct, frozen=True):
    """An endpoint as the whole gateway has it.

    ``state``: an endpoint is given requests while it is ``serving``, and fewer while it is
    ``warming`` up. ``ejected``, it failed; ``down``, its check fails; ``draining``, an operator
    asked for it. ``ejected_for`` is in seconds, of the ejection that is under way; ``ejections`` is
    how many there were in a row. ``latency`` is in seconds, of the head of an answer, on average; 0
    before the first.
    """

    name: str
    weight: int
    state: State
    ejected_for: float
    ejections: int
    active: int
    requests: int
    failures: int
    latency: float
    connections: ConnectionsView


class UpstreamView(msgspec.Struct, frozen=True):
    """An upstream of the configuration; ``policy`` is its ``balance``."""

    name: str
    policy: str
    endpoints: list[EndpointView]


def view_upstreams(reports: Mapping[str, UpstreamReport], table: EndpointTable) -> list[UpstreamView]:
    """Every upstream that workers tell of, by name, with its endpoints."""
    found: dict[str, list[EndpointView]] = {name: [] for name in reports}
    for name, report, endpoint, state in _states(reports, table):
        found[name].append(_view(report, endpoint, state))
    return [UpstreamView(name, reports[name].policy, endpoints) for name, endpoints in sorted(found.items())]


def endpoint_numbers(reports: Mapping[str, UpstreamReport], table: EndpointTable) -> Snapshot:
    """What the table says of every endpoint, for metrics."""
    states: Numbers = {}
    active: Numbers = {}
    latency: Numbers = {}
    requests: Numbers = {}
    failures: Numbers = {}
    for name, report, endpoint, state in _states(reports, table):
        labels = (name, endpoint.name)
        now = state_of(state, report.slow_start)
        states.update({(*labels, each): each == now for each in STATES})
        active[labels] = state.active
        latency[labels] = state.latency / 1e6
        requests[labels] = state.requests
        failures[labels] = state.failures
    return Snapshot(
        counters={"sentinel_endpoint_requests": requests, "sentinel_endpoint_failures": failures},
        gauges={
            "sentinel_endpoint_state": states,
            "sentinel_endpoint_active": active,
            "sentinel_endpoint_latency_seconds": latency,
        },
    )


def key_named(reports: Mapping[str, UpstreamReport], upstream: str, endpoint: str) -> int:
    """The key of the endpoint of this name, as `EndpointView` has it. Raises `LookupError` that
    says what there is.
    """
    report = reports.get(upstream)
    if report is None:
        raise LookupError(f"there is no upstream {upstream!r}; there are: {', '.join(sorted(reports)) or 'none'}")
    for key, each in report.endpoints.items():
        if each.name == endpoint:
            return key
    names = ", ".join(sorted(each.name for each in report.endpoints.values()))
    raise LookupError(f"upstream {upstream} has no endpoint {endpoint!r}; it has: {names or 'none'}")


def state_of(state: EndpointState, slow_start: float) -> State:
    """One word for what is known of an endpoint; ``slow_start`` is its upstream's, in seconds."""
    if state.draining:
        return "draining"
    if state.down:
        return "down"
    if state.ejected_for:
        return "ejected"
    is_warm = state.in_service_for is None or state.in_service_for >= slow_start * 1000
    return "serving" if is_warm else "warming"


def _states(
    reports: Mapping[str, UpstreamReport], table: EndpointTable
) -> Iterator[tuple[str, UpstreamReport, EndpointReport, EndpointState]]:
    for name, report in reports.items():
        for key, endpoint in sorted(report.endpoints.items(), key=lambda item: item[1].name):
            try:
                state = table.state(key)
            except LookupError:
                # The last worker that used the endpoint has ended since its report.
                continue
            yield name, report, endpoint, state


def _view(report: UpstreamReport, endpoint: EndpointReport, state: EndpointState) -> EndpointView:
    return EndpointView(
        name=endpoint.name,
        weight=endpoint.weight,
        state=state_of(state, report.slow_start),
        ejected_for=state.ejected_for / 1000,
        ejections=state.ejections,
        active=state.active,
        requests=state.requests,
        failures=state.failures,
        latency=state.latency / 1e6,
        connections=ConnectionsView(endpoint.open, endpoint.idle, endpoint.waiting, endpoint.tunnels),
    )
