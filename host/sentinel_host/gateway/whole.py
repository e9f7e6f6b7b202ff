"""Sending a response whose body is complete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from sentinel_host.messages import Headers

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

WHOLE: Final = "sentinel.whole_response"
"""The scope extension of a server that takes a whole response as one message of this type: each
call of ``send`` costs as much as framing a head.
"""


def send_whole(
    send: Send, extensions: Mapping[str, Any], status: int, headers: Headers, body: bytes
) -> Awaitable[None]:
    """Send head and body, in one message where the server takes that."""
    if WHOLE in extensions:
        return send({"type": WHOLE, "status": status, "headers": headers, "body": body})
    return _send_both(send, status, headers, body)


def send_framed(
    send: Send, extensions: Mapping[str, Any], status: int, headers: Headers, body: bytes, is_head: bool
) -> Awaitable[None]:
    """As `send_whole`, with a Content-Length that ``headers`` do not have; the body is not sent to
    a HEAD request.
    """
    # A server that has the whole body writes the field by itself, but for a body that is not sent.
    if is_head or WHOLE not in extensions:
        headers.append((b"content-length", b"%d" % len(body)))
    return send_whole(send, extensions, status, headers, b"" if is_head else body)


async def _send_both(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
