"""The order of tests: files that take long first, or shuffled by a seed, and then each failure is told
at once. How long examples may take: as they will. The cache: the tests' own."""

from __future__ import annotations

import gc
import random
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.caches import use_own_cache
from tests.support.failures import EarlyFailures

# By default an example fails that takes 200 ms, and a test whose examples take long to make: on a busy machine, any.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")
use_own_cache()


# Their files take the longest: begun last, one of them would be waited for alone.
_LONG = {
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


def pytest_configure(config: pytest.Config) -> None:
    # Where xdist runs, its workers do not tell.
    if config.getoption("--shuffle") is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(EarlyFailures(lambda text: print(text, flush=True)))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Nothing that is collected can be freed before the end: looking for garbage among it takes as
    long as a third of collecting, and more in the tests.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# Before pytest brings together again what shares a fixture with a parameter: in an order that is all
# random, a gateway would be started anew for every other test.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed: int | None = config.getoption("--shuffle")
    if seed is None:
        later = {path: not _takes_long(path) for path in {item.path for item in items}}
        items.sort(key=lambda item: later[item.path])
        return
    chance = random.Random(seed)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    # Anywhere but at the end, where one that takes long would be waited for alone.
    places = {path: chance.random() * (0.7 if _takes_long(path) else 1) for path in files}
    shuffled = [files[path] for path in sorted(files, key=places.__getitem__)]
    for tests in shuffled:
        chance.shuffle(tests)
    # A file's tests stay together: they share what they set up.
    items[:] = [item for tests in shuffled for item in tests]


def _takes_long(path: Path) -> bool:
    return not _LONG.isdisjoint(path.parents)
