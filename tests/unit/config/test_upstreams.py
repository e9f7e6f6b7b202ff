"""Upstreams and the times of routes: what is refused, with file and key."""

from __future__ import annotations

import pytest

from sentinel_host.config import Config, parse_config
from sentinel_host.errors import ConfigError


def parse(upstream: str, route: str = "") -> Config:
    """A configuration with one upstream and one route, of these keys beside the necessary ones."""
    targets = "" if "targets" in upstream else 'targets = ["http://h"]\n'
    return parse_config(
        f'[[upstream]]\nname = "a"\n{targets}{upstream}\n[[route]]\npath = "/"\nupstream = "a"\n{route}', "gw.toml"
    )


@pytest.mark.parametrize(
    "keys",
    [
        'targets = [{ url = "http://h", weight = 65535 }, "http+unix:///run/a.sock", "srv://_http._tcp.h"]',
        'targets = ["srv+https://_https._tcp.h"]',
        'balance = "hash"\nhash = "client-ip"',
        'balance = "hash"\nhash = "path"',
        'balance = "hash"\nhash = "header:x-user"',
        'balance = "hash"\nhash = "cookie:id"',
        'sticky = { cookie = "c", secret = "0123456789abcdef", max_age = "1h" }',
        "eject = false\nretry = false",
        "eject = { failures = 0, server_errors = 0, share = 0.0 }",
        'check = { type = "grpc", service = "a.B", interval = "1s", timeout = "1s", down = 1, up = 1 }',
        'slow_start = "30s"\npanic = 0',
    ],
)
def test_what_is_accepted(keys: str) -> None:
    assert len(parse(keys).upstream) == 1


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ('targets = [{ url = "http://h", weight = 0 }]', "targets[0].weight: expected 1 to 65535, got 0"),
        ('targets = [{ url = "http://h", weight = 65536 }]', "targets[0].weight: expected 1 to 65535, got 65536"),
        ('targets = [{ url = "ftp://h" }]', "targets[0].url: expected http://"),
        ('targets = ["http+unix://run/a.sock"]', "targets[0]: expected http+unix:///, and the path of a socket"),
        (f'targets = ["http+unix:///{"x" * 107}"]', "targets[0]: a socket's path has at most 107 bytes"),
        ('targets = ["srv://a/b"]', "targets[0]: expected srv://, and the name of SRV records"),
        ('balance = "hash"', 'hash: hash and balance = "hash" go together'),
        ('hash = "path"', 'hash: hash and balance = "hash" go together'),
        ('balance = "hash"\nhash = "header:"', 'hash: expected "client-ip", "path", "header:NAME" or "cookie:NAME"'),
        ('balance = "hash"\nhash = "user"', 'hash: expected "client-ip", "path", "header:NAME" or "cookie:NAME"'),
        ('balance = "fair"', "balance: invalid enum value 'fair'"),
        ("sticky = {}", "sticky: missing required key `cookie`"),
        ('sticky = { cookie = "" }', "sticky.cookie: '' is not the name of a cookie"),
        ('sticky = { cookie = "a b" }', "sticky.cookie: 'a b' is not the name of a cookie"),
        ('sticky = { cookie = "c", secret = "short" }', "sticky.secret: expected at least 16 characters"),
        ('sticky = { cookie = "c", max_age = "10ms" }', "sticky.max_age: browsers count whole seconds"),
        ("panic = 101", "panic: expected 0 to 100 percent, got 101"),
        ('slow_start = "25h"', 'slow_start: expected at most "24h"'),
        ('balance = "hash"\nhash = "path"\nslow_start = "1s"', "slow_start: has no effect: a hash sends each"),
        ("connections = 0", "connections: expected at least 1"),
        ("tunnels = 0", "tunnels: expected at least 1"),
        ("max_requests_per_connection = -1", "max_requests_per_connection: expected at least 0"),
        ('dns_ttl = "10ms"', 'dns_ttl: expected at least "1s"'),
        ("breaker = { max_requests = 0 }", "breaker.max_requests: expected at least 1"),
        ("breaker = { max_pending = 0 }", "breaker.max_pending: expected at least 1"),
        ("eject = { failures = -1 }", "eject.failures: expected 0 to 10000"),
        ("eject = { share = 1.5 }", "eject.share: expected 0 to 1"),
        ("eject = { max_share = 0 }", "eject.max_share: expected 1 to 100 percent, got 0"),
        ('eject = { time = "10m" }', 'eject.time: expected "10ms" to max_time, and that at most "24h"'),
        ('check = { path = "healthz" }', "check.path: expected a path that begins with /, got 'healthz'"),
        ("check = { statuses = [] }", "check.statuses: expected statuses from 100 to 599"),
        ('check = { interval = "1s", timeout = "2s" }', "check.timeout: expected no more than interval"),
        ("check = { up = 0 }", "check.up: expected 1 to 1000"),
        ("check = { down = 0 }", "check.down: expected 1 to 1000"),
        ('check = { type = "udp" }', "check.type: invalid enum value 'udp'"),
        ("retry = { tries = 0 }", "retry.tries: expected 1 to 16, got 0"),
        ("retry = { statuses = [404] }", "retry.statuses: expected statuses from 500 to 599: others are answers"),
        ("retry = { budget = 101 }", "retry.budget: expected 0 to 100 percent, got 101"),
        ('retry = { body = "1GiB" }', 'retry.body: expected at most "16MiB"'),
        ('retry = { backoff = "1s" }', "retry.backoff: expected no more than max_backoff"),
    ],
)
def test_an_upstream_is_refused_with_file_and_key(keys: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(keys)
    assert str(refused.value).startswith(f"gw.toml: upstream[0].{complaint}")


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ('timeout = "0s"', 'timeout: expected "1ms" to "24h"'),
        ('per_try_timeout = "2s"\ntimeout = "1s"', "per_try_timeout: expected no more than timeout"),
        ('hedge_after = "2s"\ntimeout = "1s"', "hedge_after: expected no more than timeout"),
        ('hedge_after = "2s"\nper_try_timeout = "1s"', "hedge_after: expected no more than per_try_timeout"),
        ('timeout = "2s"\ntotal_timeout = "1s"', "timeout: expected no more than total_timeout"),
        ('retry_methods = ["P T"]', "retry_methods[0]: 'P T' is no method"),
    ],
)
def test_times_that_contradict_each_other_are_refused(keys: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse("", keys)
    assert str(refused.value).startswith(f"gw.toml: route[0].{complaint}")
