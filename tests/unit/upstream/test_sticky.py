"""Sticky cookies: what comes back is known, what was made up is not."""

from __future__ import annotations

import pytest

from sentinel_host.upstream.sticky import StickyCookie

KEY = 0xFEDCBA9876543210


def cookie(upstream: str = "web", secret: bytes = b"secret", name: str = "backend", age: int = 0) -> StickyCookie:
    return StickyCookie(name, age, upstream, secret)


def given(made: StickyCookie) -> bytes:
    name, value = made.field(KEY, secure=False)
    assert name == b"set-cookie"
    return value.split(b";")[0]


@pytest.mark.parametrize(
    "header",
    [b"%s", b"a=b; %s", b"%s; a=b", b"  %s  ", b"backend=; %s".replace(b"backend=; ", b"x=backend; ")],
    ids=str,
)
def test_a_cookie_that_comes_back_names_its_endpoint(header: bytes) -> None:
    assert cookie().read([(b"accept", b"*/*"), (b"cookie", header % given(cookie()))]) == KEY


def test_it_is_found_in_any_cookie_field() -> None:
    assert cookie().read([(b"cookie", b"a=b"), (b"cookie", given(cookie()))]) == KEY


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"backend",
        b"backend=",
        b"backend=%%%",
        b"backend=" + b"A" * 32,
        b"backend=" + b"A" * 4000,
        b"Backend=" + given(cookie()).split(b"=", 1)[1],
        given(cookie())[:-1],
        given(cookie()) + b"A",
        given(cookie(upstream="other")),
        given(cookie(secret=b"other")),
        given(cookie(name="another")),
    ],
    ids=repr,
)
def test_what_was_made_up_means_nothing(value: bytes) -> None:
    assert cookie().read([(b"cookie", value)]) is None


def test_every_changed_byte_is_noticed() -> None:
    value = given(cookie())
    start = len(b"backend=")
    for place in range(start, len(value)):
        changed = value[:place] + (b"A" if value[place : place + 1] != b"A" else b"B") + value[place + 1 :]
        assert cookie().read([(b"cookie", changed)]) in (None, KEY)
    # The last character has bits that say nothing: no other key comes out of any.


def test_its_attributes_are_those_of_a_session() -> None:
    assert cookie().field(KEY, secure=True)[1].endswith(b"; Path=/; HttpOnly; SameSite=Lax; Secure")
    assert b"; Max-Age=60;" in cookie(age=60).field(KEY, secure=False)[1]
    assert b"Max-Age" not in cookie().field(KEY, secure=False)[1]


def test_long_secrets_are_fine() -> None:
    assert cookie(secret=b"x" * 1000).read([(b"cookie", given(cookie(secret=b"x" * 1000)))]) == KEY
