"""The order of tests: files that take long first, or shuffled by a seed. How long examples may take: as
they will. The cache: the tests' own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.caches import use_own_cache

# By default an example fails that takes 200 ms, and a test whose examples take long to make: on a busy machine, any.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
use_own_cache()


# Their files take the longest: begun last, one of them would be waited for alone.
_FIRST = {
    Path(__file__).with_name(folder)
    for folder in (
        "authoring",
        "docs",
        "failover",
        "hotload",
        "languages",
        "packaging",
        "sdk",
        "supervisor",
        "toolchain",
    )
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--shuffle", type=int, metavar="SEED", help="files and their tests in an order made by this seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed: int | None = config.getoption("--shuffle")
    if seed is None:
        items.sort(key=lambda item: _FIRST.isdisjoint(item.path.parents))
        return
    chance = random.Random(seed)
    files: dict[object, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    shuffled = list(files.values())
    chance.shuffle(shuffled)
    for tests in shuffled:
        chance.shuffle(tests)
    # A file's tests stay together: they share what they set up.
    items[:] = [item for tests in shuffled for item in tests]
