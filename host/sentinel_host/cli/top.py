"""``sentinel top``: routes, guests and endpoints of a gateway that runs, as a table that lives."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from datetime import datetime
from typing import Final

import msgspec

from sentinel_host.authoring.paint import Paint
from sentinel_host.cli.remote import ask
from sentinel_host.cli.tables import Cell, figure, state_cell, table
from sentinel_host.control.guests import GuestView
from sentinel_host.control.routes import RouteView, quantile
from sentinel_host.control.state import StateView
from sentinel_host.control.upstreams import EndpointView

_INTERVAL: Final = 1.0
# The terminal's other screen, without a cursor; and back (xterm's control sequences).
_ENTER: Final = "\x1b[?1049h\x1b[?25l"
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_CLEAR: Final = "\x1b[H\x1b[J"
_VERSION: Final = 12


def top(options: argparse.Namespace) -> int:
    """Show it until Ctrl-C. Elsewhere than on a terminal: once, of one second, or with ``--json``
    as the admin side tells it. Raises `SentinelError` when there is no gateway.
    """
    if options.json:
        print(json.dumps(ask(options, "GET", "/state")))
        return 0
    before = _state(options)
    if not sys.stdout.isatty():
        time.sleep(_INTERVAL)
        print("\n".join(screen(before, _state(options), Paint.of())))
        return 0
    try:
        sys.stdout.write(_ENTER)
        while True:
            time.sleep(_INTERVAL)
            now = _state(options)
            lines = screen(before, now, Paint.of())[: shutil.get_terminal_size().lines - 1]
            sys.stdout.write(_CLEAR + "\n".join(lines))
            sys.stdout.flush()
            before = now
    except KeyboardInterrupt:
        return 0
    finally:
        sys.stdout.write(_LEAVE)


def screen(before: StateView, now: StateView, paint: Paint) -> list[str]:
    """The lines that tell what happened between two states."""
    seconds = max(0.1, _at(now) - _at(before))
    routes = {each.name: each for each in before.routes}
    guests = {each.name: each for each in before.guests}
    endpoints = {(up.name, each.name): each for up in before.upstreams for each in up.endpoints}
    requests = sum(each.requests for each in now.routes) - sum(each.requests for each in before.routes)
    up = sum(worker.up for worker in now.workers)
    workers = f"{up} of {len(now.workers)} workers"
    lines = [
        f"{paint('bold', 'sentinel')}  {requests / seconds:,.0f} requests/s  {now.active} active  "
        f"{now.connections} connections  {workers if up == len(now.workers) else paint('red', workers)}",
        *(paint("red", fault) for fault in now.faults),
        *([paint("red", f"the configuration file is refused: {now.refusal}")] if now.refusal else []),
        "",
        *table(
            ("ROUTE", "REQUESTS/S", "ERRORS", "P50", "P95", "P99", "TOTAL"),
            [_route(routes.get(each.name), each, seconds) for each in now.routes],
            paint,
        ),
        "",
        *table(
            ("ENDPOINT", "STATE", "REQUESTS/S", "ACTIVE", "FAILURES", "LATENCY"),
            [
                _endpoint(upstream.name, endpoints.get((upstream.name, each.name)), each, seconds)
                for upstream in now.upstreams
                for each in upstream.endpoints
            ],
            paint,
        ),
    ]
    if now.guests:
        header = ("GUEST", "STATE", "VERSION", "CALLS/S", "CPU", "MEMORY", "FAILURES")
        rows = [_guest(guests.get(each.name), each, seconds) for each in now.guests]
        lines += ["", *table(header, rows, paint)]
    return lines


def _route(before: RouteView | None, now: RouteView, seconds: float) -> tuple[Cell | str, ...]:
    known = before.latency.counts if before is not None and before.latency.counts else [0] * len(now.latency.counts)
    counts = [count - earlier for count, earlier in zip(now.latency.counts, known, strict=True)]
    requests = now.requests - (before.requests if before is not None else 0)
    failed = now.failed + now.aborted - (before.failed + before.aborted if before is not None else 0)
    share = f"{failed / requests:.1%}" if requests else "-"
    bounds = tuple(now.latency.bounds)
    latencies = [figure(_time(quantile(bounds, counts, part))) for part in (0.5, 0.95, 0.99)]
    return (
        now.name,
        figure(f"{requests / seconds:,.0f}"),
        Cell(share, "red" if failed else "", is_figure=True),
        *latencies,
        figure(f"{now.requests:,}"),
    )


def _endpoint(upstream: str, before: EndpointView | None, now: EndpointView, seconds: float) -> tuple[Cell | str, ...]:
    requests = now.requests - (before.requests if before is not None else 0)
    failures = now.failures - (before.failures if before is not None else 0)
    return (
        f"{upstream}  {now.name}",
        state_cell(now.state),
        figure(f"{requests / seconds:,.0f}"),
        figure(now.active),
        Cell(f"{now.failures:,}", "red" if failures else "", is_figure=True),
        figure(_time(now.latency)),
    )


def _guest(before: GuestView | None, now: GuestView, seconds: float) -> tuple[Cell | str, ...]:
    calls = now.calls - (before.calls if before is not None else 0)
    cpu = now.resources.cpu_seconds - (before.resources.cpu_seconds if before is not None else 0)
    failures = now.failures - (before.failures if before is not None else 0)
    version = now.sha256[:_VERSION] or "-"
    return (
        now.name,
        state_cell(now.state),
        f"{version}, canary {now.canary.weight} %" if now.canary is not None else version,
        figure(f"{calls / seconds:,.0f}"),
        figure(f"{cpu / seconds:.1%}"),
        figure(f"{now.resources.memory_bytes / (1 << 20):.1f} MiB"),
        Cell(f"{now.failures:,}", "red" if failures else "", is_figure=True),
    )


def _state(options: argparse.Namespace) -> StateView:
    return msgspec.convert(ask(options, "GET", "/state"), StateView)


def _at(state: StateView) -> float:
    return datetime.fromisoformat(state.time).timestamp()


def _time(seconds: float) -> str:
    if not seconds:
        return "-"
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
