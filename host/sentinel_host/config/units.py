"""Durations and sizes as an operator writes them."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)").fullmatch
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)").fullmatch
_SIZE_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


class Seconds(float):
    """A duration, written like ``"50ms"``, ``"1.5s"``, ``"10m"`` or ``"1h"``."""

    @classmethod
    def parse(cls, value: object) -> Seconds:
        """Raises `ValueError` with what was expected."""
        match = _DURATION(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f'expected a duration such as "50ms", "30s" or "10m", got {value!r}')
        return cls(float(match[1]) * _DURATION_UNITS[match[2]])

    def written(self) -> str:
        """As an operator writes it, in the largest unit of which it is a whole number."""
        for unit in ("h", "m", "s"):
            if self and self % _DURATION_UNITS[unit] == 0:
                return f"{self / _DURATION_UNITS[unit]:.0f}{unit}"
        return f"{self * 1000:.10g}ms" if 0 < self < 1 else f"{float(self):g}s"


class Bytes(int):
    """A size, written like ``"512B"``, ``"64KiB"``, ``"16MiB"`` or ``"1GiB"``."""

    @classmethod
    def parse(cls, value: object) -> Bytes:
        """Raises `ValueError` with what was expected."""
        match = _SIZE(value) if isinstance(value, str) else None
        if match is None:
            raise ValueError(f'expected a size such as "64KiB" or "16MiB", got {value!r}')
        return cls(int(match[1]) * _SIZE_UNITS[match[2]])

    def written(self) -> str:
        """As an operator writes it, in the largest unit of which it is a whole number."""
        unit = next(unit for unit in reversed(_SIZE_UNITS) if self % _SIZE_UNITS[unit] == 0)
        return f"{self // _SIZE_UNITS[unit]}{unit}" if self else "0B"
