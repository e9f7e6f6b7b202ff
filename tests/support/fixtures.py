"""The upstream that a module's tests share; a ``conftest.py`` or a module takes these fixtures by
importing them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.upstreams import Upstream, running_upstream


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    """One upstream for all tests of a module."""
    with running_upstream() as running:
        yield running


@pytest.fixture
def origin(shared_upstream: Upstream) -> Iterator[Upstream]:
    """The module's upstream, which has received nothing yet in this test. Other tests of the module
    use it by its gateway alone, so it is left as it was.
    """
    shared_upstream.reset()
    yield shared_upstream
    shared_upstream.reset()
