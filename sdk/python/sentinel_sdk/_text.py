from __future__ import annotations


def encoded(value: str | bytes) -> bytes:
    """Bytes as they are, and text as UTF-8."""
    return value.encode() if isinstance(value, str) else bytes(value)
