"""Rules for where the requests of a ``[[route]]`` go."""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.config.destinations import MirrorConfig, RedirectConfig, RespondConfig
from sentinel_host.config.location import location_fault
from sentinel_host.config.model import Config, RouteConfig
from sentinel_host.config.verify.faults import fail, is_name, unknown
from sentinel_host.config.verify.upstreams import MOST_WEIGHT, hash_fault
from sentinel_host.grammar import FIELD_VALUE, HOP_BY_HOP, is_field_name_text

_KINDS: Final = ("upstream", "split", "respond", "redirect")
_REDIRECTS: Final = (301, 302, 303, 307, 308)
# RFC 9110 sections 15.3.5, 15.3.6 and 15.4.5.
_BODILESS: Final = (204, 205, 304)
# What the gateway says of each response by itself.
_OWNED: Final = frozenset(name.decode() for name in HOP_BY_HOP) | {"content-length", "x-request-id"}
# What only matters where an upstream is asked.
_OF_UPSTREAMS: Final = (
    "preserve_host",
    "trailers",
    "grpc_web",
    "timeout",
    "per_try_timeout",
    "idle_timeout",
    "total_timeout",
    "retry_methods",
    "hedge_after",
    "mirror",
)
_is_value: Final = re.compile(FIELD_VALUE).fullmatch


def verify_destination(config: Config, at: str, route: RouteConfig) -> None:
    """Raises `ConfigError` for the first key that is wrong."""
    for number, entry in enumerate(route.entries()):
        if not is_name(entry.guest):
            raise fail(config, f"{at}.chain[{number}]", f"{entry.guest!r} is not the name of a guest")
    given = [kind for kind in _KINDS if getattr(route, kind) is not None]
    if not given:
        raise fail(config, at, f"one of {', '.join(_KINDS)} is needed")
    if len(given) > 1:
        raise fail(config, f"{at}.{given[1]}", f"a route has one destination, and this one has {given[0]}")
    upstreams = {upstream.name for upstream in config.upstream}
    if route.upstream is not None and route.upstream not in upstreams:
        raise fail(config, f"{at}.upstream", unknown("upstream", route.upstream, upstreams))
    if route.split is not None:
        _verify_split(config, f"{at}.split", route.split)
    if route.split_by is not None:
        if route.split is None:
            raise fail(config, f"{at}.split_by", "has no effect: the route has no split")
        if reason := hash_fault(route.split_by):
            raise fail(config, f"{at}.split_by", reason)
    if route.respond is not None:
        _verify_respond(config, f"{at}.respond", route.respond)
    if route.redirect is not None:
        _verify_redirect(config, f"{at}.redirect", route.redirect)
    if route.mirror is not None:
        _verify_mirror(config, f"{at}.mirror", route, route.mirror)
    if route.respond is not None or route.redirect is not None:
        _verify_no_upstream(config, at, route, given[0])


def _verify_split(config: Config, at: str, split: dict[str, int]) -> None:
    if not split:
        raise fail(config, at, "at least one upstream is needed")
    upstreams = {upstream.name for upstream in config.upstream}
    for name, weight in split.items():
        if name not in upstreams:
            raise fail(config, at, unknown("upstream", name, upstreams))
        if not 1 <= weight <= MOST_WEIGHT:
            raise fail(config, f"{at}.{name}", f"expected 1 to {MOST_WEIGHT}, got {weight}")


def _verify_mirror(config: Config, at: str, route: RouteConfig, mirror: MirrorConfig) -> None:
    upstreams = {upstream.name for upstream in config.upstream}
    if mirror.upstream not in upstreams:
        raise fail(config, f"{at}.upstream", unknown("upstream", mirror.upstream, upstreams))
    if mirror.upstream == route.upstream:
        raise fail(config, f"{at}.upstream", "the route itself has this upstream")
    if not 1 <= mirror.percent <= 100:
        raise fail(config, f"{at}.percent", f"expected 1 to 100, got {mirror.percent}")


def _verify_respond(config: Config, at: str, respond: RespondConfig) -> None:
    if not 200 <= respond.status <= 599:
        raise fail(config, f"{at}.status", f"expected 200 to 599, got {respond.status}")
    if respond.body is not None and respond.file is not None:
        raise fail(config, f"{at}.file", "there is a body already")
    for key in ("body", "file"):
        if getattr(respond, key) and respond.status in _BODILESS:
            raise fail(config, f"{at}.{key}", f"a response with status {respond.status} has no body")
    if respond.file is not None and (not respond.file or "\0" in respond.file):
        raise fail(config, f"{at}.file", "expected the path of a file")
    for name, value in respond.headers.items():
        where = f"{at}.headers"
        if not is_field_name_text(name):
            raise fail(config, where, f"{name!r} is not a lower-case header name")
        if name in _OWNED:
            raise fail(config, where, f"{name} is set by the gateway itself")
        if not _is_value(value.encode()) or value != value.strip(" \t"):
            raise fail(config, f"{where}.{name}", "a value has no control characters, and no blanks around it")


def _verify_redirect(config: Config, at: str, redirect: RedirectConfig) -> None:
    if reason := location_fault(redirect.to):
        raise fail(config, f"{at}.to", reason)
    if redirect.status not in _REDIRECTS:
        raise fail(config, f"{at}.status", f"expected 301, 302, 303, 307 or 308, got {redirect.status}")


def _verify_no_upstream(config: Config, at: str, route: RouteConfig, kind: str) -> None:
    if any(config.guest[entry.guest].upstreams for entry in route.entries() if entry.guest in config.guest):
        # A guest may choose one.
        return
    for key in _OF_UPSTREAMS:
        if getattr(route, key):
            raise fail(config, f"{at}.{key}", f"has no effect: the route has {kind}, and asks no upstream")
