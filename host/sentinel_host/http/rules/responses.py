"""The fields of an upstream's response that are passed on to the client."""

from __future__ import annotations

from typing import Final

from sentinel_host.fields import FieldNames
from sentinel_host.grammar import HOP_BY_HOP
from sentinel_host.messages import Headers

# Content-Length stays: it is checked against the bytes on both sides. The request id is the
# gateway's own to tell.
_NOT_PASSED_ON: Final = HOP_BY_HOP | {b"x-request-id"}
# Fields that frame, route or authenticate a message mean nothing good after its body (RFC 9110
# section 6.5.1).
_NOT_IN_TRAILERS: Final = _NOT_PASSED_ON | frozenset(
    (b"content-length", b"host", b"content-encoding", b"content-type", b"content-range", b"authorization")
)

# The numbers are those of `FieldNames.pass_on`.
_pass_on: Final = FieldNames({**dict.fromkeys(_NOT_PASSED_ON, 1), b"connection": 2}).pass_on


def end_to_end(headers: Headers) -> Headers:
    """The fields that concern the client, without those that ``Connection`` names."""
    kept = _pass_on(headers)
    if kept is not None:
        return kept
    dropped = set(_NOT_PASSED_ON)
    for name, value in headers:
        if name == b"connection":
            dropped.update([token.strip(b" \t").lower() for token in value.split(b",")])
    return [field for field in headers if field[0] not in dropped]


def end_to_end_trailers(trailers: Headers) -> Headers:
    """The trailer fields that may be passed on."""
    return [field for field in trailers if field[0] not in _NOT_IN_TRAILERS]
