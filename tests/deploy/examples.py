"""The files of ``deploy/``, and how their configurations are run by tests."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.places import REPOSITORY
from sentinel_host.config import Config
from sentinel_host.config.load import parse_config
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import running_upstream

DEPLOY = REPOSITORY / "deploy"
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
# As the pages build it.
IMAGE = f"sentinel:{PROJECT['project']['version']}"


def port(address: str) -> int:
    """The port of an address such as ``0.0.0.0:8080``."""
    return int(address.rpartition(":")[2])


def ports(config: Config) -> set[int]:
    """What a configuration listens at."""
    assert config.server.admin is not None
    return {*map(port, map(str, config.server.bind)), port(config.server.admin)}


def stop_time(config: Config) -> float:
    """Seconds that the gateway may take from SIGTERM to its end."""
    return config.server.lame_duck + config.server.grace


def configuration(text: str) -> Config:
    """Raises `ConfigError` for what the gateway would not accept."""
    return parse_config(text, "sentinel.toml")


def block_of(page: str) -> str:
    """The configuration in a how-to page, without the comment that names its file."""
    text = (REPOSITORY / "docs" / "how-to" / page).read_text()
    match = re.search(r"^```toml\n# sentinel\.toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert match is not None
    return match[1]


@contextlib.contextmanager
def served(text: str, folder: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[GatewayProcess]:
    """A gateway of a configuration, with free ports and an upstream of this test; ``path`` has the
    standard guests.
    """
    monkeypatch.setenv("PYTHONPATH", path)
    with running_upstream() as upstream:
        text = re.sub(r"0\.0\.0\.0:\d+|127\.0\.0\.1:808\d", "127.0.0.1:0", text)
        text = re.sub(r"^targets = .*", f'targets = ["{upstream.url}"]', text, flags=re.MULTILINE)
        # It ends when a test has seen enough: at the second signal.
        text = re.sub(r"^lame_duck = .*", 'lame_duck = "10m"', text, flags=re.MULTILINE)
        with sentinel_run(write_config(folder, text)) as gateway:
            yield gateway
