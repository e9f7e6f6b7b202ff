"""The dashboard: a page, what it loads, and signing in. Everything that it shows comes from the
admin API.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.resources import files
from typing import Final

import msgspec
from quart import Blueprint, Response, request

from sentinel_host.control import sessions
from sentinel_host.control.token import is_token

_KINDS: Final = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
_SCRIPTS: Final = ("board", "dashboard", "drawing", "elements", "history", "requests")
_FILES: Final = {
    "/": "index.html",
    **{f"/{name}": name for name in ("dashboard.css", "icon.svg", *(f"{name}.js" for name in _SCRIPTS))},
}
_SESSION: Final = "/session"
_HEADERS: Final = {
    # Nothing from elsewhere, nothing inline, no frame.
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        # No text becomes markup, whatever a script does.
        "require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    # A gateway that is replaced brings another page.
    "cache-control": "no-cache",
}


class SignIn(msgspec.Struct, frozen=True):
    """What signs a browser in."""

    token: str


def add_dashboard(admin: Blueprint, token: Callable[[], str | None]) -> set[str]:
    """Add the page and the sessions; returns the paths that need no token."""
    folder = files("sentinel_host.control") / "page"

    async def page() -> Response:
        name = _FILES[request.path]
        kind = _KINDS[name.rpartition(".")[2]]
        return Response((folder / name).read_bytes(), content_type=kind, headers=_HEADERS)

    async def sign_in() -> Response:
        """Begin a session, with a JSON object that holds the token: a form of another origin cannot
        send one.
        """
        expected = token()
        try:
            given = msgspec.json.decode(await request.get_data(), type=SignIn).token
        except msgspec.DecodeError:
            return _json({"error": "expected an object with the token"}, 400)
        if request.mimetype != "application/json":
            return _json({"error": "expected application/json"}, 415)
        if expected is None:
            return _json({"error": "this gateway has no admin token"}, 403)
        if not is_token(given, expected):
            return _json({"error": "this is not the admin token"}, 401)
        cookie, proof = sessions.begin(expected, time.time())
        response = _json({"proof": proof}, 200)
        response.set_cookie(
            sessions.COOKIE, cookie, max_age=sessions.LIFETIME, path="/", httponly=True, samesite="Strict"
        )
        return response

    async def sign_out() -> Response:
        response = _json({"done": "signed out"}, 200)
        response.delete_cookie(sessions.COOKIE, path="/", httponly=True, samesite="Strict")
        return response

    for path in _FILES:
        admin.add_url_rule(path, f"page {path}".replace(".", "-"), page)
    admin.add_url_rule(_SESSION, "sign-in", sign_in, methods=["POST"])
    admin.add_url_rule(_SESSION, "sign-out", sign_out, methods=["DELETE"])
    return {*_FILES, _SESSION}


def _json(content: object, status: int) -> Response:
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(content) + b"\n", status, content_type="application/json", headers=headers)
