"""Which request heads are accepted: the rules of the bytes, before any meaning.

Rule 1: The result depends on the bytes alone, never on how they were cut into reads. A head ends at
        its first empty line, bare line feeds included. The request line is checked first, then the
        size, then the fields.
Rule 2: One function accepts heads (`read_head`, in C): lines that end in CR LF, of which the first
        is `_REQUEST_LINE`, the last is empty and all others are `FIELD`s. Any other head is refused
        with its fault; nothing is repaired. There are two exceptions. RFC 9112 2.2: a single CRLF
        before the request line is skipped. RFC 9110 2.5: a later HTTP/1.x is read as 1.1
        (`as_http11`).
Rule 3: llhttp parses the accepted head and must agree. By itself llhttp accepts Transfer-Encoding
        on HTTP/1.0, `gzip, chunked`, HTTP/0.9, RTSP, a second space, a fragment, and a missing
        Host: these are refused here. A plain head (`read_request`, in C) is read without either:
        `read_head`, llhttp and `framing` say the same of it.
Rule 4: The message's length comes from exactly one place: one Content-Length of digits, or one
        `chunked`, or none.
Rule 5: This module knows bytes and limits only: no socket, no clock, no parser object.
"""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.errors import ClientError
from sentinel_host.fields import read_head
from sentinel_host.grammar import FIELD, MAX_LENGTH_DIGITS, TARGET, TOKEN, is_token
from sentinel_host.http.methods import METHODS
from sentinel_host.http.server.limit_exceeded import LimitExceeded

_REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb") (" + TARGET + rb") HTTP/1\.[01]\r\n")
_LATER_VERSION: Final = re.compile(TOKEN + rb" " + TARGET + rb" HTTP/1\.([2-9])\r\n")
_OTHER_VERSION: Final = re.compile(TOKEN + rb" " + TARGET + rb" HTTP/[0-9]++(?:\.[0-9]++)?\r\n")
_END: Final = re.compile(rb"\n\r?\n")
_CODINGS: Final = re.compile(rb"[ \t]*" + TOKEN + rb"(?:[ \t]*,[ \t]*" + TOKEN + rb")*+[ \t]*")

# The fields that decide framing and the connection's life; everything else is only carried.
FRAMING_FIELDS: Final = frozenset((b"host", b"content-length", b"transfer-encoding", b"connection", b"expect"))

CHUNKED: Final = -1


def framing(fields: list[tuple[bytes, bytes]], http11: bool) -> tuple[int, bool, bool]:
    """The body's length (`CHUNKED`, 0 for none), whether to close after the answer, whether
    100-continue is awaited.

    ``fields`` are those of a request whose names are in `FRAMING_FIELDS`, names lower-case, values
    stripped. Raises `ClientError` for every ambiguity (RFC 9112 6.1, 6.3, 3.2; RFC 9110 10.1.1).
    """
    hosts = 0
    length = -2
    chunked = expects = closed = False
    kept = http11
    for name, value in fields:
        if name == b"host":
            hosts += 1
        elif name == b"connection":
            options = [option.strip() for option in value.lower().split(b",")]
            closed = closed or b"close" in options
            kept = kept or b"keep-alive" in options
        elif name == b"content-length":
            if length != -2:
                raise ClientError("several Content-Length fields")
            if not value.isdigit() or len(value) > MAX_LENGTH_DIGITS:
                raise ClientError("Content-Length is not a number")
            length = int(value)
        elif name == b"transfer-encoding":
            if chunked:
                raise ClientError("several Transfer-Encoding fields")
            if not http11:
                raise ClientError("Transfer-Encoding on HTTP/1.0")
            _only_chunked(value.lower())
            chunked = True
        elif value.lower() == b"100-continue":
            expects = http11
        else:
            raise ClientError("an expectation other than 100-continue", 417)
    # RFC 9112 9.3: `close` wins over everything, in whatever field; `keep-alive` speaks for
    # HTTP/1.0.
    close = closed or not kept
    if hosts != 1 and (http11 or hosts):
        raise ClientError("several Host fields" if hosts else "no Host field")
    if chunked:
        if length != -2:
            raise ClientError("both Content-Length and Transfer-Encoding")
        return CHUNKED, close, expects
    if length > 0:
        return length, close, expects
    return 0, close, False


def _only_chunked(value: bytes) -> None:
    if value == b"chunked":
        return
    codings = [coding.strip() for coding in value.split(b",")]
    if _CODINGS.fullmatch(value) and codings[-1] == b"chunked" and codings.count(b"chunked") == 1:
        raise ClientError("a transfer coding other than chunked", 501)
    raise ClientError("Transfer-Encoding is not chunked")


def refusal(data: bytes, head_bytes: int, header_count: int) -> ClientError | None:
    """Why the head at the start of ``data`` is refused; None if it is incomplete and valid so far.

    Slow and exact, for heads that `read_head` did not accept at once: cut into reads, too large,
    malformed, wrongly framed.
    """
    line_end = data.find(b"\n", 0, head_bytes) + 1
    if not line_end:
        return LimitExceeded("head_bytes", "request line too long", 414) if len(data) >= head_bytes else None
    wrong = _request_line_refusal(data[:line_end])
    if wrong is not None:
        return wrong
    end = _END.search(data, 0, head_bytes)
    if end is None:
        return LimitExceeded("head_bytes", "request head too large", 431) if len(data) >= head_bytes else None
    head = data[: end.end()]
    if head.count(b"\n") - 2 > header_count:
        return LimitExceeded("header_count", "too many header fields", 431)
    if read_head(head, len(head), len(head)) is None:
        return ClientError(_field_fault(head[line_end:]))
    fields = [(name.lower(), value.strip()) for name, value in FIELD.findall(head, line_end)]
    try:
        framing([field for field in fields if field[0] in FRAMING_FIELDS], head[line_end - 3 : line_end - 2] == b"1")
    except ClientError as error:
        return error
    return None


def as_http11(data: bytes) -> bytes | None:
    """``data`` with 1.1 in its first line in place of a later HTTP/1.x (RFC 9110 2.5); None for any
    other line.
    """
    match = _LATER_VERSION.match(data)
    return None if match is None else data[: match.start(1)] + b"1" + data[match.end(1) :]


def _request_line_refusal(line: bytes) -> ClientError | None:
    match = _REQUEST_LINE.fullmatch(line)
    if match is not None:
        if match[1] in METHODS:
            return None
        return ClientError("method not implemented", 501)
    if not line.endswith(b"\r\n"):
        return ClientError("bare line feed in the request line")
    if _OTHER_VERSION.fullmatch(line) is not None:
        return ClientError("HTTP version not supported", 505)
    return ClientError("malformed request line")


def _field_fault(fields: bytes) -> str:
    for line in fields.splitlines(keepends=True):
        if FIELD.fullmatch(line) is None and line != b"\r\n":
            if not line.endswith(b"\r\n"):
                return "bare carriage return or line feed in the header section"
            if line[:1] in b" \t":
                return "folded header line"
            name, colon, _ = line.partition(b":")
            if not colon or is_token(name) is None:
                return "malformed header name"
            return "control character in a header value"
    return "malformed header section"
