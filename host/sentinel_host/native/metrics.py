"""A guest's own metrics, counted in C and read when the metrics are rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sentinel_host.native._native import ffi, lib

if TYPE_CHECKING:
    from sentinel_host.native._native import MetricsHandle

BOUNDS = tuple(lib.SNT_METRIC_BOUNDS)
"""The upper bounds of a histogram's buckets, all but the last."""


class Series(NamedTuple):
    """One series: ``labels`` are names and values in turn; ``values`` are a counter's value, or a
    histogram's count per bucket, the last beyond all bounds, followed by the sum of what was
    observed.
    """

    name: str
    labels: tuple[str, ...]
    is_histogram: bool
    values: tuple[float, ...]


class Metrics:
    """The series of one guest over all its instances; they live as long as the process."""

    __slots__ = ("_metrics", "handle")

    def __init__(self) -> None:
        self.handle: MetricsHandle = lib.snt_metrics_new()
        if self.handle == ffi.NULL:
            raise MemoryError
        self._metrics = self.handle

    @property
    def full(self) -> int:
        """How often something was not counted because there are too many series."""
        return self._metrics.full

    @property
    def invalid(self) -> int:
        """How often because of its name, labels or value."""
        return self._metrics.invalid

    def read(self) -> list[Series]:
        """Every series."""
        return [self._read(place) for place in range(self._metrics.used)]

    def _read(self, place: int) -> Series:
        series = lib.snt_metrics_at(self.handle, place)
        # Names are ASCII; values of labels are a guest's bytes.
        name, *labels = ffi.buffer(series.key, series.length)[:-1].decode(errors="replace").split("\0")
        is_histogram = series.kind == lib.SNT_HISTOGRAM
        values = (*series.buckets, series.sum) if is_histogram else (float(series.count),)
        return Series(name, tuple(labels), is_histogram, values)
