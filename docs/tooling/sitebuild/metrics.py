"""The reference of the metrics, from their declarations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sentinel_host.control.metrics import COUNTERS, GAUGES, HISTOGRAMS, Family

_INTRODUCTION: Final = """\
# Metrics

`GET /metrics` on the admin side answers in Prometheus' text format. With several workers the
numbers are the sum of all workers, those that have ended included.
"""
_OWN: Final = """\
## Of guests

A guest with the grant `metrics` counts under names of its own: counters are `guest_NAME_total`,
histograms `guest_NAME`, both with the label `guest` and the labels that the guest gives. Their help
texts, units and buckets are what the guest says with `metrics.describe`. Of several guests that use
the same name, the one that described it last says it.
"""


def page() -> str:
    """The page's Markdown: a table for each kind of metric."""
    parts = [_INTRODUCTION]
    # prometheus-client adds what its text format asks for.
    for title, families, suffix in (
        ("Counters", COUNTERS, "_total"),
        ("Gauges", GAUGES, ""),
        ("Histograms", HISTOGRAMS, ""),
    ):
        parts += [f"## {title}", "", *_table(families, suffix), ""]
    return "\n".join([*parts, _OWN])


def _table(families: Mapping[str, Family], suffix: str) -> list[str]:
    rows = [
        f"| `{name}{suffix}` | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |"
        for name, family in sorted(families.items())
    ]
    return ["| metric | labels | |", "|---|---|---|", *rows]
