"""gRPC's health service (grpc.health.v1), asked over HTTP/2.

Two fields of two messages are all that is needed of Protocol Buffers: written and read here by
hand.
"""

from __future__ import annotations

import ssl
import struct
from typing import Final

from sentinel_host.http.client import Pool, UpstreamRequest, make_pool
from sentinel_host.net import Names
from sentinel_host.upstream.discovery import Location
from sentinel_host.upstream.probe import Unwell

_PATH: Final = b"/grpc.health.v1.Health/Check"
_SERVING: Final = 1
_STATES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_PREFIX: Final = struct.Struct("!BI")
# A message has a name of a service at most.
_MOST: Final = 65_536
_FIELDS: Final = [(b"content-type", b"application/grpc"), (b"user-agent", b"sentinel-check")]


class GrpcProbe:
    """Asks with a connection of its own each time: a connection that is refused is part of the
    answer.
    """

    def __init__(
        self, location: Location, service: str, names: Names, context: ssl.SSLContext | None, proxy_header: bytes = b""
    ) -> None:
        self._location = location
        self._proxy_header = proxy_header
        self._names = names
        self._context = context
        message = encode_request(service)
        self._request = UpstreamRequest(
            b"POST",
            _PATH,
            _FIELDS,
            location.target.authority,
            _PREFIX.pack(0, len(message)) + message,
            takes_trailers=True,
        )

    async def ask(self) -> None:
        """Part of `Probe`."""
        location = self._location
        pool = make_pool(
            "http/2",
            location.target,
            ssl_context=self._context,
            names=self._names,
            fixed=location.addresses,
            proxy_header=self._proxy_header,
        )
        try:
            await self._exchange(pool)
        finally:
            await pool.close()

    async def close(self) -> None:
        """Part of `Probe`."""

    async def _exchange(self, pool: Pool) -> None:
        response = await pool.send(self._request)
        body = b""
        while piece := await response.read():
            body += piece
            if len(body) > _MOST:
                raise Unwell("was answered with too much")
        fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
        fields |= {name.decode("latin-1"): value.decode("latin-1") for name, value in response.trailers}
        judge(fields | {":status": str(response.status)}, body)


def encode_request(service: str) -> bytes:
    """A ``HealthCheckRequest``: its field 1 is the service."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def judge(fields: dict[str, str], body: bytes) -> None:
    """Raises `Unwell` unless a response says SERVING."""
    status = fields.get(":status", "")
    if status != "200":
        raise Unwell(f"was answered with {status}")
    code = fields.get("grpc-status", "0")
    if code != "0":
        raise Unwell(f"was answered with grpc-status {code} {fields.get('grpc-message', '')}".rstrip())
    if len(body) < _PREFIX.size or body[0] != 0 or _PREFIX.unpack_from(body)[1] != len(body) - _PREFIX.size:
        raise Unwell("was answered with something that is no gRPC message")
    state = _status_of(body[_PREFIX.size :])
    if state != _SERVING:
        raise Unwell(f"says {_STATES.get(state, str(state))}")


def _status_of(message: bytes) -> int:
    """Field 1 of a ``HealthCheckResponse``; 0 where it is missing."""
    # A status is a small number: one byte of tag and one of value. Other fields are none of this
    # version's.
    return message[1] if len(message) >= 2 and message[0] == 0x08 and message[1] < 0x80 else 0


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
