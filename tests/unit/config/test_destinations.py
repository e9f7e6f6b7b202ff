"""What a route does with its requests: one destination, and nothing that contradicts it."""

from __future__ import annotations

import pytest

from sentinel_host.config import Config, parse_config
from sentinel_host.config.location import location_fault
from sentinel_host.errors import ConfigError

BASE = """
[guest.chooses]
upstreams = ["blue"]

[[upstream]]
name = "blue"
targets = ["http://127.0.0.1:9000"]

[[upstream]]
name = "green"
targets = ["http://127.0.0.1:9001"]

[[route]]
path = "/"
"""


def parse(keys: str) -> Config:
    return parse_config(f"{BASE}{keys}", "gw.toml", {})


@pytest.mark.parametrize(
    "keys",
    [
        "split = { blue = 90, green = 10 }",
        'split = { green = 1 }\nsplit_by = "header:x-tenant"\nhedge_after = "10ms"',
        'upstream = "blue"\nmirror = { upstream = "green", percent = 1 }',
        'split = { blue = 1 }\nmirror = { upstream = "blue" }',
        'respond = { body = "hello" }',
        'respond = { status = 204, headers = { "x-y" = "z", "cache-control" = "no-store" } }',
        'respond = { status = 503, file = "down.html", headers = { "retry-after" = "60" } }',
        'respond = { status = 304, body = "" }',
        "respond = {}",
        'redirect = { to = "https://{host}{path}{query}" }',
        'redirect = { to = "/new", status = 303 }',
        'redirect = { to = "/new" }\ntimeout = "1s"\nchain = ["chooses"]',
    ],
)
def test_destinations(keys: str) -> None:
    assert len(parse(keys).route) == 1


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("", "route[0]: one of upstream, split, respond, redirect is needed"),
        ('upstream = "blue"\nrespond = {}', "route[0].respond: a route has one destination, and this one has upstream"),
        ('respond = {}\nredirect = { to = "/" }', "route[0].redirect: a route has one destination, and this one has "),
        ("split = {}", "route[0].split: at least one upstream is needed"),
        ("split = { blue = 1, red = 1 }", "route[0].split: no upstream is named 'red' (known: blue, green)"),
        ("split = { blue = 100, green = 0 }", "route[0].split.green: expected 1 to 65535, got 0"),
        ("split = { blue = -1 }", "route[0].split.blue: expected 1 to 65535, got -1"),
        ("split = { blue = 65536 }", "route[0].split.blue: expected 1 to 65535, got 65536"),
        ('split = { blue = "9" }', "route[0].split"),
        (
            'split = { blue = 1 }\nupstream = "blue"',
            "route[0].split: a route has one destination, and this one has ups",
        ),
        ("split = { blue = 1 }\nrespond = {}", "route[0].respond: a route has one destination, and this one has split"),
        ('split = { blue = 1 }\nsplit_by = "client"', "route[0].split_by: expected "),
        ('upstream = "blue"\nsplit_by = "path"', "route[0].split_by: has no effect: the route has no split"),
        (
            'upstream = "blue"\nmirror = { upstream = "red" }',
            "route[0].mirror.upstream: no upstream is named 'red' (known: blue, green)",
        ),
        ('upstream = "blue"\nmirror = { upstream = "blue" }', "route[0].mirror.upstream: the route itself has this up"),
        (
            'upstream = "blue"\nmirror = { upstream = "green", percent = 0 }',
            "route[0].mirror.percent: expected 1 to 100",
        ),
        ('upstream = "blue"\nmirror = { upstream = "green", percent = 101 }', "route[0].mirror.percent: expected 1 to"),
        ('upstream = "blue"\nmirror = {}', "route[0].mirror: missing required key `upstream`"),
        ('respond = {}\nmirror = { upstream = "green" }', "route[0].mirror: has no effect: the route has respond"),
        ("respond = { status = 199 }", "route[0].respond.status: expected 200 to 599, got 199"),
        ("respond = { status = 600 }", "route[0].respond.status: expected 200 to 599, got 600"),
        ("respond = { state = 200 }", "route[0].respond: unknown key `state`"),
        ('respond = { body = "a", file = "b" }', "route[0].respond.file: there is a body already"),
        ('respond = { status = 204, body = "a" }', "route[0].respond.body: a response with status 204 has no body"),
        ('respond = { status = 304, file = "a" }', "route[0].respond.file: a response with status 304 has no body"),
        ('respond = { file = "" }', "route[0].respond.file: expected the path of a file"),
        ('respond = { headers = { "X-A" = "b" } }', "route[0].respond.headers: 'X-A' is not a lower-case header name"),
        ('respond = { headers = { "a b" = "b" } }', "route[0].respond.headers: 'a b' is not a lower-case header name"),
        ('respond = { headers = { "content-length" = "1" } }', "route[0].respond.headers: content-length is set by "),
        ('respond = { headers = { connection = "close" } }', "route[0].respond.headers: connection is set by "),
        ('respond = { headers = { "x-a" = "b\\r\\nx: y" } }', "route[0].respond.headers.x-a: a value has no control "),
        ('respond = { headers = { "x-a" = "b\\nc" } }', "route[0].respond.headers.x-a: a value has no control "),
        ('respond = { headers = { "x-a" = " b" } }', "route[0].respond.headers.x-a: a value has no control "),
        (
            'respond = {}\ntimeout = "1s"',
            "route[0].timeout: has no effect: the route has respond, and asks no upstream",
        ),
        ('redirect = { to = "/" }\npreserve_host = true', "route[0].preserve_host: has no effect: the route has redir"),
        ('redirect = { to = "/" }\nretry_methods = ["POST"]', "route[0].retry_methods: has no effect"),
        (
            'redirect = { to = "/", status = 200 }',
            "route[0].redirect.status: expected 301, 302, 303, 307 or 308, got 200",
        ),
        ('redirect = { to = "/", status = 304 }', "route[0].redirect.status: expected 301"),
        (
            'redirect = { to = "https://{hots}/" }',
            "route[0].redirect.to: no part of a request is named 'hots' (known: ",
        ),
        ("redirect = { status = 301 }", "route[0].redirect: missing required key `to`"),
    ],
)
def test_refuses_with_file_and_key(keys: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(keys)
    assert str(refused.value).startswith(f"gw.toml: {complaint}")


@pytest.mark.parametrize(
    "template",
    [
        "https://{host}{path}{query}",
        "http://{host}:8080{path}",
        "{scheme}://www.{host}{path}{query}",
        "https://example.org",
        "https://example.org/?from={host}&at={path}#top",
        "https://[2001:db8::1]:8443{path}",
        "https://{host}{query}",
        "{path}/{query}",
        "/new{path}{query}",
        "/%C3%A9",
        "/",
    ],
)
def test_templates(template: str) -> None:
    assert location_fault(template) is None


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("", "expected http://, https:// or {scheme}:// and a host"),
        ("new", "expected http://, "),
        ("//evil.example", "expected http://, "),
        ("//{host}", "expected http://, "),
        ("{host}{path}", "expected http://, "),
        ("{query}", "expected http://, "),
        ("?{query}", "expected http://, "),
        ("javascript:alert(1)", "expected http://, "),
        ("ftp://{host}/", "expected http://, "),
        ("https:{path}", "expected http://, "),
        ("https:///evil", "expected http://, "),
        ("https://{path}", "expected http://, "),
        ("https://{query}", "expected http://, "),
        ("https://{scheme}/", "expected http://, "),
        ("https://user@{host}/", "expected http://, "),
        ("https://{host}@evil.example/", "expected http://, "),
        ("https://{host}:{path}", "expected http://, "),
        ("https://{host}:123456/", "expected http://, "),
        ("/{path}", "{path} begins with a slash"),
        ("https://{host}/{path}", "{path} begins with a slash"),
        ("{path}?{query}", "{query} begins with a question mark"),
        ("/a b", "expected the characters of a URL"),
        ("/a\r\nset-cookie: b", "expected the characters of a URL"),
        ("/a\n", "expected the characters of a URL"),
        ("/\\evil.example", "expected the characters of a URL"),
        ("/\u00e9", "expected the characters of a URL"),
        ("/%4", "expected the characters of a URL"),
        ("/{", "expected the characters of a URL"),
        ("/{{path}}", "expected the characters of a URL"),
        ("/{}", "no part of a request is named ''"),
        ("/{PATH}", "no part of a request is named 'PATH'"),
        ("/{host.name}", "no part of a request is named 'host.name'"),
    ],
)
def test_templates_that_are_refused(template: str, complaint: str) -> None:
    fault = location_fault(template)
    assert fault is not None
    assert fault.startswith(complaint)
