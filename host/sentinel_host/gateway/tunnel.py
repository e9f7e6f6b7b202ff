"""Upgrades: the protocol that a client asks for, and the tunnel once chain and upstream have
agreed.

Rule 1: The handshake is an ordinary request. The chain sees its head, guests may refuse it, and the
        response hooks see the 101. The tunnel's bytes pass unseen.
Rule 2: The two directions are independent: each waits for its own slow reader, and each ends by
        itself. When the upstream has ended there is nothing left to send for, and the tunnel
        closes.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from os import urandom
from typing import Any

from sentinel_host.errors import ClientError
from sentinel_host.gateway.bodies import RequestBody
from sentinel_host.http.client import UpstreamResponse
from sentinel_host.messages import Headers, Summary

EXTENSION = "sentinel.upgrade"
"""The scope extension of a server that can make a tunnel of a request, on one that asks for it."""

ACCEPT = "sentinel.upgrade.accept"
"""The message that makes the tunnel; bodies are its bytes from then on."""

_KEY = b"sec-websocket-key"
_VERSION = b"sec-websocket-version"
_ACCEPTED = b"sec-websocket-accept"

Send = Callable[[dict[str, Any]], Awaitable[None]]


def asked_for(extensions: Mapping[str, Any], allowed: frozenset[bytes]) -> bytes:
    """The protocol to ask the upstream for, or empty for an ordinary request.

    Raises `ClientError` for a request that has no meaning without the upgrade, where the route does
    not allow it.
    """
    offer = extensions.get(EXTENSION)
    if offer is None:
        return b""
    protocol: bytes = offer["protocol"]
    if protocol in allowed:
        return protocol
    if offer["required"]:
        raise ClientError("protocol not supported", 501, close=False)
    return b""


def complete_handshake(headers: Headers, protocol: bytes) -> None:
    """Add what a WebSocket handshake has on HTTP/1.1 only (RFC 8441 section 5)."""
    if protocol == b"websocket":
        names = {name for name, _ in headers}
        if _KEY not in names:
            headers.append((_KEY, b64encode(urandom(16))))
        if _VERSION not in names:
            headers.append((_VERSION, b"13"))


def handshake_answer(headers: Headers, http_version: str) -> Headers:
    """The fields of the 101 that the client gets: an answer to a key only where it sent one."""
    if http_version in ("2", "3"):
        return [field for field in headers if field[0] != _ACCEPTED]
    return headers


async def relay(body: RequestBody, response: UpstreamResponse, send: Send, summary: Summary) -> None:
    """Pass bytes both ways until the upstream has ended, or both have.

    Raises `UpstreamError` when the upstream broke off, `ClientGone` or `ConnectionError` when the
    client did.
    """
    sending = asyncio.ensure_future(_send_up(body, response))
    sending.add_done_callback(_noted)
    try:
        while data := await response.read():
            summary.response_bytes += len(data)
            await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        sending.cancel()


def _noted(sending: asyncio.Future[None]) -> None:
    """What went wrong on the way up is told by the other direction, which it ends."""
    if not sending.cancelled():
        sending.exception()


async def _send_up(body: RequestBody, response: UpstreamResponse) -> None:
    try:
        while data := await body.read():
            await response.write(data)
    except Exception:
        # The client's side broke: drop what the upstream still sends.
        response.abort()
        raise
    response.write_eof()
