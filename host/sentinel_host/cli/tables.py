"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sentinel_host.authoring.paint import Paint
from sentinel_host.control.upstreams import EndpointView, UpstreamView


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a style of `Paint`; figures stand at the right of their column."""

    text: str
    style: str = ""
    is_figure: bool = False


_STATES: Final = {
    "serving": "green",
    "warming": "yellow",
    "draining": "yellow",
    "differs": "yellow",
    "ejected": "red",
    "down": "red",
    "missing": "red",
    "quarantined": "red",
}


def table(header: Sequence[str], rows: Sequence[Sequence[Cell | str]], paint: Paint) -> list[str]:
    """The header and a line for each row, whose cells stand below each other."""
    cells = [[Cell(each) if isinstance(each, str) else each for each in row] for row in rows]
    # The header of a column of figures is aligned like them.
    figures = [any(row[place].is_figure for row in cells) for place in range(len(header))]
    heads = [Cell(name, "dim", is_figure) for name, is_figure in zip(header, figures, strict=True)]
    lines = [heads, *cells]
    widths = [max(len(cell.text) for cell in column) for column in zip(*lines, strict=True)]
    return ["  ".join(_padded(line, widths, paint)).rstrip() for line in lines]


def state_cell(state: str, told: str = "") -> Cell:
    """The state of a guest or an endpoint in its colour, or what is ``told`` instead."""
    return Cell(told or state, _STATES.get(state, ""))


def figure(value: str | int) -> Cell:
    """A cell that holds a figure."""
    return Cell(str(value), is_figure=True)


def endpoint_table(upstreams: Sequence[UpstreamView], paint: Paint) -> list[str]:
    """One line for each endpoint, and for each upstream that has none."""
    header = ("UPSTREAM", "ENDPOINT", "WEIGHT", "STATE", "ACTIVE", "REQUESTS", "FAILURES", "LATENCY", "CONNECTIONS")
    return table(header, [row for upstream in upstreams for row in _rows(upstream)], paint)


def _padded(line: Sequence[Cell], widths: Sequence[int], paint: Paint) -> Iterator[str]:
    for cell, width in zip(line, widths, strict=True):
        padding = " " * (width - len(cell.text))
        text = paint(cell.style, cell.text) if cell.style else cell.text
        yield padding + text if cell.is_figure else text + padding


def _rows(upstream: UpstreamView) -> Iterator[tuple[Cell | str, ...]]:
    if not upstream.endpoints:
        yield (upstream.name, "none is known", *["-"] * 7)
    for endpoint in upstream.endpoints:
        yield (
            upstream.name,
            endpoint.name,
            figure(endpoint.weight),
            _state(endpoint),
            figure(endpoint.active),
            figure(endpoint.requests),
            figure(endpoint.failures),
            figure(f"{endpoint.latency * 1000:.1f} ms" if endpoint.latency else "-"),
            figure(endpoint.connections.open),
        )


def _state(endpoint: EndpointView) -> Cell:
    told = f"ejected, {endpoint.ejected_for:.0f} s left" if endpoint.state == "ejected" else ""
    return state_cell(endpoint.state, told)
