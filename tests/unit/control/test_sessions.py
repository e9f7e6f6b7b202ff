"""Being signed in: what makes a session, and what does not."""

from __future__ import annotations

import pytest

from sentinel_host.control import sessions

TOKEN = "the-token-of-this-test"
NOW = 1_700_000_000.5


def test_cookie_and_proof_make_a_session_together() -> None:
    cookie, proof = sessions.begin(TOKEN, NOW)
    assert sessions.is_valid(TOKEN, cookie, proof, NOW)
    assert sessions.is_valid(TOKEN, cookie, proof, NOW + sessions.LIFETIME - 1)
    assert TOKEN not in cookie + proof


@pytest.mark.parametrize("broken", ["", "x", ".", "..", "é.é.é", "9999999999.a.b"])
def test_neither_is_enough(broken: str) -> None:
    cookie, proof = sessions.begin(TOKEN, NOW)
    assert not sessions.is_valid(TOKEN, broken, proof, NOW)
    assert not sessions.is_valid(TOKEN, cookie, broken, NOW)


def test_parts_of_two_sessions_are_none() -> None:
    (one, one_proof), (other, other_proof) = (sessions.begin(TOKEN, NOW) for _ in range(2))
    assert not sessions.is_valid(TOKEN, one, other_proof, NOW)
    assert not sessions.is_valid(TOKEN, other, one_proof, NOW)


def test_a_session_ends() -> None:
    cookie, proof = sessions.begin(TOKEN, NOW)
    assert not sessions.is_valid(TOKEN, cookie, proof, NOW + sessions.LIFETIME + 1)
    assert not sessions.is_valid("another-token-of-this", cookie, proof, NOW)


def test_a_client_cannot_prolong_a_session() -> None:
    cookie, proof = sessions.begin(TOKEN, NOW)
    until, _, rest = cookie.partition(".")
    assert not sessions.is_valid(TOKEN, f"{int(until) + 9999}.{rest}", proof, NOW)
