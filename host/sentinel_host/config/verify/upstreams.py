"""Rules for ``[[upstream]]``."""

from __future__ import annotations

from sentinel_host.config.model import Config
from sentinel_host.config.verify.faults import fail, is_name, verify_target


def verify_upstreams(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    names: set[str] = set()
    for index, upstream in enumerate(config.upstream):
        at = f"upstream[{index}]"
        if not is_name(upstream.name):
            raise fail(config, f"{at}.name", f"{upstream.name!r} is not a name (letters, digits, '.', '_', '-')")
        if upstream.name in names:
            raise fail(config, f"{at}.name", f"{upstream.name!r} is taken by an earlier upstream")
        names.add(upstream.name)
        if not upstream.targets:
            raise fail(config, f"{at}.targets", "at least one target is needed")
        for number, target in enumerate(upstream.targets):
            verify_target(config, f"{at}.targets[{number}]", target)
        if upstream.connections < 1:
            raise fail(config, f"{at}.connections", "expected at least 1")
