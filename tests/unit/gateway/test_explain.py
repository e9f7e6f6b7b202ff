"""What is said of a route agrees with what requests get."""

from __future__ import annotations

import random
from itertools import product

import pytest

from sentinel_host.config import parse_config
from sentinel_host.errors import ConfigError
from sentinel_host.gateway.build import bare_routes
from sentinel_host.gateway.explain import explain, request_scope
from sentinel_host.gateway.routes import RouteTable
from sentinel_host.messages import RequestHead

TEXT = """
[guest.auth]

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:1"]

[[upstream]]
name = "next"
targets = ["http://127.0.0.1:2"]

[[route]]
name = "site"
path = "/"
upstream = "origin"

[[route]]
name = "api"
path = "/api"
upstream = "origin"
chain = ["auth", "headers"]
limits = [
  { requests = 5, window = "1m", name = "all" },
  { requests = 1, window = "1s", key = ["host", "guest:x-user"], name = "each", shadow = true },
]

[[route]]
name = "writes"
path = "/api"
methods = ["POST", "PUT"]
split = { origin = 1, next = 3 }

[[route]]
name = "beta"
path = "/api"
headers = { x-beta = "yes" }
upstream = "origin"

[[route]]
name = "shop"
path = "/"
hosts = ["shop.example", "*.shop.example"]
redirect = { to = "/elsewhere" }

[[route]]
name = "plain"
path = "/old"
scheme = "http"
respond = { status = 410 }
"""
CONFIG = parse_config(TEXT, "gw.toml", {})


@pytest.mark.parametrize(
    ("method", "url", "headers", "route", "reasons"),
    [
        (
            "GET",
            "https://x.example/api/a?b",
            [],
            "api",
            {
                "site": ["api matches too, by a longer path"],
                "writes": ["the method GET is not one of POST, PUT"],
                "beta": ["the header x-beta is missing"],
                "shop": ["the host x.example is not one of shop.example, *.shop.example"],
                "plain": ["the scheme is https, not http", "the path /api/a is not below /old"],
            },
        ),
        ("post", "/api", [], "writes", {"api": ["writes matches too, by the method"]}),
        ("GET", "/api", [("x-beta", "no")], "api", {"beta": ["the header x-beta is another: 'no'"]}),
        ("GET", "/api", [("X-Beta", "yes")], "beta", {"api": ["beta matches too, by more headers"]}),
        ("GET", "http://a.shop.example:8080/", [], "shop", {"site": ["shop matches too, by a more exact host"]}),
        ("GET", "/", [("Host", "shop.example")], "shop", {"api": ["the path / is not below /api"]}),
        ("GET", "/old", [], "plain", {"site": ["plain matches too, and names the scheme"]}),
    ],
)
def test_each_other_route_has_its_reasons(
    method: str, url: str, headers: list[tuple[str, str]], route: str, reasons: dict[str, list[str]]
) -> None:
    told = explain(CONFIG, request_scope(method, url, headers))
    assert (told.status, told.route) == (0, route)
    assert [verdict.route for verdict in told.verdicts if verdict.is_chosen] == [route]
    found = {verdict.route: verdict.reasons for verdict in told.verdicts}
    assert found[route] == []
    assert {name: found[name] for name in reasons} == reasons
    assert all(found[name] for name in found if name != route)


def test_what_applies_to_the_request_is_told() -> None:
    told = explain(CONFIG, request_scope("GET", "/api", []))
    assert told.guests == ["auth", "headers"]
    assert [(limit.name, limit.told, limit.after_guests) for limit in told.limits] == [
        ("all", "5 requests in 1m for each client-ip", False),
        ("each", "1 requests in 1s for each host and guest:x-user, counted only", True),
    ]
    assert told.goes_to == "upstream origin (http://127.0.0.1:1)"
    goes_to = {
        url: explain(CONFIG, request_scope("PUT", url, [])).goes_to for url in ("/api", "/old", "//shop.example/")
    }
    assert goes_to == {
        "/api": "25 % to upstream origin (http://127.0.0.1:1), 75 % to upstream next (http://127.0.0.1:2)",
        "/old": "a response of its own, 410",
        "//shop.example/": "a redirect, 308, to /elsewhere",
    }


def test_a_request_that_may_not_enter_reaches_no_route() -> None:
    told = explain(CONFIG, request_scope("GET", "/a//b", []))
    assert (told.status, told.route, told.verdicts) == (400, None, [])
    assert "empty segment" in told.refused


def test_a_request_that_no_route_matches() -> None:
    only = parse_config(TEXT.replace('path = "/"\n', 'path = "/site"\n'), "gw.toml", {})
    told = explain(only, request_scope("GET", "/elsewhere", []))
    assert (told.status, told.refused, told.route) == (404, "no route matches", None)
    assert all(verdict.reasons for verdict in told.verdicts)


@pytest.mark.parametrize("url", ["x", "ftp://a/b", "http://[::1/x"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected a URL|Invalid IPv6"):
        request_scope("GET", url, [])


def test_what_is_explained_is_what_happens() -> None:
    """Every combination of a request's parts, against the table that requests are matched by."""
    table = RouteTable(bare_routes(CONFIG))
    parts = product(
        ("GET", "POST"),
        ("http", "https"),
        ("shop.example", "a.shop.example", "x.example"),
        ("/", "/api", "/api/x", "/apix", "/old", "/old/"),
        ([], [("x-beta", "yes")], [("x-beta", "no")]),
    )
    chosen = random.Random(7).sample(list(parts), 100)
    for method, scheme, host, path, headers in chosen:
        told = explain(CONFIG, request_scope(method, f"{scheme}://{host}{path}", headers))
        fields = [(name.encode(), value.encode()) for name, value in headers]
        found = table.match(RequestHead(method, path, None, fields, scheme, host, "", "", "", "1.1"))
        assert found is not None
        assert told.route == found.name
