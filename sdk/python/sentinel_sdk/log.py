"""Writing to the gateway's log. The standard library's `logging` and `print` do so too."""

from __future__ import annotations

from sentinel_sdk._host import host

LEVELS = ("trace", "debug", "info", "warn", "error")


def trace(message: str) -> None:
    """The finest detail."""
    host().log(0, message)


def debug(message: str) -> None:
    """For whoever works on the guest."""
    host().log(1, message)


def info(message: str) -> None:
    """Normal operation."""
    host().log(2, message)


def warn(message: str) -> None:
    """Something is off, and the guest goes on."""
    host().log(3, message)


def error(message: str) -> None:
    """Something failed."""
    host().log(4, message)
