"""A guest's own metrics, counted in C and read when the metrics are rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sentinel_host.native._native import ffi, lib

if TYPE_CHECKING:
    from sentinel_host.native._native import Bounds, MetricsHandle


class Series(NamedTuple):
    """One series: ``labels`` are names and values in turn; ``values`` are a counter's value, or a
    histogram's count per bucket, the last beyond all ``bounds``, followed by the sum of what was
    observed. A counter has no bounds.
    """

    name: str
    labels: tuple[str, ...]
    is_histogram: bool
    values: tuple[float, ...]
    bounds: tuple[float, ...] = ()


class Description(NamedTuple):
    """What a guest says of a metric: its help text and unit, which may be empty, and a histogram's
    ``bounds``. ``at`` is when it said so, in nanoseconds of the machine's monotonic clock.
    """

    name: str
    is_histogram: bool
    help: str
    unit: str
    bounds: tuple[float, ...]
    at: int


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

    def descriptions(self) -> list[Description]:
        """What the guest says of its metrics, those that it has not counted yet included."""
        return [self._described(place) for place in range(self._metrics.described)]

    def _described(self, place: int) -> Description:
        found = lib.snt_metrics_description(self.handle, place)
        name, text, unit = (
            ffi.buffer(data, length)[:].decode()
            for data, length in (
                (found.name, found.name_length),
                (found.help, found.help_length),
                (found.unit, found.unit_length),
            )
        )
        is_histogram = found.kind == lib.SNT_HISTOGRAM
        bounds = _upper(found.bounds) if is_histogram else ()
        return Description(name, is_histogram, text, unit, bounds, found.described)

    def _read(self, place: int) -> Series:
        series = lib.snt_metrics_at(self.handle, place)
        # Names are ASCII; values of labels are a guest's bytes.
        name, *labels = ffi.buffer(series.key, series.length)[:-1].decode(errors="replace").split("\0")
        if series.kind != lib.SNT_HISTOGRAM:
            return Series(name, tuple(labels), False, (float(series.count),))
        bounds = _upper(series.bounds)
        values = (*series.buckets[0 : len(bounds) + 1], series.sum)
        return Series(name, tuple(labels), True, values, bounds)


def _upper(bounds: Bounds) -> tuple[float, ...]:
    return tuple(bounds.upper[0 : bounds.count])
