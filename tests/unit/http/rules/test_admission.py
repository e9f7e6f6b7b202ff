from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.rules import Admission, Admitted, Forwarding, TrustedPeers, end_to_end, end_to_end_trailers
from sentinel_host.messages import Headers
from sentinel_host.paths import STRICT


def admission(trusted: tuple[str, ...] = (), *, refuse_aliases: bool = False) -> Admission:
    return Admission(
        identity_headers=["x-principal"], trusted=TrustedPeers(trusted), paths=STRICT, refuse_aliases=refuse_aliases
    )


def scope(*headers: tuple[bytes, bytes], host: bytes | None = b"example.org", **options: Any) -> dict[str, Any]:
    first = [] if host is None else [(b"host", host)]
    defaults = {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "http",
        "client": ("192.0.2.7", 1),
        "raw_path": b"/a",
        "query_string": b"",
        "headers": [*first, *headers],
    }
    return defaults | options


def admit(*headers: tuple[bytes, bytes], trusted: tuple[str, ...] = (), **options: Any) -> Admitted:
    return admission(trusted).admit(scope(*headers, **options))


def refused(*headers: tuple[bytes, bytes], **options: Any) -> ClientError:
    with pytest.raises(ClientError) as error:
        admit(*headers, **options)
    return error.value


def test_what_guests_see() -> None:
    head = admit((b"accept", b"*/*"), raw_path=b"/%61", query_string=b"b=1").head
    assert (head.method, head.path, head.query, head.headers) == ("GET", "/a", "b=1", [(b"accept", b"*/*")])
    assert (head.scheme, head.authority, head.client, head.http_version) == ("http", "example.org", "192.0.2.7", "1.1")
    assert len(head.request_id) == 32


def test_hop_by_hop_fields_and_those_that_connection_names_go() -> None:
    head = admit(
        (b"connection", b"close, X-User , keep-alive"),
        (b"keep-alive", b"5"),
        (b"te", b"trailers"),
        (b"upgrade", b"h2c"),
        (b"proxy-connection", b"close"),
        (b"proxy-authorization", b"Basic x"),
        (b"expect", b"100-continue"),
        (b"x-user", b"root"),
        (b"x-kept", b"1"),
    ).head
    assert head.headers == [(b"x-kept", b"1")]


@pytest.mark.parametrize("name", [b"x-principal", b"x_principal", b"x.principal", b"x_other"])
def test_identity_headers_and_aliases_go(name: bytes) -> None:
    assert admit((name, b"root")).head.headers == []


def test_aliases_are_refused_by_setting() -> None:
    with pytest.raises(ClientError, match=r"header name b'x_a' holds"):
        admission(refuse_aliases=True).admit(scope((b"x_a", b"1")))


@pytest.mark.parametrize(
    ("headers", "options", "status"),
    [
        ([], {"host": None}, 400),
        ([(b"host", b"b")], {}, 400),
        ([], {"host": b""}, 400),
        ([], {"host": b"user@h"}, 400),
        ([], {"host": b"h:port"}, 400),
        ([], {"host": b"h/x"}, 400),
        ([], {"host": b"a b"}, 400),
        ([], {"host": b"a,b"}, 400),
        ([], {"method": "CONNECT"}, 501),
        ([], {"method": "TRACE"}, 405),
        ([], {"method": "GET T"}, 400),
        ([], {"method": ""}, 400),
        ([], {"raw_path": b"a"}, 400),
        ([], {"raw_path": b"*"}, 400),
        ([], {"raw_path": b"/a/../b"}, 400),
        ([], {"raw_path": b"/..%2fb"}, 400),
        ([], {"raw_path": b"//b"}, 400),
        ([], {"raw_path": b"/a%00"}, 400),
        ([], {"raw_path": b"/\xc3\xa9"}, 400),
        ([], {"raw_path": b"/a b"}, 400),
        ([], {"raw_path": b"http://other/a"}, 400),
        ([], {"raw_path": b"https://example.org/a"}, 400),
        ([], {"raw_path": b"ftp://example.org/a"}, 400),
        ([], {"query_string": b"a b"}, 400),
        ([], {"query_string": b"a#b"}, 400),
        ([(b"a b", b"1")], {}, 400),
        ([(b"Upper", b"1")], {}, 400),
        ([(b"", b"1")], {}, 400),
        ([(b":path", b"/")], {}, 400),
        ([(b"x", b"a\r\nb: c")], {}, 400),
        ([(b"x", b"a\nb")], {}, 400),
        ([(b"x", b"\x00")], {}, 400),
        ([(b"content-length", b"1"), (b"content-length", b"1")], {}, 400),
        ([(b"content-length", b"+1")], {}, 400),
        ([(b"content-length", b"")], {}, 400),
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], {}, 400),
        ([(b"transfer-encoding", b"chunked")], {"http_version": "1.0"}, 400),
        ([(b"transfer-encoding", b"gzip, chunked")], {}, 501),
        ([(b"transfer-encoding", b"chunked"), (b"transfer-encoding", b"chunked")], {}, 501),
    ],
)
def test_refusals(headers: list[tuple[bytes, bytes]], options: dict[str, Any], status: int) -> None:
    assert refused(*headers, **options).status == status


def test_targets_that_are_no_path() -> None:
    assert admit(raw_path=b"http://EXAMPLE.org/b").head.path == "/b"
    assert admit(raw_path=b"http://example.org").head.path == "/"
    assert admit(raw_path=b"*", method="OPTIONS").head.path == "*"


def test_http_1_0_needs_no_host() -> None:
    assert admit(host=None, http_version="1.0").head.authority == ""


@pytest.mark.parametrize(
    ("headers", "version", "has_body", "length"),
    [
        ([], "1.1", False, None),
        ([(b"content-length", b"0")], "1.1", False, 0),
        ([(b"content-length", b"5")], "1.1", True, 5),
        ([(b"transfer-encoding", b"chunked")], "1.1", True, None),
        ([], "2", True, None),
        ([(b"content-length", b"0")], "2", False, 0),
    ],
)
def test_body(headers: Headers, version: str, has_body: bool, length: int | None) -> None:
    admitted = admit(*headers, http_version=version)
    assert (admitted.has_body, admitted.content_length) == (has_body, length)


def test_cookie_crumbs_become_one_field() -> None:
    assert admit((b"cookie", b"a=1"), (b"cookie", b"b=2"), http_version="2").head.headers == [(b"cookie", b"a=1; b=2")]


def test_strangers_are_not_believed() -> None:
    admitted = admit(
        (b"x-forwarded-for", b"10.0.0.1"),
        (b"x-forwarded-proto", b"https"),
        (b"forwarded", b"for=10.0.0.1"),
        (b"x-real-ip", b"10.0.0.1"),
        (b"x-request-id", b"mine"),
    )
    assert (admitted.head.client, admitted.head.scheme) == ("192.0.2.7", "http")
    assert admitted.head.request_id != "mine"
    assert admitted.head.headers == admitted.forwarded == []


TRUSTED = ("192.0.2.0/24", "2001:db8::/32")


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ([(b"x-forwarded-for", b"198.51.100.1")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"203.0.113.9, 198.51.100.1")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"198.51.100.1, 192.0.2.9")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"192.0.2.9")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"192.0.2.9")], "192.0.2.9"),
        ([(b"x-forwarded-for", b"198.51.100.1, garbage")], "192.0.2.7"),
        ([(b"x-forwarded-for", b"198.51.100.1:99")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"[2001:db8:1::1]:99, 192.0.2.1")], "2001:db8:1::1"),
        ([(b"forwarded", b'for=198.51.100.1;proto=https, for="[2001:db8::1]:4711"')], "198.51.100.1"),
        ([(b"forwarded", b"for=_hidden")], "192.0.2.7"),
        ([], "192.0.2.7"),
    ],
)
def test_the_client_is_the_right_most_untrusted_hop(headers: Headers, client: str) -> None:
    assert admit(*headers, trusted=TRUSTED).head.client == client


def test_trusted_peers_are_believed() -> None:
    head = admit((b"x-forwarded-proto", b"https"), (b"x-request-id", b"a.B-1_2"), trusted=TRUSTED).head
    assert (head.scheme, head.request_id) == ("https", "a.B-1_2")


@pytest.mark.parametrize("request_id", [b"", b"a b", b'a"b', b"x" * 129, b"a{}"])
def test_request_ids_that_are_not_taken(request_id: bytes) -> None:
    assert len(admit((b"x-request-id", request_id), trusted=TRUSTED).head.request_id) == 32


def test_forwarding_tells_where_a_request_came_from() -> None:
    admitted = admit(host=b"example.org:81")
    headers: Headers = [(b"via", b"1.0 other")]
    Forwarding().add(headers, admitted)
    assert headers == [
        (b"x-forwarded-for", b"192.0.2.7"),
        (b"x-forwarded-proto", b"http"),
        (b"x-forwarded-host", b"example.org:81"),
        (b"forwarded", b'for=192.0.2.7;host="example.org:81";proto=http'),
        (b"via", b"1.0 other, 1.1 sentinel"),
        (b"x-request-id", admitted.head.request_id.encode()),
    ]


def test_forwarding_appends_to_what_trusted_proxies_said() -> None:
    admitted = admit(
        (b"x-forwarded-for", b"198.51.100.1"),
        (b"x-forwarded-host", b"public.example"),
        (b"forwarded", b"for=198.51.100.1"),
        client=("2001:db8::7", 1),
        trusted=TRUSTED,
    )
    headers: Headers = []
    Forwarding().add(headers, admitted)
    assert dict(headers) | {b"x-request-id": b""} == {
        b"x-forwarded-for": b"198.51.100.1, 2001:db8::7",
        b"x-forwarded-proto": b"http",
        b"x-forwarded-host": b"public.example",
        b"forwarded": b'for=198.51.100.1, for="[2001:db8::7]";host=example.org;proto=http',
        b"via": b"1.1 sentinel",
        b"x-request-id": b"",
    }


def test_responses_keep_what_concerns_the_client() -> None:
    headers = [
        (b"connection", b"close, X-Hop"),
        (b"x-hop", b"1"),
        (b"keep-alive", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"x-request-id", b"upstream's"),
        (b"content-length", b"5"),
        (b"set-cookie", b"a"),
        (b"set-cookie", b"b"),
    ]
    assert end_to_end(headers) == headers[-3:]
    assert end_to_end_trailers([(b"grpc-status", b"0"), (b"content-length", b"1"), (b"host", b"x")]) == [
        (b"grpc-status", b"0")
    ]


def test_many_names_and_peers_do_not_grow_the_memory() -> None:
    rules = admission(TRUSTED)
    for number in range(10_000):
        rules.admit(scope((b"x-%d" % number, b"1"), client=(f"10.0.{number // 256}.{number % 256}", 1)))
    assert len(rules._fields.known) <= 2048
    assert len(rules._trusted._known) <= 4096
