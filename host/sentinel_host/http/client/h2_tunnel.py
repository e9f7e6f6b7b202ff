"""WebSockets to upstreams over HTTP/2: the extended CONNECT of RFC 8441, told as the upgrade of
HTTP/1.1 that whoever asks knows.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import Final

from sentinel_host.errors import SentinelError
from sentinel_host.grammar import is_target
from sentinel_host.http.client.request import UpstreamRequest
from sentinel_host.http.field_section import Fields, Malformed, check_values
from sentinel_host.http.server.response_fields import response_section

WEBSOCKET: Final = b"websocket"
"""The only protocol that is tunnelled so."""

_KEY: Final = b"sec-websocket-key"
_ACCEPT: Final = b"sec-websocket-accept"
# RFC 6455 section 1.3.
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def tunnel_section(request: UpstreamRequest, scheme: bytes) -> Fields:
    """The fields of a request that asks for a tunnel, without the key, which HTTP/2 does not have
    (RFC 8441 section 5). Raises `SentinelError` for what must not be written.
    """
    if is_target(request.target) is None:
        raise SentinelError("request head for the upstream: a malformed target")
    fields: Fields = [
        (b":method", b"CONNECT"),
        (b":protocol", request.upgrade),
        (b":scheme", scheme),
        (b":path", request.target),
        (b":authority", request.host),
    ]
    try:
        fields += response_section([field for field in request.headers if field[0] != _KEY])
        check_values(fields[:5])
    except (ValueError, Malformed) as error:
        raise SentinelError(f"request head for the upstream: {error}") from None
    return fields


def switched_fields(request: UpstreamRequest, headers: Fields) -> Fields:
    """The fields of the 101 that a 2xx to such a request stands for: with the answer to the key,
    which HTTP/1.1 has (RFC 6455 section 4.2.2).
    """
    key = next((value for name, value in request.headers if name == _KEY), None)
    if key is None:
        return headers
    # The protocol says which digest; nothing depends on its strength.
    answer = b64encode(sha1(key.strip() + _GUID, usedforsecurity=False).digest())
    return [*(field for field in headers if field[0] != _ACCEPT), (_ACCEPT, answer)]
