"""The functions of the host: those of the component in a guest, and stand-ins in a unit test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Labels = Sequence[tuple[str, str]]


class Host(Protocol):
    """The contract's imports, in Python's types. Each raises `GrantError` without its grant."""

    def log(self, level: int, text: str) -> None: ...

    def wall(self) -> int: ...

    def monotonic(self) -> int: ...

    def random_bytes(self, count: int) -> bytes: ...

    def random_number(self) -> int: ...

    def metrics_add(self, name: str, labels: Labels, value: int) -> None: ...

    def metrics_observe(self, name: str, labels: Labels, value: float) -> None: ...

    def metrics_describe(self, name: str, kind: int, help: str, unit: str, bounds: Sequence[float]) -> None: ...

    def kv_get(self, key: bytes) -> bytes | None: ...

    def kv_set(self, key: bytes, value: bytes, ttl: int) -> None: ...

    def kv_delete(self, key: bytes) -> bool: ...

    def kv_add(self, key: bytes, delta: int, ttl: int) -> int: ...

    def http_send(self, request: bytes) -> bytes: ...


_current: Host | None = None


def use(host: Host | None) -> Host | None:
    """Let that be the host; returns the one before."""
    global _current
    before, _current = _current, host
    return before


def host() -> Host:
    """The host. Raises RuntimeError where there is none: outside of a gateway and of a test."""
    if _current is None:
        raise RuntimeError("there is no host here: use sentinel_sdk.testing.Harness in tests")
    return _current
