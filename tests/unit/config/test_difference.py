"""What one configuration changes about another, and how both are shown."""

from __future__ import annotations

import json

import msgspec
import pytest

from sentinel_host.config import Config, parse_config
from sentinel_host.config.difference import Difference, differences
from sentinel_host.config.effective import HIDDEN, effective
from sentinel_host.config.units import Bytes, Seconds

TEXT = """
[server]
bind = ["127.0.0.1:8080"]
admin = "127.0.0.1:9090"
admin_token = "the-token-of-this-test"
limit_store = "redis://user:the-password@store:6379"

[otlp]
endpoint = "http://collector:4318"
headers = { authorization = "the-authorization-of-this-gateway" }

[guest.auth]
deadline = "50ms"
config = { keys = { a-secret-key = "alice" } }

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:1"]
sticky = { cookie = "at", secret = "the-secret-of-cookies" }

[[route]]
path = "/"
upstream = "origin"
headers = { x-api-key = "the-key-of-a-client", x-beta = "yes" }
chain = [{ guest = "auth", config = { realm = "a-secret-realm" } }]

[[route]]
name = "api"
path = "/api"
upstream = "origin"
timeout = "90s"
"""
SECRETS = (
    "the-token",
    "the-password",
    "alice",
    "a-secret-key",
    "the-secret",
    "the-key-of-a-client",
    "a-secret-realm",
    "from-the-environment",
    "the-authorization",
)
OLD = parse_config(TEXT, "gw.toml", {})


def changed(before: str, after: str) -> Config:
    assert before in TEXT
    return parse_config(TEXT.replace(before, after), "gw.toml", {"VALUE": "from-the-environment"})


def test_equal_configurations_do_not_differ() -> None:
    assert differences(OLD, parse_config(TEXT, "other.toml", {})) == []


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        ("90s", "1500ms", Difference("route[api].timeout", "changed", "90s", "1.5s")),
        ("50ms", "40ms", Difference("guest.auth.deadline", "changed", "50ms", "40ms")),
        (
            "8080",
            "8081",
            Difference("server.bind", "changed", ["127.0.0.1:8080"], ["127.0.0.1:8081"], needs_restart=True),
        ),
        ("alice", "bob", Difference("guest.auth.config", "changed", HIDDEN, HIDDEN)),
        ("the-token", "a-token", Difference("server.admin_token", "changed", HIDDEN, HIDDEN, needs_restart=True)),
        (
            "127.0.0.1:1",
            "${VALUE}",
            Difference("upstream[origin].targets", "changed", ["http://127.0.0.1:1"], ["http://${VALUE}"]),
        ),
        (
            '[[route]]\nname = "api"\npath = "/api"\nupstream = "origin"\ntimeout = "90s"\n',
            "",
            Difference(
                "route[api]",
                "removed",
                {"path": "/api", "upstream": "origin", "name": "api", "timeout": "90s"},
            ),
        ),
        (
            "[[upstream]]",
            '[[upstream]]\nname = "next"\ntargets = ["http://127.0.0.1:2"]\n[[upstream]]',
            Difference("upstream[next]", "added", None, {"name": "next", "targets": ["http://127.0.0.1:2"]}),
        ),
        ("[guest.auth]", "[guest.'a.b']\n[guest.auth]", Difference("guest.'a.b'", "added", None, {})),
    ],
)
def test_a_difference_is_named_by_its_key(before: str, after: str, found: Difference) -> None:
    assert differences(OLD, changed(before, after)) == [found]


def test_files_that_changed_are_named() -> None:
    old, new = (msgspec.structs.replace(OLD, files={"cert.pem": content}) for content in (b"old", b"new"))
    (found,) = differences(old, new)
    assert (found.key, found.kind) == ("cert.pem", "changed")


def test_no_secret_is_shown() -> None:
    config = changed('"http://127.0.0.1:1"', '"http://${VALUE}"')
    text = json.dumps(effective(config))
    assert [secret for secret in SECRETS if secret in text] == []
    assert effective(config)["upstream"][0]["targets"] == ["http://${VALUE}"]
    assert effective(config)["server"]["limit_store"] == "redis://***@store:6379"
    assert effective(config)["route"][0]["headers"] == {"x-api-key": HIDDEN, "x-beta": "yes"}


def test_certificates_are_shown_as_they_are_written() -> None:
    tls = 'tls = { cert = "a", key = "b", certificates = [{ cert = "${VALUE}", key = "d" }] }'
    config = changed("[server]", f"[server]\n{tls}")
    (certificate,) = effective(config)["server"]["tls"]["certificates"]
    assert certificate == {"cert": "${VALUE}", "key": "d"}


def test_defaults_are_shown_as_they_would_be_written() -> None:
    shown = effective(OLD)
    assert shown["server"]["grace"] == "30s"
    assert shown["server"]["kv_memory"] == "8MiB"
    assert shown["guest"]["auth"]["on_failure"] == "closed"
    assert shown["route"][1]["timeout"] == "90s"


@pytest.mark.parametrize("text", ["0s", "1ms", "50ms", "1.5s", "90s", "2m", "1h", "36h"])
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert Seconds.parse(text).written() == text


@pytest.mark.parametrize("text", ["0B", "1B", "1000B", "64KiB", "3MiB", "1GiB"])
def test_a_size_is_written_as_it_is_read(text: str) -> None:
    assert Bytes.parse(text).written() == text
