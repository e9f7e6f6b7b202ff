"""Rules for ``[guests]`` and ``[guest.NAME]``."""

from __future__ import annotations

import os
from typing import Final

from sentinel_host.abi.contract import GRANTS
from sentinel_host.config.model import Config, GuestConfig, HttpClientConfig, RevertConfig
from sentinel_host.config.verify.faults import fail, is_name, unknown, verify_client_pair, verify_network, verify_target

# Bytes of one file, which is read into memory.
_LARGEST_GUEST: Final = 64 << 20

# An answer is decoded in one piece, of at most so many fields; its context travels with every
# request.
_MOST_OF_ANSWERS: Final = {
    "answer": 64 << 20,
    "headers": 1024,
    "header_bytes": 1 << 20,
    "context": 1 << 20,
    "log_lines": 10_000,
}


def verify_guests(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    if not 1 <= config.guests.max_bytes <= _LARGEST_GUEST:
        raise fail(config, "guests.max_bytes", f"expected at most {_LARGEST_GUEST >> 20}MiB")
    if not 1 <= config.guests.compile_time <= 3600:
        raise fail(config, "guests.compile_time", 'expected "1s" to "1h"')
    if config.guests.cache is not None and _is_within(config, config.guests.cache, config.guests.directory):
        raise fail(config, "guests.cache", "what is in the guests' directory is never run as it stands")
    for name, guest in config.guest.items():
        at = f"guest.{name}"
        _verify_names(config, at, name, guest)
        _verify_http(config, f"{at}.http", guest.http)
        _verify_sizes(config, at, guest)
        _verify_rollout(config, at, guest)
    granted = sum(guest.kv for guest in config.guest.values() if "kv" in guest.grants)
    if granted > config.server.kv_memory:
        raise fail(config, "server.kv_memory", f"the guests' quotas come to {granted} bytes")


def _verify_names(config: Config, at: str, name: str, guest: GuestConfig) -> None:
    upstreams = {upstream.name for upstream in config.upstream}
    if not is_name(name):
        raise fail(config, f"{at}", "not a name (letters, digits, '.', '_', '-')")
    for index, upstream in enumerate(guest.upstreams):
        if upstream not in upstreams:
            raise fail(config, f"{at}.upstreams[{index}]", unknown("upstream", upstream, upstreams))
    for index, grant in enumerate(guest.grants):
        if grant not in GRANTS:
            raise fail(config, f"{at}.grants[{index}]", unknown("grant", grant, GRANTS))


def _verify_sizes(config: Config, at: str, guest: GuestConfig) -> None:
    for key, most in _MOST_OF_ANSWERS.items():
        if not 1 <= getattr(guest.limits, key) <= most:
            raise fail(config, f"{at}.limits.{key}", f"expected 1 to {most}")
    if not 128 <= guest.kv <= 1 << 36:
        raise fail(config, f"{at}.kv", 'expected 128 bytes to "64GiB"')
    if guest.memory is not None and guest.memory < 1 << 16:
        raise fail(config, f"{at}.memory", "expected at least one page, 64KiB")
    if not 0.001 <= guest.deadline <= 10:
        raise fail(config, f"{at}.deadline", 'expected "1ms" to "10s"')
    if guest.start_deadline is not None and not 0.001 <= guest.start_deadline <= 60:
        raise fail(config, f"{at}.start_deadline", 'expected "1ms" to "60s"')
    if not 1 <= guest.instances <= 1000:
        raise fail(config, f"{at}.instances", "expected 1 to 1000")
    if not 1 <= guest.bodies <= 10_000:
        raise fail(config, f"{at}.bodies", "expected 1 to 10000")


def _verify_rollout(config: Config, at: str, guest: GuestConfig) -> None:
    if isinstance(guest.revert, RevertConfig):
        if not 0 < guest.revert.share < 1:
            raise fail(config, f"{at}.revert.share", "expected more than 0 and less than 1")
        if guest.revert.calls < 1:
            raise fail(config, f"{at}.revert.calls", "expected at least 1")
    if guest.canary is not None and not 1 <= guest.canary.weight <= 99:
        raise fail(config, f"{at}.canary.weight", "expected 1 to 99, percent of the requests")


def _verify_http(config: Config, at: str, http: HttpClientConfig) -> None:
    for index, target in enumerate(http.allow):
        verify_target(config, f"{at}.allow[{index}]", target)
    verify_client_pair(config, at, http, http.allow)
    for index, network in enumerate(http.networks):
        verify_network(config, f"{at}.networks[{index}]", network)
    if not 0.001 <= http.timeout <= 60:
        raise fail(config, f"{at}.timeout", 'expected "1ms" to "60s"')
    for key, most in (("calls", 1000), ("connections", 10_000), ("request", 16 << 20), ("response", 16 << 20)):
        if not 1 <= getattr(http, key) <= most:
            raise fail(config, f"{at}.{key}", f"expected 1 to {most}")


def _is_within(config: Config, path: str, directory: str) -> bool:
    """Whether ``path`` is ``directory`` or below it, links resolved; relative paths start at the
    file.
    """
    base = os.path.dirname(config.file)
    try:
        inner, outer = (os.path.realpath(os.path.join(base, each)) for each in (path, directory))
        return os.path.commonpath((inner, outer)) == outer
    except OSError:
        # There is no working directory for relative paths to start at.
        return False
