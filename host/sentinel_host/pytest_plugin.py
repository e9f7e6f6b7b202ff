"""The pytest plug-in: the fixture ``sentinel_guest``. Everything else is imported when a test uses
it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from sentinel_host.testing.guest import TestedGuest


class StartGuest(Protocol):
    """Starts a guest for one test; what it takes is what `TestedGuest` takes."""

    def __call__(self, file: str | os.PathLike[str], **options: Any) -> TestedGuest: ...


@pytest.fixture
def sentinel_guest() -> Iterator[StartGuest]:
    """Starts guests: ``sentinel_guest("build/x.wasm", config={...})``; each ends with the test."""
    from sentinel_host.testing.guest import TestedGuest

    started: list[TestedGuest] = []

    def start(file: str | os.PathLike[str], **options: Any) -> TestedGuest:
        guest = TestedGuest(file, **options)
        started.append(guest)
        return guest

    yield start
    for guest in started:
        guest.close()
