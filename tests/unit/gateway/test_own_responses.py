"""The responses of routes that ask no upstream, by the request that they answer."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest

from sentinel_host.config import RedirectConfig, RespondConfig
from sentinel_host.gateway.own_responses import FixedResponse, Redirect
from sentinel_host.messages import RequestHead


def head(path: str = "/", query: str | None = None, authority: str = "a.example", scheme: str = "http") -> RequestHead:
    return RequestHead("GET", path, query, [], scheme, authority, "", "", "", "1.1")


def location(to: str, request: RequestHead) -> str:
    response = Redirect(RedirectConfig(to)).response(request)
    assert (response.status, response.body) == (308, b"")
    ((name, value),) = response.headers
    assert name == b"location"
    return value.decode("ascii")


HTTPS = "https://{host}{path}{query}"


@pytest.mark.parametrize(
    ("to", "request_head", "expected"),
    [
        (HTTPS, head("/a/b", "c=d&e"), "https://a.example/a/b?c=d&e"),
        (HTTPS, head("/a"), "https://a.example/a"),
        (HTTPS, head("/a", ""), "https://a.example/a?"),
        (HTTPS, head("/%2525?".rstrip("?"), "%0d%0a"), "https://a.example/%2525?%0d%0a"),
        (HTTPS, head(authority="A.Example:8080"), "https://a.example/"),
        (HTTPS, head(authority="a.example."), "https://a.example/"),
        (HTTPS, head(authority="a.example.:80"), "https://a.example/"),
        (HTTPS, head(authority="[2001:DB8::1]:8080"), "https://[2001:db8::1]/"),
        (HTTPS, head(authority="127.0.0.1:80"), "https://127.0.0.1/"),
        (HTTPS, head("*"), "https://a.example/"),
        ("https://{host}:8443{path}", head("/a", "b"), "https://a.example:8443/a"),
        ("{scheme}://www.{host}{query}", head("/a", "b", scheme="https"), "https://www.a.example?b"),
        ("/new{path}{query}", head("/a", "b", authority=""), "/new/a?b"),
        ("{path}/", head("/a"), "/a/"),
        ("https://o.example/?h={host}&p={path}#f", head("/a"), "https://o.example/?h=a.example&p=/a#f"),
    ],
)
def test_where_clients_are_sent(to: str, request_head: RequestHead, expected: str) -> None:
    assert location(to, request_head) == expected


@pytest.mark.parametrize(
    "path", ["//evil.example", "///evil.example/", "//evil.example//", "//", "/a//b", "//evil.example/%2F"]
)
@pytest.mark.parametrize("to", ["{path}", "{path}{query}", "{path}x", HTTPS, "https://{host}:8443{path}", "/n{path}"])
def test_no_path_becomes_a_host(to: str, path: str) -> None:
    """Paths with empty segments reach a redirect where the operator keeps them."""
    parts = urlsplit(urljoin("http://a.example/", location(to, head(path, "q=//evil.example"))))
    assert parts.hostname == "a.example"
    assert path in parts.path


@pytest.mark.parametrize(
    "authority",
    ["", ".", "..", ":80", "-a.example", "a.example!evil", "a&b", "evil=", "(x)", "$", "*", "a'b", "a+b", "~", "-"],
)
def test_no_location_names_a_host_that_is_none(authority: str) -> None:
    response = Redirect(RedirectConfig(HTTPS)).response(head(authority=authority))
    assert response.status == 400
    assert b"location" not in dict(response.headers)


def test_a_location_without_a_host_needs_none() -> None:
    assert location("/new", head(authority="")) == "/new"


@pytest.mark.parametrize(
    ("config", "content", "status", "headers", "body"),
    [
        (RespondConfig(), None, 200, {}, b""),
        (RespondConfig(body="h\u00e9"), None, 200, {b"content-type": b"text/plain; charset=utf-8"}, b"h\xc3\xa9"),
        (RespondConfig(body="{}", headers={"content-type": "a/b"}), None, 200, {b"content-type": b"a/b"}, b"{}"),
        (RespondConfig(404, {"x-a": "\u00e9"}), None, 404, {b"x-a": b"\xc3\xa9"}, b""),
        (RespondConfig(file="d/a.html"), b"<p>", 200, {b"content-type": b"text/html; charset=utf-8"}, b"<p>"),
        (RespondConfig(file="a.json"), b"{}", 200, {b"content-type": b"application/json"}, b"{}"),
        (RespondConfig(file="a.html.gz"), b"\x1f", 200, {b"content-type": b"application/octet-stream"}, b"\x1f"),
        (RespondConfig(file="robots"), b"x", 200, {b"content-type": b"application/octet-stream"}, b"x"),
        (RespondConfig(file="empty.txt"), b"", 200, {}, b""),
    ],
)
def test_fixed_responses(
    config: RespondConfig, content: bytes | None, status: int, headers: dict[bytes, bytes], body: bytes
) -> None:
    response = FixedResponse(config, content).response(head())
    assert (response.status, dict(response.headers), response.body) == (status, headers, body)


def test_what_is_added_to_one_response_is_not_in_the_next() -> None:
    fixed = FixedResponse(RespondConfig(body="a"), None)
    fixed.response(head()).headers.append((b"x", b"y"))
    assert len(fixed.response(head()).headers) == 1
