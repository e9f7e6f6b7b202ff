"""What no type can say: names that must exist, addresses that must parse, routes that must be reachable."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sentinel_host.abi.contract import GRANTS
from sentinel_host.config.model import BindConfig, Config, HttpClientConfig, RevertConfig, RouteConfig
from sentinel_host.config.store import store_fault
from sentinel_host.errors import ConfigError
from sentinel_host.grammar import is_field_name_text, is_token_text, without_password
from sentinel_host.paths import PathError, PathRule

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}").fullmatch
_HOST = re.compile(r"(?:\*\.)?[a-z0-9._-]+|\[[0-9a-f:.]+\]").fullmatch

_ONLY_ADDRESS = "expected only scheme, host and port"

# Limits of which none at all would let nobody in.
_POSITIVE = (
    "head_bytes",
    "header_count",
    "body_progress",
    "requests_per_connection",
    "pipelined_requests",
    "connections",
    "connections_per_client",
    "streams_per_connection",
    "idle_frames",
    "idle_frames_per_second",
)
# What one file may be read into memory, whatever is configured.
_LARGEST_GUEST = 64 << 20
# Beyond the processors of any machine: somebody meant something else.
_MOST_WORKERS = 1024

# An answer is decoded in one piece, of at most so many fields; its context travels with every request.
_MOST_OF_ANSWERS = {
    "answer": 64 << 20,
    "headers": 1024,
    "header_bytes": 1 << 20,
    "context": 1 << 20,
    "log_lines": 10_000,
}


def verify(config: Config) -> None:
    """Raises `ConfigError`, naming the file and the first key that is wrong."""
    _verify_server(config)
    _verify_upstreams(config)
    _verify_guests(config)
    _verify_routes(config)


def split_address(address: str) -> tuple[str, int]:
    """``host:port`` or ``[v6]:port`` into host (without brackets) and port.

    Raises `ValueError` with what was expected.
    """
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f'expected an address such as "127.0.0.1:8080", got {address!r}')
    return host, int(port)


def _fail(config: Config, at: str, reason: str) -> ConfigError:
    return ConfigError(f"{config.file}: {at}: {reason}")


def _verify_server(config: Config) -> None:
    server = config.server
    addresses = [
        (f"server.bind[{index}]", entry.address if isinstance(entry, BindConfig) else entry)
        for index, entry in enumerate(server.bind)
    ]
    if not addresses:
        raise _fail(config, "server.bind", "at least one address is needed")
    if server.admin is not None:
        addresses.append(("server.admin", server.admin))
    if server.quic_bind is not None:
        _verify_quic(config, server.quic_bind)
    seen: dict[tuple[str, int], str] = {}
    for at, address in addresses:
        try:
            parsed = split_address(address)
        except ValueError as error:
            raise _fail(config, at, str(error)) from None
        if parsed in seen and parsed[1]:
            raise _fail(config, at, f"{address} is taken by {seen[parsed]}")
        seen[parsed] = at
    if server.admin_token is not None and server.admin_token_file is not None:
        raise _fail(config, "server.admin_token_file", "there is an admin_token already")
    if not 1 <= server.workers <= _MOST_WORKERS:
        raise _fail(config, "server.workers", f"expected 1 to {_MOST_WORKERS}, got {server.workers}")
    for index, proxy in enumerate(server.trusted_proxies):
        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise _fail(config, f"server.trusted_proxies[{index}]", f"{proxy!r} is no address or network") from None
    for name in _POSITIVE:
        amount = getattr(server.limits, name)
        if amount is not None and amount < 1:
            raise _fail(config, f"server.limits.{name}", f"expected at least 1, got {amount}")
    if server.limit_store is not None and (reason := store_fault(server.limit_store)):
        raise _fail(config, "server.limit_store", reason)
    if not 1 <= server.limit_slots <= 1 << 28:
        raise _fail(config, "server.limit_slots", f"expected 1 to {1 << 28}")
    if not 1 << 12 <= server.kv_memory <= 1 << 36:
        raise _fail(config, "server.kv_memory", 'expected "4KiB" to "64GiB"')
    if not 1 <= server.ipv6_prefix <= 128:
        raise _fail(config, "server.ipv6_prefix", "expected 1 to 128")
    for index, name in enumerate(server.identity_headers):
        if not is_field_name_text(name):
            raise _fail(config, f"server.identity_headers[{index}]", f"{name!r} is not a lower-case header name")


def _verify_quic(config: Config, address: str) -> None:
    try:
        split_address(address)
    except ValueError as error:
        raise _fail(config, "server.quic_bind", str(error)) from None
    if config.server.tls is None:
        raise _fail(config, "server.quic_bind", "HTTP/3 is always encrypted: server.tls is needed")
    if config.server.workers != 1:
        raise _fail(config, "server.quic_bind", "HTTP/3 is served by one worker: server.workers must be 1")


def _verify_upstreams(config: Config) -> None:
    names: set[str] = set()
    for index, upstream in enumerate(config.upstream):
        at = f"upstream[{index}]"
        if not _NAME(upstream.name):
            raise _fail(config, f"{at}.name", f"{upstream.name!r} is not a name (letters, digits, '.', '_', '-')")
        if upstream.name in names:
            raise _fail(config, f"{at}.name", f"{upstream.name!r} is taken by an earlier upstream")
        names.add(upstream.name)
        if not upstream.targets:
            raise _fail(config, f"{at}.targets", "at least one target is needed")
        for number, target in enumerate(upstream.targets):
            reason = _target_fault(target)
            if reason:
                raise _fail(config, f"{at}.targets[{number}]", f"{reason}, got {without_password(target)!r}")
        if upstream.connections < 1:
            raise _fail(config, f"{at}.connections", "expected at least 1")


def _target_fault(target: str) -> str | None:
    if "@" in target:
        # What a parser says of it may quote a part of the password.
        return _ONLY_ADDRESS
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        return str(error)
    if parts.scheme not in ("http", "https"):
        return "expected http:// or https://"
    if not parts.hostname or port == 0:
        return "expected a host and, optionally, a port"
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        return _ONLY_ADDRESS
    return None


def _verify_guests(config: Config) -> None:
    if not 1 <= config.guests.max_bytes <= _LARGEST_GUEST:
        raise _fail(config, "guests.max_bytes", f"expected at most {_LARGEST_GUEST >> 20}MiB")
    if not 1 <= config.guests.compile_time <= 3600:
        raise _fail(config, "guests.compile_time", 'expected "1s" to "1h"')
    if config.guests.cache is not None and _is_within(config, config.guests.cache, config.guests.directory):
        raise _fail(config, "guests.cache", "what is in the guests' directory is never run as it stands")
    upstreams = {upstream.name for upstream in config.upstream}
    for name, guest in config.guest.items():
        if not _NAME(name):
            raise _fail(config, f"guest.{name}", "not a name (letters, digits, '.', '_', '-')")
        for index, upstream in enumerate(guest.upstreams):
            if upstream not in upstreams:
                raise _fail(config, f"guest.{name}.upstreams[{index}]", _unknown("upstream", upstream, upstreams))
        for index, grant in enumerate(guest.grants):
            if grant not in GRANTS:
                raise _fail(config, f"guest.{name}.grants[{index}]", _unknown("grant", grant, GRANTS))
        _verify_http(config, f"guest.{name}.http", guest.http)
        for key, most in _MOST_OF_ANSWERS.items():
            if not 1 <= getattr(guest.limits, key) <= most:
                raise _fail(config, f"guest.{name}.limits.{key}", f"expected 1 to {most}")
        if not 128 <= guest.kv <= 1 << 36:
            raise _fail(config, f"guest.{name}.kv", 'expected 128 bytes to "64GiB"')
        if guest.memory < 1 << 16:
            raise _fail(config, f"guest.{name}.memory", "expected at least one page, 64KiB")
        if not 0.001 <= guest.deadline <= 10:
            raise _fail(config, f"guest.{name}.deadline", 'expected "1ms" to "10s"')
        if isinstance(guest.revert, RevertConfig):
            if not 0 < guest.revert.share < 1:
                raise _fail(config, f"guest.{name}.revert.share", "expected more than 0 and less than 1")
            if guest.revert.calls < 1:
                raise _fail(config, f"guest.{name}.revert.calls", "expected at least 1")
        if guest.canary is not None and not 1 <= guest.canary.weight <= 99:
            raise _fail(config, f"guest.{name}.canary.weight", "expected 1 to 99, percent of the requests")
        if not 1 <= guest.instances <= 1000:
            raise _fail(config, f"guest.{name}.instances", "expected 1 to 1000")
        if not 1 <= guest.bodies <= 10_000:
            raise _fail(config, f"guest.{name}.bodies", "expected 1 to 10000")

    granted = sum(guest.kv for guest in config.guest.values() if "kv" in guest.grants)
    if granted > config.server.kv_memory:
        raise _fail(config, "server.kv_memory", f"the guests' quotas come to {granted} bytes")


def _verify_http(config: Config, at: str, http: HttpClientConfig) -> None:
    for index, target in enumerate(http.allow):
        reason = _target_fault(target)
        if reason:
            raise _fail(config, f"{at}.allow[{index}]", f"{reason}, got {without_password(target)!r}")
    for index, network in enumerate(http.networks):
        try:
            ipaddress.ip_network(network, strict=False)
        except ValueError:
            raise _fail(config, f"{at}.networks[{index}]", f"{network!r} is no address or network") from None
    if not 0.001 <= http.timeout <= 60:
        raise _fail(config, f"{at}.timeout", 'expected "1ms" to "60s"')
    for key, most in (("calls", 1000), ("connections", 10_000), ("request", 16 << 20), ("response", 16 << 20)):
        if not 1 <= getattr(http, key) <= most:
            raise _fail(config, f"{at}.{key}", f"expected 1 to {most}")


def _verify_routes(config: Config) -> None:
    upstreams = {upstream.name for upstream in config.upstream}
    if not config.route:
        raise _fail(config, "route", "at least one [[route]] is needed")
    identity = frozenset(config.server.identity_headers)
    rule = PathRule(keep_encoded_slash=True, keep_empty_segments=True)
    matches: dict[object, str] = {}
    names: dict[str, str] = {}
    for index, route in enumerate(config.route):
        at = f"route[{index}]"
        try:
            canonical = rule.canonical(route.path)
        except PathError as error:
            raise _fail(config, f"{at}.path", str(error)) from None
        if canonical != route.path:
            raise _fail(config, f"{at}.path", f"write it in its canonical form, {canonical!r}")
        if route.upstream not in upstreams:
            raise _fail(config, f"{at}.upstream", _unknown("upstream", route.upstream, upstreams))
        for number, host in enumerate(route.hosts):
            if not _HOST(host):
                raise _fail(config, f"{at}.hosts[{number}]", f"{host!r} is no lower-case host name (*.name is allowed)")
        for number, method in enumerate(route.methods):
            if not is_token_text(method):
                raise _fail(config, f"{at}.methods[{number}]", f"{method!r} is no method")
        _verify_limits(config, at, route)
        for name in [*route.headers, *route.trailers]:
            if not is_field_name_text(name):
                raise _fail(config, at, f"{name!r} is not a lower-case header name")
        for number, name in enumerate(route.trailers):
            if name.replace("_", "-").replace(".", "-") in identity:
                raise _fail(
                    config, f"{at}.trailers[{number}]", f"{name!r} is an identity header, which no client may send"
                )
        for number, name in enumerate(route.upgrades):
            if not is_field_name_text(name) or name == "h2c":
                # h2c would let requests past this route's chain, inside a connection that nobody reads.
                raise _fail(config, f"{at}.upgrades[{number}]", f"{name!r} is no lower-case protocol, or is HTTP")
        for number, entry in enumerate(route.entries()):
            if not _NAME(entry.guest):
                raise _fail(config, f"{at}.chain[{number}]", f"{entry.guest!r} is not the name of a guest")
        key = (
            route.path,
            tuple(sorted(route.hosts)),
            tuple(sorted(route.methods)),
            tuple(sorted(route.headers.items())),
        )
        if key in matches:
            raise _fail(config, at, f"matches exactly what {matches[key]} matches")
        matches[key] = at
        name = route.name or route.path
        if name in names:
            raise _fail(config, f"{at}.name", f"{name!r} is taken by {names[name]}; give one of them another name")
        names[name] = at


def _verify_limits(config: Config, at: str, route: RouteConfig) -> None:
    names: set[str] = set()
    for number, limit in enumerate(route.all_limits()):
        where = f"{at}.limit" if number == 0 and route.limit else f"{at}.limits[{number - (route.limit is not None)}]"
        if limit.name in names:
            raise _fail(config, f"{where}.name", f"{limit.name!r} is taken by another limit of the route")
        names.add(limit.name)
        if not limit.name.isascii() or not limit.name.isprintable() or not limit.name:
            raise _fail(config, f"{where}.name", f"{limit.name!r} is not printable ASCII")
        for amount in (limit.requests, *limit.plans.values()):
            if not 1 <= amount < 1 << 24:
                raise _fail(config, f"{where}.requests", f"expected 1 to {(1 << 24) - 1}, got {amount}")
        if not 0.001 <= limit.window <= 31 * 86400:
            raise _fail(config, f"{where}.window", "expected 1ms to 744h")
        if limit.consistency == "strict" and config.server.limit_store is None:
            raise _fail(config, f"{where}.consistency", "strict needs server.limit_store")
        if bool(limit.plans) != (limit.plan_header is not None):
            raise _fail(config, f"{where}.plans", "plans and plan_header go together")
        for part in limit.parts():
            kind, _, name = part.partition(":")
            if part in ("client-ip", "route", "host"):
                continue
            if kind not in ("header", "guest") or not is_field_name_text(name):
                expected = '"client-ip", "route", "host", "header:NAME" or "guest:NAME"'
                raise _fail(config, f"{where}.key", f"expected {expected}, got {part!r}")
            if kind == "header" and name in config.server.identity_headers:
                raise _fail(
                    config, f"{where}.key", f'clients cannot send {name}; a guest sets it: write "guest:{name}"'
                )
        if not limit.parts():
            raise _fail(config, f"{where}.key", "at least one part is needed")


def _is_within(config: Config, path: str, directory: str) -> bool:
    """Whether one path is the other or below it, wherever links lead; relative ones are so to the file."""
    base = os.path.dirname(config.file)
    try:
        inner, outer = (os.path.realpath(os.path.join(base, each)) for each in (path, directory))
        return os.path.commonpath((inner, outer)) == outer
    except OSError:
        # There is no working directory, and what is relative to it is nowhere.
        return False


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    return f"no {what} is named {name!r} (known: {', '.join(sorted(known)) or 'none'})"
