"""The plots for the README: CPU per request by number of guests, and latencies at the fixed
rate.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from tests.bench.load import Paced, Round
from tests.bench.report import median

_COUNTS = {"plain": 0, "three_guests": 3, "eight_guests": 8}
_LABELS = {
    "sentinel": "Sentinel",
    "envoy_wat": "Envoy, filters in WAT",
    "envoy_rust": "Envoy, filters in Rust",
    "quart": "Hypercorn + Quart, Python",
}


def draw(
    beside: Path, results: dict[tuple[str, str], list[Round]], paced: dict[tuple[str, str], list[Paced]], rate: int
) -> None:
    """Write ``NAME-cpu`` and ``NAME-latency`` as PNG and SVG beside the file NAME.json."""
    _cpu(beside, results)
    _latency(beside, paced, rate)


def _cpu(beside: Path, results: dict[tuple[str, str], list[Round]]) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for who in ("sentinel", "envoy_wat", "envoy_rust"):
        points = []
        for scenario, count in _COUNTS.items():
            name = who if count or who == "sentinel" else "envoy"
            points.append((count, median(each.cpu_us for each in results[scenario, name])))
        axes.plot(*zip(*points, strict=True), marker="o", label=_LABELS[who])
    axes.set_xlabel("guests")
    axes.set_ylabel("CPU per request, µs")
    axes.set_xticks(list(_COUNTS.values()))
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, beside, "cpu")


def _latency(beside: Path, paced: dict[tuple[str, str], list[Paced]], rate: int) -> None:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    for who, label in _LABELS.items():
        times = sorted(value for run in paced["three_guests", who] for value in run.latencies_ms)
        # One minus the share of requests that were slower, on a scale that gives each nine the same
        # room.
        slower = [1 - place / len(times) for place in range(len(times))]
        axes.plot(slower, times, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.invert_xaxis()
    axes.set_xticks([1, 0.5, 0.1, 0.01, 0.001], ["0", "50", "90", "99", "99.9"])
    axes.set_xlabel("percentile")
    axes.set_ylabel(f"latency at {rate} requests/s, ms")
    axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, beside, "latency")


def _save(figure: Figure, beside: Path, name: str) -> None:
    for suffix in ("png", "svg"):
        figure.savefig(beside.with_name(f"{beside.stem}-{name}.{suffix}"), dpi=150)
