"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sentinel_host.control.upstreams import EndpointView, UpstreamView


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """One line for each row, whose cells stand below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def endpoint_table(upstreams: Sequence[UpstreamView]) -> list[str]:
    """One line for each endpoint, and for each upstream that has none."""
    header = ("UPSTREAM", "ENDPOINT", "WEIGHT", "STATE", "ACTIVE", "REQUESTS", "FAILURES", "LATENCY", "CONNECTIONS")
    return columns([header, *(row for upstream in upstreams for row in _rows(upstream))])


def _rows(upstream: UpstreamView) -> Iterator[tuple[str, ...]]:
    if not upstream.endpoints:
        yield (upstream.name, "none is known", *["-"] * 7)
    for endpoint in upstream.endpoints:
        yield (
            upstream.name,
            endpoint.name,
            str(endpoint.weight),
            _state(endpoint),
            str(endpoint.active),
            str(endpoint.requests),
            str(endpoint.failures),
            f"{endpoint.latency * 1000:.1f} ms" if endpoint.latency else "-",
            str(endpoint.connections.open),
        )


def _state(endpoint: EndpointView) -> str:
    return f"ejected, {endpoint.ejected_for:.0f} s left" if endpoint.state == "ejected" else endpoint.state
