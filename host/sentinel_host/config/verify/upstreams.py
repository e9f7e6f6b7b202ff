"""Rules for ``[[upstream]]``."""

from __future__ import annotations

import os
from typing import Final
from urllib.parse import unquote

from sentinel_host.config.files import is_secure
from sentinel_host.config.model import Config
from sentinel_host.config.upstreams import CheckConfig, RetryConfig, UpstreamConfig
from sentinel_host.config.verify.faults import fail, is_name, verify_client_pair, verify_target
from sentinel_host.grammar import is_field_name_text, is_host_name, is_token_text

_UNIX: Final = "http+unix://"
_SERVICES: Final = ("srv://", "srv+https://")
# What Linux has room for in sockaddr_un, less the zero at its end.
_LONGEST_SOCKET: Final = 107
MOST_WEIGHT: Final = 65_535
"""The largest weight of a target, or of an upstream in a split."""

_KEYS: Final = '"client-ip", "path", "header:NAME" or "cookie:NAME"'


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
        _verify_targets(config, at, upstream)
        _verify_tls(config, at, upstream)
        if upstream.proxy_protocol is not None and upstream.protocol in ("http/2", "auto"):
            raise fail(
                config,
                f"{at}.proxy_protocol",
                f"does not go with protocol = {upstream.protocol!r}: an HTTP/2 connection carries requests of many "
                "clients, and a PROXY header tells of one",
            )
        _verify_balance(config, at, upstream)
        _verify_connections(config, at, upstream)
        _verify_ejection(config, at, upstream)
        if upstream.check is not None:
            _verify_check(config, f"{at}.check", upstream.check)
        if upstream.retries is not None:
            _verify_retry(config, f"{at}.retry", upstream.retries)


def hash_fault(key: str) -> str | None:
    """What is wrong with a text that is to name what an upstream's endpoint is chosen by."""
    kind, _, name = key.partition(":")
    if key in ("client-ip", "path"):
        return None
    if kind == "header" and is_field_name_text(name):
        return None
    if kind == "cookie" and is_token_text(name):
        return None
    return f"expected {_KEYS}, got {key!r}"


def _verify_targets(config: Config, at: str, upstream: UpstreamConfig) -> None:
    if not upstream.targets:
        raise fail(config, f"{at}.targets", "at least one target is needed")
    for number, target in enumerate(upstream.weighted_targets()):
        where = f"{at}.targets[{number}]"
        where = where if isinstance(upstream.targets[number], str) else f"{where}.url"
        if target.url.startswith(_UNIX):
            _verify_socket(config, where, target.url)
        elif target.url.startswith(_SERVICES):
            if not is_host_name(target.url.partition("://")[2]):
                raise fail(config, where, f"expected srv://, and the name of SRV records, got {target.url!r}")
        else:
            verify_target(config, where, target.url)
        if not 1 <= target.weight <= MOST_WEIGHT:
            raise fail(config, f"{at}.targets[{number}].weight", f"expected 1 to {MOST_WEIGHT}, got {target.weight}")


def _verify_tls(config: Config, at: str, upstream: UpstreamConfig) -> None:
    verify_client_pair(config, at, upstream, upstream.urls())
    if upstream.server_name is None:
        return
    if not is_secure(upstream.urls()):
        raise fail(config, f"{at}.server_name", "has no effect: no target is https")
    if not is_host_name(upstream.server_name):
        raise fail(config, f"{at}.server_name", f"{upstream.server_name!r} is not a host name")


def _verify_socket(config: Config, at: str, url: str) -> None:
    path = unquote(url.removeprefix(_UNIX))
    if not path.startswith("/") or "?" in url or "#" in url or "\0" in path:
        raise fail(config, at, f"expected {_UNIX}/, and the path of a socket, got {url!r}")
    if len(os.fsencode(path)) > _LONGEST_SOCKET:
        raise fail(config, at, f"a socket's path has at most {_LONGEST_SOCKET} bytes")


def _verify_balance(config: Config, at: str, upstream: UpstreamConfig) -> None:
    if (upstream.balance == "hash") != (upstream.hash is not None):
        raise fail(config, f"{at}.hash", 'hash and balance = "hash" go together')
    if upstream.hash is not None and (fault := hash_fault(upstream.hash)):
        raise fail(config, f"{at}.hash", fault)
    sticky = upstream.sticky
    if sticky is not None:
        if not is_token_text(sticky.cookie):
            raise fail(config, f"{at}.sticky.cookie", f"{sticky.cookie!r} is not the name of a cookie")
        if sticky.secret is not None and len(sticky.secret) < 16:
            raise fail(config, f"{at}.sticky.secret", "expected at least 16 characters: it can be guessed otherwise")
        if sticky.max_age and sticky.max_age < 1:
            raise fail(config, f"{at}.sticky.max_age", "browsers count whole seconds")
    if not 0 <= upstream.panic <= 100:
        raise fail(config, f"{at}.panic", f"expected 0 to 100 percent, got {upstream.panic}")
    if upstream.slow_start > 86_400:
        raise fail(config, f"{at}.slow_start", 'expected at most "24h"')
    if upstream.slow_start and upstream.balance == "hash":
        raise fail(config, f"{at}.slow_start", "has no effect: a hash sends each client to its endpoint at once")


def _verify_connections(config: Config, at: str, upstream: UpstreamConfig) -> None:
    for key in ("connections", "tunnels"):
        if getattr(upstream, key) < 1:
            raise fail(config, f"{at}.{key}", "expected at least 1")
    if upstream.max_requests_per_connection < 0:
        raise fail(config, f"{at}.max_requests_per_connection", "expected at least 0")
    if upstream.dns_ttl < 1:
        raise fail(config, f"{at}.dns_ttl", 'expected at least "1s"')
    for key in ("max_requests", "max_pending"):
        if getattr(upstream.breaker, key) < 1:
            raise fail(config, f"{at}.breaker.{key}", "expected at least 1")


def _verify_ejection(config: Config, at: str, upstream: UpstreamConfig) -> None:
    eject = upstream.ejects
    if eject is None:
        return
    for key in ("failures", "server_errors"):
        if not 0 <= getattr(eject, key) <= 10_000:
            raise fail(config, f"{at}.eject.{key}", "expected 0 to 10000")
    if not 0 <= eject.share <= 1:
        raise fail(config, f"{at}.eject.share", "expected 0 to 1")
    if not 1 <= eject.max_share <= 100:
        raise fail(config, f"{at}.eject.max_share", f"expected 1 to 100 percent, got {eject.max_share}")
    if not 0.01 <= eject.time <= eject.max_time <= 86_400:
        raise fail(config, f"{at}.eject.time", 'expected "10ms" to max_time, and that at most "24h"')


def _verify_check(config: Config, at: str, check: CheckConfig) -> None:
    if check.type == "http" and not check.path.startswith("/"):
        raise fail(config, f"{at}.path", f"expected a path that begins with /, got {check.path!r}")
    if any(character <= " " or character > "~" for character in check.path + (check.host or "")):
        raise fail(config, f"{at}.path", "only visible ASCII characters are allowed")
    if not check.statuses or not all(100 <= status <= 599 for status in check.statuses):
        raise fail(config, f"{at}.statuses", "expected statuses from 100 to 599")
    if not 0.01 <= check.interval <= 86_400:
        raise fail(config, f"{at}.interval", 'expected "10ms" to "24h"')
    if not 0 < check.timeout <= check.interval:
        raise fail(config, f"{at}.timeout", "expected no more than interval: checks of one endpoint do not overlap")
    for key in ("down", "up"):
        if not 1 <= getattr(check, key) <= 1000:
            raise fail(config, f"{at}.{key}", "expected 1 to 1000")


def _verify_retry(config: Config, at: str, retry: RetryConfig) -> None:
    if not 1 <= retry.tries <= 16:
        raise fail(config, f"{at}.tries", f"expected 1 to 16, got {retry.tries}")
    if not all(500 <= status <= 599 for status in retry.statuses):
        raise fail(config, f"{at}.statuses", "expected statuses from 500 to 599: others are answers")
    if not 0 <= retry.budget <= 100:
        raise fail(config, f"{at}.budget", f"expected 0 to 100 percent, got {retry.budget}")
    if retry.least < 0:
        raise fail(config, f"{at}.least", "expected at least 0")
    if not 0 <= retry.body <= 16 << 20:
        raise fail(config, f"{at}.body", 'expected at most "16MiB"')
    if retry.backoff > retry.max_backoff:
        raise fail(config, f"{at}.backoff", "expected no more than max_backoff")
