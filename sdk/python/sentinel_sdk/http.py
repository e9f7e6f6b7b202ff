"""Asking an HTTP service in the middle of a hook. Needs the grant ``http-client``.

The guest is suspended until the answer is there; others are served meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping

from sentinel_sdk import _msgpack
from sentinel_sdk._host import host
from sentinel_sdk._text import encoded
from sentinel_sdk.message import Response


def send(
    method: str,
    url: str,
    headers: Mapping[str, str | bytes] | None = None,
    body: str | bytes = b"",
    timeout: int | None = None,
) -> Response:
    """The whole answer to a request; ``timeout`` is milliseconds. Raises `HttpError`."""
    fields = [[name.lower(), encoded(value)] for name, value in (headers or {}).items()]
    record = [method, url, fields, encoded(body), timeout]
    status, answered, content = _msgpack.unpack(host().http_send(_msgpack.pack(record)))
    return Response(status, [(name, value) for name, value in answered], content)


def get(url: str, headers: Mapping[str, str | bytes] | None = None, timeout: int | None = None) -> Response:
    """`send` with GET."""
    return send("GET", url, headers, timeout=timeout)


def post(
    url: str,
    body: str | bytes,
    headers: Mapping[str, str | bytes] | None = None,
    timeout: int | None = None,
) -> Response:
    """`send` with POST."""
    return send("POST", url, headers, body, timeout)
