"""gRPC's health service (grpc.health.v1), asked over HTTP/2 with prior knowledge or over TLS.

Two fields of two messages are all that is needed of Protocol Buffers: written and read here by hand. HTTP/2 is the `h2`
library's: a check is not worth a client of our own.
"""

from __future__ import annotations

import asyncio
import ssl
import struct
from typing import Final

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from sentinel_host.upstream.discovery import Location
from sentinel_host.upstream.probe import Unwell, dial

_PATH: Final = "/grpc.health.v1.Health/Check"
_SERVING: Final = 1
_STATES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_PREFIX: Final = struct.Struct("!BI")
# A message has a name of a service at most.
_MOST: Final = 65_536


class GrpcProbe:
    """Asks with a connection of its own each time: a connection that is refused is part of the answer."""

    def __init__(self, location: Location, service: str, context: ssl.SSLContext | None) -> None:
        self._location = location
        self._context = context if location.target.scheme == "https" else None
        self._request = encode_request(service)

    async def ask(self) -> None:
        """Part of `Probe`."""
        sock = await dial(self._location)
        name = self._location.target.server_name
        if self._context is not None:
            # The context is shared with others. OpenSSL copies what it offers when the handshake begins.
            self._context.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection(
            sock=sock, ssl=self._context, server_hostname=name if self._context is not None else None
        )
        try:
            await self._exchange(reader, writer)
        except h2.exceptions.ProtocolError as error:
            raise Unwell(f"was answered by something that is not HTTP/2: {error}") from None
        finally:
            writer.close()

    async def close(self) -> None:
        """Part of `Probe`."""

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        target = self._location.target
        connection.send_headers(
            1,
            [
                (":method", "POST"),
                (":scheme", target.scheme),
                (":path", _PATH),
                (":authority", target.authority.decode("ascii")),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("user-agent", "sentinel-check"),
            ],
        )
        connection.send_data(1, _PREFIX.pack(0, len(self._request)) + self._request, end_stream=True)
        fields: dict[str, str] = {}
        body = b""
        while True:
            writer.write(connection.data_to_send())
            data = await reader.read(_MOST)
            if not data:
                raise Unwell("was not answered before the connection closed")
            for event in connection.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                    fields |= {str(name): str(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                    connection.acknowledge_received_data(event.flow_controlled_length or 0, 1)
                elif isinstance(event, h2.events.StreamEnded):
                    judge(fields, body)
                    return
                elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
                    raise Unwell(f"was ended with the error {event.error_code}")
            if len(body) > _MOST:
                raise Unwell("was answered with too much")


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
    # A status is a small number: one byte of tag and one of value. Other fields are none of this version's.
    return message[1] if len(message) >= 2 and message[0] == 0x08 and message[1] < 0x80 else 0


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
