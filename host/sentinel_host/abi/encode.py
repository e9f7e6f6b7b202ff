"""The records that guests get, in MessagePack, by the rules of ``wit/ABI.md`` section 3.

They are encoded from the gateway's own values and need no checks. ``decode`` checks answers.
"""

from __future__ import annotations

from typing import Any, Final

import msgpack

from sentinel_host.fields import pack_record
from sentinel_host.messages import Headers, RequestHead, ResponseHead, Summary

# A name of this module's own is found faster.
_pack_record: Final = pack_record


def encode_config(config: dict[str, Any]) -> bytes:
    """The one MessagePack map that ``configure`` gets; dates and times become RFC 3339 text."""
    packer = msgpack.Packer(use_bin_type=True, default=_config_default)
    data: bytes = packer.pack(config)
    return data


def encode_request_head(head: RequestHead) -> bytes:
    """``request-head`` for ``on-request``."""
    return _pack_record(*request_values(head))


def request_values(head: RequestHead) -> tuple[Any, ...]:
    """The values of a ``request-head``. Trailing ones that are absent are left out."""
    certificate = head.client_certificate
    # A tuple holds a value that is packed already.
    packed: tuple[Any, ...] = () if certificate is None else ((certificate,),)
    return (
        head.method,
        head.path,
        head.query,
        head.headers,
        head.scheme,
        head.authority,
        head.client,
        head.request_id,
        head.route,
        head.http_version,
        *packed,
    )


def encode_response_head(head: ResponseHead) -> bytes:
    """``response-head`` for ``on-response``."""
    return _pack_record(head.status, head.headers, head.origin)


def encode_summary(summary: Summary) -> bytes:
    """``summary`` for ``on-complete``."""
    return _pack_record(
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
        summary.endpoint,
        summary.tries,
    )


def encode_response(status: int, headers: Headers, body: bytes) -> bytes:
    """``response``, as an HTTP service answers a guest."""
    return _pack_record(status, headers, body)


def _config_default(value: object) -> str:
    isoformat = getattr(value, "isoformat", None)
    if isoformat is None:
        raise TypeError(f"a configuration cannot hold {type(value).__name__}")
    return str(isoformat())
