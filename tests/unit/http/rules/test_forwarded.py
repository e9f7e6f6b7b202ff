"""What is believed of trusted proxies: RFC 7239, and the X-Forwarded fields."""

from __future__ import annotations

import pytest

from sentinel_host.errors import ClientError
from sentinel_host.http.rules import Forwarding
from sentinel_host.http.rules.forwarded import parse_forwarded
from sentinel_host.messages import Headers
from tests.unit.http.rules.support import TRUSTED, admit, refused

FOR, PROTO, FORWARDED = b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"


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
        ([(b"x-forwarded-for", b"198.51.100.1, , ")], "198.51.100.1"),
        ([(b"x-forwarded-for", b""), (b"forwarded", b"for=198.51.100.1")], "198.51.100.1"),
        ([(b"x-forwarded-for", b"198.51.100.1"), (b"forwarded", b"for=203.0.113.9")], "198.51.100.1"),
        ([(b"forwarded", b"For = 198.51.100.1 ; by=192.0.2.7")], "198.51.100.1"),
        ([(b"forwarded", b"for=198.51.100.1"), (b"forwarded", b"for=192.0.2.9")], "198.51.100.1"),
        ([(b"forwarded", b"for=[2001:db8:1::1]:99")], "2001:db8:1::1"),
        ([(b"forwarded", b"for=198.51.100.1, proto=http")], "192.0.2.7"),
        ([], "192.0.2.7"),
    ],
)
def test_the_client_is_the_right_most_untrusted_hop(headers: Headers, client: str) -> None:
    assert admit(*headers, trusted=TRUSTED).head.client == client


@pytest.mark.parametrize(
    ("value", "client"),
    [
        (b'for=198.51.100.1;host="for=10.0.0.1"', "198.51.100.1"),
        (b'for=198.51.100.1;host="a, for=10.0.0.1"', "198.51.100.1"),
        (b'for=198.51.100.1;host="\\", for=10.0.0.1"', "198.51.100.1"),
        (b"for=198.51.100.1;before=10.0.0.1", "198.51.100.1"),
    ],
)
def test_a_client_writes_no_element_by_its_host(value: bytes, client: str) -> None:
    """``for=`` was looked for anywhere in the field: in the quoted host of a request, too, which a
    client chooses.
    """
    assert admit((FORWARDED, value), trusted=TRUSTED).head.client == client


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ([(PROTO, b"https")], "https"),
        ([(PROTO, b"HTTPS")], "https"),
        ([(PROTO, b"http")], "http"),
        ([(PROTO, b"wss")], "https"),
        ([(PROTO, b"ws")], "http"),
        ([(PROTO, b"https, https")], "https"),
        ([(PROTO, b"https,wss")], "https"),
        ([(PROTO, b"https"), (PROTO, b"https")], "https"),
        ([(PROTO, b"https,")], "https"),
        ([(PROTO, b"")], "http"),
        ([(FORWARDED, b"proto=https")], "https"),
        ([(FORWARDED, b"for=198.51.100.1;proto=https")], "https"),
        ([(FORWARDED, b'for=198.51.100.1;Proto="HTTPS"')], "https"),
        ([(FORWARDED, b"for=198.51.100.1;proto=wss")], "https"),
        ([(FORWARDED, b"for=_hidden;proto=https")], "https"),
        ([(FORWARDED, b"for=198.51.100.1;proto=https, for=192.0.2.9;proto=http")], "https"),
        ([(FORWARDED, b"for=198.51.100.1;proto=https"), (FORWARDED, b"for=192.0.2.9;proto=http")], "https"),
        ([(FORWARDED, b"for=10.0.0.1;proto=https, for=198.51.100.1;proto=http")], "http"),
        ([(FORWARDED, b"for=198.51.100.1;proto=https, for=unknown;proto=http")], "http"),
        ([(FORWARDED, b"for=198.51.100.1")], "http"),
        ([(FOR, b"198.51.100.1"), (FORWARDED, b"for=198.51.100.1;proto=https")], "https"),
        ([(PROTO, b"wss"), (FORWARDED, b"for=198.51.100.1;proto=https")], "https"),
    ],
)
def test_the_scheme_is_what_was_stated(headers: Headers, scheme: str) -> None:
    """Anything but one ``X-Forwarded-Proto`` of one value became ``http``, and upstreams redirected
    for ever.
    """
    assert admit(*headers, trusted=TRUSTED).head.scheme == scheme


@pytest.mark.parametrize(
    "headers",
    [
        [(PROTO, b"https, http")],
        [(PROTO, b"https"), (PROTO, b"http")],
        [(PROTO, b"wss"), (PROTO, b"ws")],
        [(PROTO, b"https"), (FORWARDED, b"for=198.51.100.1;proto=http")],
        [(PROTO, b"ftp")],
        [(PROTO, b"https https")],
        [(FORWARDED, b"proto=ftp")],
        [(FORWARDED, b"proto=https;proto=http")],
        [(FORWARDED, b"for=198.51.100.1;for=10.0.0.1")],
        [(FORWARDED, b'for="198.51.100.1')],
        [(FORWARDED, b'for="x, for=198.51.100.1;host="a:1"')],
        [(FORWARDED, b"for=198.51.100.1 10.0.0.1")],
        [(FORWARDED, b"198.51.100.1")],
        [(FORWARDED, b"f(r=198.51.100.1")],
        [(FORWARDED, b"=198.51.100.1")],
    ],
)
def test_contradictions_and_what_cannot_be_read_are_refused(headers: Headers) -> None:
    assert refused(*headers, trusted=TRUSTED).status == 400
    assert admit(*headers).head.scheme == "http"


@pytest.mark.parametrize("value", ["", ",", " , ;; ,", "\t"])
def test_a_field_may_have_no_element(value: str) -> None:
    assert parse_forwarded(value) == []


@pytest.mark.parametrize(
    "value", [" " * 3_000_000 + "!", "for=" + " " * 3_000_000 + '"', 'for="' + "\\" * 2_999_999, "a" * 3_000_000]
)
def test_what_a_client_sends_through_a_proxy_is_read_in_no_time(value: str) -> None:
    """A hundred times as much as there can be: whose work grows with its square would take
    hours.
    """
    with pytest.raises(ClientError):
        parse_forwarded(value)


def test_a_trusted_proxy_may_say_the_scheme_by_the_target() -> None:
    https: Headers = [(PROTO, b"https")]
    assert admit(*https, raw_path=b"https://example.org/b", trusted=TRUSTED).head.path == "/b"
    assert admit(*https, extensions={"sentinel.target_scheme": {"scheme": "https"}}, trusted=TRUSTED).head.path == "/a"
    # RFC 9110 section 7.4: a trusted gateway may say so by the target alone, but not against what
    # it states.
    assert admit(raw_path=b"https://example.org/b", trusted=TRUSTED).head.scheme == "https"
    assert admit(extensions={"sentinel.target_scheme": {"scheme": "https"}}, trusted=TRUSTED).head.scheme == "https"
    assert refused((PROTO, b"http"), raw_path=b"https://example.org/b", trusted=TRUSTED).status == 421
    assert refused(*https, raw_path=b"https://example.org/b").status == 421


@pytest.mark.parametrize("name", [b"x-forwarded-ssl", b"x-forwarded-protocol", b"front-end-https", b"x-url-scheme"])
def test_no_other_field_tells_the_scheme(name: bytes) -> None:
    """SECURITY.md said X-Forwarded-*, and some went through: servers take ``X-Forwarded-Ssl: on``
    for https.
    """
    assert admit((name, b"on")).head.headers == admit((name, b"on"), trusted=TRUSTED).head.headers == []


def test_other_forwarded_fields_go_on_from_trusted_peers_only() -> None:
    field = (b"x-forwarded-user", b"alice")
    assert admit(field).head.headers == []
    assert admit(field, trusted=TRUSTED).head.headers == [field]


def test_what_goes_on_of_repeated_fields() -> None:
    admitted = admit(
        (b"x-forwarded-host", b"public.example"),
        (b"x-forwarded-host", b"inner.example"),
        (FOR, b"198.51.100.1"),
        (FOR, b""),
        host=b"0.0.0.0=5000",
        trusted=TRUSTED,
    )
    headers: Headers = []
    Forwarding().add(headers, admitted)
    told = dict(headers)
    assert told[b"x-forwarded-host"] == b"public.example, inner.example"
    assert told[FOR] == b"198.51.100.1, 192.0.2.7"
    assert told[FORWARDED] == b'for=192.0.2.7;host="0.0.0.0=5000";proto=http'
