"""WebSocket on servers that know no tunnel: ASGI ``websocket`` scopes, translated to and from the
upstream's frames.

Rule 1: To the data plane it is the same request as on our own server: this module turns the scope
        into that of an HTTP request that asks for an upgrade, and messages into the bytes of the
        tunnel; wsproto knows the frames.
Rule 2: Two WebSocket connections meet here, each with its own framing: extensions are never
        negotiated across.
"""

from __future__ import annotations

import asyncio
from typing import Any

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Message, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import LocalProtocolError, RemoteProtocolError

from sentinel_host.errors import ResponseAborted
from sentinel_host.gateway.abilities import CANCELS
from sentinel_host.gateway.exchange import Receive, Scope
from sentinel_host.gateway.response import Send
from sentinel_host.gateway.tunnel import ACCEPT, EXTENSION

# Hypercorn's `websocket_max_message_size`: ASGI has no message in parts.
_MAX_MESSAGE = 16 << 20
_RESPONSE = "websocket.http.response"
_BETWEEN_PEERS = frozenset((b"sec-websocket-extensions", b"sec-websocket-key", b"sec-websocket-version"))


class WebSocketPlane:
    """Serves one ASGI ``websocket`` scope; made by Quart for each."""

    def __init__(self, app: Any, scope: Any) -> None:
        self._app = app
        self._scope: Scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        """Serve the connection."""
        await receive()
        translated = Translated(self._scope, receive, send)
        try:
            await self._app.data_plane(_as_request(self._scope), translated.receive, translated.send)
        except ResponseAborted:
            await translated.close(CloseReason.INTERNAL_ERROR)
        finally:
            translated.stop()


def _as_request(scope: Scope) -> dict[str, Any]:
    return {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": "https" if scope["scheme"] == "wss" else "http",
        "headers": [field for field in scope["headers"] if field[0] not in _BETWEEN_PEERS],
        "extensions": {EXTENSION: {"protocol": b"websocket", "required": True}, CANCELS: {}},
    }


class Translated:
    """``receive`` and ``send`` of a tunnel, over those of an ASGI ``websocket`` scope."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._can_answer = _RESPONSE in (scope.get("extensions") or {})
        self._frames = Connection(ConnectionType.CLIENT)
        self._parts: list[Any] = []
        self._size = 0
        self._out = b""
        self._woken = asyncio.Event()
        self._next: asyncio.Task[Any] | None = None
        self._accepted = self._ended = self._closed = False

    def stop(self) -> None:
        """Nobody receives any more."""
        if self._next is not None:
            self._next.cancel()

    async def close(self, code: int, reason: str | None = None) -> None:
        """Close the client's side, once."""
        if not self._closed:
            self._closed = True
            await self._send({"type": "websocket.close", "code": code, "reason": reason or ""})

    # From the client.

    async def receive(self) -> dict[str, Any]:
        """The next bytes for the upstream."""
        while not self._out:
            if self._ended:
                return {"type": "http.request", "body": b"", "more_body": False}
            if self._next is None:
                self._next = asyncio.ensure_future(self._receive())
            self._woken.clear()
            woken = asyncio.ensure_future(self._woken.wait())
            try:
                await asyncio.wait([self._next, woken], return_when=asyncio.FIRST_COMPLETED)
            finally:
                woken.cancel()
            if self._next.done():
                message, self._next = self._next.result(), None
                self._take(message)
        data, self._out = self._out, b""
        return {"type": "http.request", "body": data, "more_body": True}

    def _take(self, message: Any) -> None:
        if message["type"] == "websocket.receive":
            text = message.get("text")
            self._put(BytesMessage(data=message["bytes"]) if text is None else TextMessage(data=text))
        else:
            self._closed = self._ended = True
            self._put(CloseConnection(code=message.get("code") or CloseReason.NORMAL_CLOSURE))

    def _put(self, event: Any) -> None:
        try:
            self._out += self._frames.send(event)
        except LocalProtocolError:
            # The upstream has closed already: nothing may be said after that.
            self._ended = True
        self._woken.set()

    # From the upstream.

    async def send(self, message: Any) -> None:
        """Take what the data plane would send to the client."""
        kind = message["type"]
        if kind == ACCEPT:
            await self._accept(message["headers"])
        elif not self._accepted:
            await self._answer(message)
        else:
            await self._pass(message["body"])
            if not message["more_body"]:
                await self.close(CloseReason.INTERNAL_ERROR)

    async def _accept(self, headers: list[tuple[bytes, bytes]]) -> None:
        self._accepted = True
        protocols = [value.decode("latin-1") for name, value in headers if name == b"sec-websocket-protocol"]
        await self._send(
            {
                "type": "websocket.accept",
                "subprotocol": protocols[0] if protocols else None,
                "headers": [field for field in headers if not field[0].startswith(b"sec-websocket-")],
            }
        )

    async def _answer(self, message: Any) -> None:
        kind = message["type"]
        if self._can_answer and kind in ("http.response.start", "http.response.body"):
            await self._send({**message, "type": kind.replace("http.response", _RESPONSE, 1)})
            self._closed = True
        elif kind == "http.response.start":
            # The server answers 403 to a handshake that is closed.
            await self.close(CloseReason.NORMAL_CLOSURE)

    async def _pass(self, data: bytes) -> None:
        if not data or self._frames.state is ConnectionState.CLOSED:
            return
        try:
            self._frames.receive_data(data)
            events = list(self._frames.events())
        except RemoteProtocolError:
            await self.close(CloseReason.INTERNAL_ERROR)
            return
        for event in events:
            if isinstance(event, Message):
                await self._message(event)
            elif isinstance(event, Ping):
                self._put(event.response())
            elif isinstance(event, CloseConnection):
                if self._frames.state is ConnectionState.REMOTE_CLOSING:
                    self._put(event.response())
                await self.close(event.code, event.reason)

    async def _message(self, event: Message[Any]) -> None:
        self._parts.append(event.data)
        self._size += len(event.data)
        if self._size > _MAX_MESSAGE:
            self._put(CloseConnection(code=CloseReason.MESSAGE_TOO_BIG))
            await self.close(CloseReason.MESSAGE_TOO_BIG)
        elif event.message_finished and not self._closed:
            whole = event.data[:0].join(self._parts)
            self._parts.clear()
            self._size = 0
            await self._send({"type": "websocket.send", "text" if isinstance(whole, str) else "bytes": whole})
