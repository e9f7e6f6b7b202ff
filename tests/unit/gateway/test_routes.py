from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.gateway.routes import Route, RouteTable
from sentinel_host.messages import Headers, RequestHead, Response
from sentinel_host.pipeline import Chain


def route(name: str, path: str, **options: Any) -> Route:
    defaults: dict[str, Any] = {"hosts": (), "methods": frozenset(), "headers": ()}
    return Route(
        index=0,
        name=name,
        path=path,
        upstream="u",
        chain=Chain([], lambda error: Response(error.status, [])),
        preserve_host=False,
        trailers=frozenset(),
        **defaults | options,
    )


def match(
    routes: list[Route],
    path: str,
    authority: str = "h",
    method: str = "GET",
    headers: Headers = [],  # noqa: B006
    scheme: str = "http",
) -> Any:
    found = RouteTable(routes).match(RequestHead(method, path, None, headers, scheme, authority, "", "", "", "1.1"))
    return found and found.name


PATHS = [route("root", "/"), route("api", "/api"), route("v1", "/api/v1"), route("dir", "/dir/")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "root"),
        ("/x", "root"),
        ("/x/y/z", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api/x", "api"),
        ("/apix", "root"),
        ("/api/v1", "v1"),
        ("/api/v1/", "v1"),
        ("/api/v1/x/y/z/very/much/longer/than/any/route", "v1"),
        ("/api/v10", "api"),
        ("/dir", "root"),
        ("/dir/", "dir"),
        ("/dir/x", "dir"),
        ("*", "root"),
    ],
)
def test_longest_prefix_at_segment_borders(path: str, name: str) -> None:
    assert match(PATHS, path) == name


def test_no_route() -> None:
    assert match([route("api", "/api")], "/") is None


@pytest.mark.parametrize(
    ("authority", "name"),
    [
        ("a.example", "exact"),
        ("A.EXAMPLE:8080", "exact"),
        ("b.example", "wildcard"),
        ("x.b.example", "wildcard"),
        (".example", "any"),
        ("example", "any"),
        ("[::1]:80", "v6"),
        ("[::1]", "v6"),
    ],
)
def test_hosts(authority: str, name: str) -> None:
    routes = [
        route("any", "/"),
        route("wildcard", "/", hosts=("*.example",)),
        route("exact", "/", hosts=("a.example",)),
        route("v6", "/", hosts=("[::1]",)),
    ]
    assert match(routes, "/", authority) == name


def test_a_longer_path_that_does_not_fit_otherwise_falls_back_to_a_shorter() -> None:
    routes = [route("root", "/"), route("post", "/api", methods=frozenset(["POST"]))]
    assert match(routes, "/api", method="POST") == "post"
    assert match(routes, "/api", method="GET") == "root"


def test_header_conditions_go_before_none() -> None:
    routes = [route("plain", "/"), route("canary", "/", headers=((b"x-canary", b"1"),))]
    assert match(routes, "/", headers=[(b"x-canary", b"1")]) == "canary"
    assert match(routes, "/", headers=[(b"x-canary", b"0")]) == "plain"


SCHEMES = [
    route("root", "/"),
    route("api", "/api"),
    route("redirect", "/", scheme="http"),
    route("challenge", "/.well-known", scheme="http"),
    route("secure", "/secure", scheme="https"),
]


@pytest.mark.parametrize(
    ("scheme", "path", "name"),
    [
        ("http", "/", "redirect"),
        ("http", "/api", "redirect"),
        ("http", "/secure", "redirect"),
        ("http", "/.well-known/x", "challenge"),
        ("https", "/", "root"),
        ("https", "/api/x", "api"),
        ("https", "/.well-known/x", "root"),
        ("https", "/secure/x", "secure"),
    ],
)
def test_routes_with_a_scheme_go_before_those_without(scheme: str, path: str, name: str) -> None:
    assert match(SCHEMES, path, scheme=scheme) == name


def test_a_scheme_that_no_route_has() -> None:
    assert match([route("secure", "/", scheme="https")], "/") is None
