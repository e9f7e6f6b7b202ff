"""What a guest's configuration comes to in the sandbox."""

from __future__ import annotations

import pytest

from sentinel_host.abi.rules import DEFAULT_LIMITS, AnswerLimits
from sentinel_host.config import parse_config
from sentinel_host.gateway.grants import grants_of, limits_of
from sentinel_host.paths import PathRule
from sentinel_host.sandbox import Limits, defaults_of
from sentinel_host.sandbox.limits import default_limits

BASE = """
[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9000"]

[[route]]
path = "/"
upstream = "origin"

[guest.plain]

[guest.other]
memory = "32MiB"
start_deadline = "3s"
grants = ["kv", "clock"]
kv = "4KiB"

[guest.other.limits]
answer = "2MiB"
headers = 7
header_bytes = "1KiB"
context = "2KiB"
log_lines = 3
"""


def test_the_defaults_are_the_sandboxs_own() -> None:
    settings = parse_config(BASE, "gw.toml").guest["plain"]
    assert limits_of(settings, DEFAULT_LIMITS, defaults_of("Rust 1.85")) == Limits() == default_limits(None)
    assert grants_of(settings, None).names == frozenset()


@pytest.mark.parametrize("language", ["Python 3.14.0", "Python", "JavaScript", "TypeScript 5.9"])
def test_an_interpreter_gets_more_by_default(language: str) -> None:
    settings = parse_config(BASE, "gw.toml").guest["plain"]
    limits = limits_of(settings, DEFAULT_LIMITS, defaults_of(language))
    assert (limits.memory, limits.start_deadline) == (64 << 20, 2.0)
    assert limits == default_limits(language)


def test_every_key_counts() -> None:
    settings = parse_config(BASE, "gw.toml").guest["other"]
    paths = PathRule(keep_encoded_slash=True)
    limits = limits_of(settings, AnswerLimits(paths=paths), defaults_of("Python 3.14.0"))
    assert (limits.memory, limits.start_deadline) == (32 << 20, 3.0)
    assert (limits.result, limits.lines) == (2 << 20, 3)
    assert limits.answers == AnswerLimits(edits=7, header_bytes=1024, context_bytes=2048, paths=paths)
    grants = grants_of(settings, None)
    assert (grants.names, grants.kv) == ({"kv", "clock"}, 4096)
