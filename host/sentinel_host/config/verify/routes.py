"""Rules for ``[[route]]``."""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.config.model import Config, LimitConfig, RouteConfig
from sentinel_host.config.verify.destinations import verify_destination
from sentinel_host.config.verify.faults import fail
from sentinel_host.grammar import is_field_name_text, is_token_text
from sentinel_host.paths import PathError, PathRule

_HOST: Final = re.compile(r"(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]").fullmatch
_PATHS: Final = PathRule(keep_encoded_slash=True, keep_empty_segments=True)


def verify_routes(config: Config) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    if not config.route:
        raise fail(config, "route", "at least one [[route]] is needed")
    for index, route in enumerate(config.route):
        at = f"route[{index}]"
        _verify_match(config, at, route)
        verify_destination(config, at, route)
        _verify_limits(config, at, route)
        _verify_times(config, at, route)
        _verify_fields(config, at, route)
    _verify_unique(config)


def _verify_match(config: Config, at: str, route: RouteConfig) -> None:
    try:
        canonical = _PATHS.canonical(route.path)
    except PathError as error:
        raise fail(config, f"{at}.path", str(error)) from None
    if canonical != route.path:
        raise fail(config, f"{at}.path", f"write it in its canonical form, {canonical!r}")
    for number, host in enumerate(route.hosts):
        if not _HOST(host):
            raise fail(config, f"{at}.hosts[{number}]", f"{host!r} is no lower-case host name (*.name is allowed)")
    for number, method in enumerate(route.methods):
        if not is_token_text(method):
            raise fail(config, f"{at}.methods[{number}]", f"{method!r} is no method")


def _verify_times(config: Config, at: str, route: RouteConfig) -> None:
    for key in ("timeout", "per_try_timeout", "idle_timeout", "total_timeout", "hedge_after"):
        time = getattr(route, key)
        if time is not None and not 0.001 <= time <= 86_400:
            raise fail(config, f"{at}.{key}", 'expected "1ms" to "24h"')
    for shorter, longer in (
        ("per_try_timeout", "timeout"),
        ("hedge_after", "timeout"),
        ("hedge_after", "per_try_timeout"),
        ("timeout", "total_timeout"),
    ):
        less, more = getattr(route, shorter), getattr(route, longer)
        if less is not None and more is not None and less > more:
            raise fail(config, f"{at}.{shorter}", f"expected no more than {longer}")
    for number, method in enumerate(route.retry_methods):
        if not is_token_text(method):
            raise fail(config, f"{at}.retry_methods[{number}]", f"{method!r} is no method")
    if route.body_bytes is not None and route.body_bytes < 0:
        raise fail(config, f"{at}.body_bytes", "expected at least 0")


def _verify_fields(config: Config, at: str, route: RouteConfig) -> None:
    identity = frozenset(config.server.identity_headers)
    for name in [*route.headers, *route.trailers]:
        if not is_field_name_text(name):
            raise fail(config, at, f"{name!r} is not a lower-case header name")
    for number, name in enumerate(route.trailers):
        if name.replace("_", "-").replace(".", "-") in identity:
            raise fail(config, f"{at}.trailers[{number}]", f"{name!r} is an identity header, which no client may send")
    for number, name in enumerate(route.upgrades):
        if not is_field_name_text(name) or name == "h2c":
            # Inside an h2c tunnel, requests would bypass this route's chain.
            raise fail(config, f"{at}.upgrades[{number}]", f"{name!r} is no lower-case protocol, or is HTTP")


def _verify_unique(config: Config) -> None:
    matches: dict[object, str] = {}
    names: dict[str, str] = {}
    for index, route in enumerate(config.route):
        at = f"route[{index}]"
        key = (
            route.scheme,
            route.path,
            tuple(sorted(route.hosts)),
            tuple(sorted(route.methods)),
            tuple(sorted(route.headers.items())),
        )
        if key in matches:
            raise fail(config, at, f"matches exactly what {matches[key]} matches")
        matches[key] = at
        name = route.name or route.path
        if name in names:
            raise fail(config, f"{at}.name", f"{name!r} is taken by {names[name]}; give one of them another name")
        names[name] = at


def _verify_limits(config: Config, at: str, route: RouteConfig) -> None:
    names: set[str] = set()
    for number, limit in enumerate(route.all_limits()):
        where = f"{at}.limit" if number == 0 and route.limit else f"{at}.limits[{number - (route.limit is not None)}]"
        if limit.name in names:
            raise fail(config, f"{where}.name", f"{limit.name!r} is taken by another limit of the route")
        names.add(limit.name)
        if not limit.name.isascii() or not limit.name.isprintable() or not limit.name:
            raise fail(config, f"{where}.name", f"{limit.name!r} is not printable ASCII")
        for amount in (limit.requests, *limit.plans.values()):
            if not 1 <= amount < 1 << 24:
                raise fail(config, f"{where}.requests", f"expected 1 to {(1 << 24) - 1}, got {amount}")
        if not 0.001 <= limit.window <= 31 * 86400:
            raise fail(config, f"{where}.window", "expected 1ms to 744h")
        if limit.consistency == "strict" and config.server.limit_store is None:
            raise fail(config, f"{where}.consistency", "strict needs server.limit_store")
        if bool(limit.plans) != (limit.plan_header is not None):
            raise fail(config, f"{where}.plans", "plans and plan_header go together")
        _verify_key(config, where, limit)


def _verify_key(config: Config, where: str, limit: LimitConfig) -> None:
    for part in limit.parts():
        kind, _, name = part.partition(":")
        if part in ("client-ip", "route", "host"):
            continue
        if kind not in ("header", "guest") or not is_field_name_text(name):
            expected = '"client-ip", "route", "host", "header:NAME" or "guest:NAME"'
            raise fail(config, f"{where}.key", f"expected {expected}, got {part!r}")
        if kind == "header" and name in config.server.identity_headers:
            raise fail(config, f"{where}.key", f'clients cannot send {name}; a guest sets it: write "guest:{name}"')
    if not limit.parts():
        raise fail(config, f"{where}.key", "at least one part is needed")
