"""Being signed in with a browser.

Rule 1: a browser never keeps the admin token. Signing in gives it two values that the token signs:
        one in a cookie that no script can read, and a proof that the page keeps and sends in a
        header.
Rule 2: both are needed. A cookie knows no ports, so that other services on the same host receive
        it; and a page of another origin can have it sent, but neither knows nor can send the proof.
Rule 3: nothing is stored. A session ends after eight hours, and when the token changes.
"""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256
from typing import Final

COOKIE: Final = "sentinel_session"
"""The cookie's name."""

HEADER: Final = "x-sentinel-session"
"""The name of the header that brings the proof."""

LIFETIME: Final = 8 * 3600
"""Seconds that a session lasts: a working day."""


def begin(token: str, now: float) -> tuple[str, str]:
    """The cookie and the proof of a session that begins now, in seconds since 1970."""
    session = f"{int(now) + LIFETIME}.{secrets.token_urlsafe(16)}"
    return f"{session}.{_signed(token, 'cookie', session)}", _signed(token, "proof", session)


def is_valid(token: str, cookie: str, proof: str, now: float) -> bool:
    """Whether both belong to one session that goes on; takes as long whatever they hold."""
    session, _, signature = cookie.rpartition(".")
    is_ours = _is_equal(signature, _signed(token, "cookie", session))
    is_proven = _is_equal(proof, _signed(token, "proof", session))
    until = session.partition(".")[0]
    return is_ours and is_proven and until.isdigit() and int(until) > now


def _signed(token: str, purpose: str, session: str) -> str:
    return hmac.new(token.encode(), f"{purpose}.{session}".encode(errors="replace"), sha256).hexdigest()


def _is_equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())
