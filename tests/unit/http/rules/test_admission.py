from __future__ import annotations

from typing import Any

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.rules import Forwarding, end_to_end, end_to_end_trailers
from sentinel_host.messages import Headers
from tests.unit.http.rules.support import TRUSTED, admission, admit, refused, scope


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
        ([], {"host": b"a;for=10.0.0.1"}, 400),
        ([], {"host": b"%61"}, 400),
        ([], {"host": b'a"'}, 400),
        ([], {"host": b"a\\b"}, 400),
        ([], {"host": b":"}, 400),
        ([], {"host": b":80"}, 400),
        ([], {"host": b"h::"}, 400),
        ([], {"host": b"::1"}, 400),
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
        ([], {"raw_path": b"http://example.org::/a"}, 400),
        ([], {"raw_path": b"http://user@example.org/a"}, 400),
        ([], {"raw_path": b"https://example.org/a"}, 421),
        ([], {"raw_path": b"HTTPS://example.org"}, 421),
        ([], {"raw_path": b"http://example.org/a", "scheme": "https"}, 421),
        ([], {"extensions": {"sentinel.target_scheme": {"scheme": "https"}}}, 421),
        ([], {"raw_path": b"ftp://example.org/a"}, 400),
        ([], {"raw_path": b"*", "method": "OPTIONS", "query_string": b"a"}, 400),
        ([], {"raw_path": b"*", "method": "OPTIONS", "extensions": {"sentinel.empty_query": {}}}, 400),
        ([(b"max-forwards", b"-1")], {"method": "OPTIONS"}, 400),
        ([(b"max-forwards", b"")], {"method": "OPTIONS"}, 400),
        ([(b"max-forwards", b"1"), (b"max-forwards", b"1")], {"method": "OPTIONS"}, 400),
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


@pytest.mark.parametrize(
    ("method", "target", "path", "query"),
    [
        ("GET", b"http://EXAMPLE.org/b", "/b", None),
        ("GET", b"http://example.org", "/", None),
        ("GET", b"http://example.org:/b", "/b", None),
        ("GET", b"http://example.org?a", "/", "a"),
        ("GET", b"/a?", "/a", ""),
        ("GET", b"http://example.org/a?", "/a", ""),
        ("GET", b"http://example.org?", "/", ""),
        ("OPTIONS", b"*", "*", None),
        ("OPTIONS", b"http://example.org", "*", None),
        ("OPTIONS", b"http://example.org/", "/", None),
        ("OPTIONS", b"http://example.org?a", "/", "a"),
        ("OPTIONS", b"http://example.org?", "/", ""),
    ],
)
def test_targets(method: str, target: bytes, path: str, query: str | None) -> None:
    """``OPTIONS http://host`` asks about the server (RFC 9112 section 3.2.4), and got the root's
    answer; the query of ``/a?`` is empty and not absent (RFC 3986 section 6.2.3), and was lost.
    """
    raw, mark, rest = target.partition(b"?")
    told = {"sentinel.empty_query": {}} if mark and not rest else {}
    head = admit(method=method, raw_path=raw, query_string=rest, extensions=told).head
    assert (head.path, head.query) == (path, query)


def test_servers_without_extensions() -> None:
    assert admit(extensions=None).head.query is None


@pytest.mark.parametrize(
    ("host", "authority"),
    [
        (b"example.org:", "example.org"),
        (b"[::1]:", "[::1]"),
        (b"example.org:81", "example.org:81"),
        (b"0.0.0.0=5000", "0.0.0.0=5000"),
        (b"a~b!$&'()*+=:1", "a~b!$&'()*+=:1"),
    ],
)
def test_authorities(host: bytes, authority: str) -> None:
    """An empty port (RFC 3986 section 3.2.3) and names with sub-delims (section 3.2.2) were
    answered 400.
    """
    admitted = admit(host=host)
    assert (admitted.head.authority, admitted.host) == (authority, authority.encode())
    assert admit(host=host, raw_path=b"http://" + host + b"/x").head.path == "/x"


@pytest.mark.parametrize(
    ("value", "left", "may_forward"),
    [
        (b"0", b"0", False),
        (b"000", b"0", False),
        (b"0" * 100, b"0", False),
        (b"1", b"0", True),
        (b"10", b"9", True),
        (b"0" * 30 + b"5", b"4", True),
        (b"9" * 5000, b"9" * 17 + b"8", True),
    ],
)
def test_max_forwards_counts_down(value: bytes, left: bytes, may_forward: bool) -> None:
    """RFC 9110 section 7.6.2: it was passed on as it came, so that a request in a loop, or one that
    asks who answers on the way, went to the end.
    """
    admitted = admit((b"max-forwards", value), method="OPTIONS")
    assert (admitted.head.headers, admitted.may_forward) == ([(b"max-forwards", left)], may_forward)
    ordinary = admit((b"max-forwards", value))
    assert (ordinary.head.headers, ordinary.may_forward) == ([(b"max-forwards", value)], True)


@pytest.mark.parametrize(
    ("fields", "version", "takes"),
    [
        ([], "1.1", False),
        ([b"trailers"], "1.1", True),
        ([b"gzip;q=0.5, Trailers"], "1.1", True),
        ([b"gzip", b"trailers"], "1.1", True),
        ([b"trailers"], "2", True),
        ([b"trailers"], "1.0", False),
        ([b"no-trailers"], "1.1", False),
    ],
)
def test_who_takes_trailers(fields: list[bytes], version: str, takes: bool) -> None:
    admitted = admit(*((b"te", value) for value in fields), http_version=version)
    assert (admitted.takes_trailers, admitted.head.headers) == (takes, [])


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


def test_a_server_may_know_that_there_is_no_body() -> None:
    admitted = admit(http_version="2", **{"sentinel.no_body": True})
    assert (admitted.has_body, admitted.content_length) == (False, None)


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


def test_vouched_fields_and_identity_headers_are_known_by_whole_names() -> None:
    fields = [(b"x-forwarded-user", b"a"), (b"x-forwarded", b"b"), (b"x-principals", b"c"), (b"forwarded-for", b"d")]
    assert admit(*fields).head.headers == fields[1:]
    assert sorted(admit(*fields, trusted=TRUSTED).head.headers) == sorted(fields)


@pytest.mark.parametrize("name", [b"X-A", b"", b"a b", b"a\x80"])
def test_a_name_that_is_no_token_in_lower_case_is_refused(name: bytes) -> None:
    assert refused((name, b"1")).status == 400


def test_end_to_end_fields_of_a_response() -> None:
    fields = [(b"x-a", b"1"), (b"x-b", b"2"), (b"close", b"3")]
    for own in (b"Close", b"keep-alive", b"KEEP-ALIVE"):
        assert end_to_end([(b"connection", own), *fields, (b"upgrade", b"x")]) == fields
    assert end_to_end([fields[0], (b"connection", b"close, X-A"), fields[1], (b"connection", b"x-c")]) == [fields[1]]
    assert end_to_end([(b"connection", b" X-B\t,,x-a"), *fields]) == [fields[2]]
