"""gRPC-Web as gRPC (gRPC's document PROTOCOL-WEB): browsers can read no trailers, so that these
come as the last frame of the body.

Rule 1: the chain and the upstream see a gRPC call; only the two ends differ.
Rule 2: the text form is base64. Each piece of a body may be padded by itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.messages import Headers

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_GRPC: Final = b"application/grpc"
_WEB: Final = b"application/grpc-web"
_TEXT: Final = b"application/grpc-web-text"
# The frame of trailers has the highest bit of its first byte set.
_TRAILERS: Final = b"\x80"


class GrpcWeb:
    """Stands between a gRPC-Web client and a call: ``receive`` and ``send`` take the place of the
    server's.
    """

    __slots__ = ("_expects_trailers", "_is_text", "_kind", "_left", "_receive", "_send")

    def __init__(self, content_type: bytes, receive: Receive, send: Send) -> None:
        self._kind = _TEXT if content_type.startswith(_TEXT) else _WEB
        self._is_text = self._kind == _TEXT
        self._receive = receive
        self._send = send
        self._left = b""
        self._expects_trailers = False

    @property
    def keeps_length(self) -> bool:
        """Whether a body is as long for the upstream as it is for the client."""
        return not self._is_text

    def request_fields(self, headers: Headers) -> Headers:
        """The fields of the request as a gRPC call has them."""
        return [
            (name, _GRPC + value[len(self._kind) :] if name == b"content-type" else value) for name, value in headers
        ]

    async def receive(self) -> MutableMapping[str, Any]:
        """As ASGI's. Raises `ClientError` for a body that is no base64."""
        message = await self._receive()
        if self._is_text and message["type"] == "http.request":
            message = dict(message)
            message["body"] = self._decode(message.get("body", b""), not message.get("more_body", False))
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """As ASGI's."""
        kind = message["type"]
        if kind == "http.response.start":
            self._expects_trailers = bool(message.get("trailers"))
            await self._send(
                {"type": kind, "status": message["status"], "headers": self._response_fields(message["headers"])}
            )
        elif kind == "http.response.body":
            more = message.get("more_body", False) or self._expects_trailers
            await self._send({"type": kind, "body": self._encode(message.get("body", b"")), "more_body": more})
        elif kind == "http.response.trailers":
            block = b"".join([b"%b: %b\r\n" % field for field in message["headers"]])
            frame = _TRAILERS + len(block).to_bytes(4, "big") + block
            await self._send({"type": "http.response.body", "body": self._encode(frame), "more_body": False})
        else:
            await self._send(message)

    def _response_fields(self, headers: Headers) -> Headers:
        fields: Headers = []
        for name, value in headers:
            if name == b"content-type" and value.startswith(_GRPC):
                fields.append((name, self._kind + value[len(_GRPC) :]))
            elif name != b"content-length":
                fields.append((name, value))
        return fields

    def _encode(self, data: bytes) -> bytes:
        return binascii.b2a_base64(data, newline=False) if self._is_text and data else data

    def _decode(self, data: bytes, is_last: bool) -> bytes:
        data = self._left + data
        whole = len(data) - len(data) % 4
        self._left = data[whole:]
        if is_last and self._left:
            raise ClientError("the body is no base64")
        pieces = []
        at = 0
        try:
            while at < whole:
                # Padding ends a piece: what follows begins anew.
                padded = data.find(b"=", at, whole)
                end = whole if padded < 0 else padded - padded % 4 + 4
                pieces.append(binascii.a2b_base64(data[at:end], strict_mode=True))
                at = end
        except binascii.Error:
            raise ClientError("the body is no base64") from None
        return b"".join(pieces)


def grpc_web_type(headers: Headers) -> bytes:
    """The content type of a gRPC-Web request; empty for another."""
    for name, value in headers:
        if name == b"content-type":
            return value if value.startswith(_WEB) else b""
    return b""
