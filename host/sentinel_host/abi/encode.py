"""The records that guests get, in MessagePack, by the rules of ``wit/ABI.md`` section 3.

They are encoded from our own values and cannot be wrong; what comes back is ``decode``'s to judge.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack
import msgspec

from sentinel_host.messages import Headers, RequestHead, ResponseHead, Summary

# Several times as fast as the packer of msgpack, which stays for configurations: a guest gets one when it starts.
_pack: Final = msgspec.msgpack.Encoder().encode

# Clients and upstreams send the same few names for ever, so that one look-up replaces decoding. Bounded, because the
# names are their choice: beyond the bound they are decoded each time.
_KNOWN_NAMES_MAX: Final = 1024
_known_names: dict[bytes, str] = {}


def encode_config(config: dict[str, Any]) -> bytes:
    """The one MessagePack map that ``configure`` gets; dates and times become RFC 3339 text."""
    packer = msgpack.Packer(use_bin_type=True, default=_config_default)
    data: bytes = packer.pack(config)
    return data


def encode_request_head(head: RequestHead) -> bytes:
    """``request-head`` for ``on-request``."""
    return _pack(
        (
            head.method,
            head.path,
            head.query,
            _encode_headers(head.headers),
            head.scheme,
            head.authority,
            head.client,
            head.request_id,
            head.route,
            head.http_version,
        )
    )


def encode_response_head(head: ResponseHead) -> bytes:
    """``response-head`` for ``on-response``."""
    return _pack((head.status, _encode_headers(head.headers), head.origin))


def encode_summary(summary: Summary) -> bytes:
    """``summary`` for ``on-complete``."""
    return _pack(
        (
            summary.request_id,
            summary.method,
            summary.path,
            summary.query,
            summary.route,
            summary.authority,
            summary.client,
            summary.http_version,
            summary.started_at,
            summary.duration,
            summary.status,
            summary.request_bytes,
            summary.response_bytes,
            summary.outcome,
            summary.origin,
            summary.upstream,
            summary.upstream_duration,
        )
    )


def encode_response(status: int, headers: Headers, body: bytes) -> bytes:
    """``response``, as an HTTP service answers a guest."""
    return _pack((status, _encode_headers(headers), body))


def _config_default(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    if isoformat is None:
        raise TypeError(f"a configuration cannot hold {type(value).__name__}")
    return str(isoformat())


def _encode_headers(headers: Headers) -> list[tuple[str, bytes]]:
    known = _known_names
    return [(known.get(name) or _decode_name(name), value) for name, value in headers]


def _decode_name(name: bytes) -> str:
    text = name.decode("ascii")
    if len(_known_names) < _KNOWN_NAMES_MAX:
        _known_names[name] = text
    return text
