"""The responses of routes that ask no upstream: fixed ones, and redirects.

Rule 1: a redirect names the host that admission accepted, if it is a name or an address; no other
        text of a client's gets before the path. Its parts are as the guests leave them.
"""

from __future__ import annotations

import mimetypes
import os
import re
from http import HTTPStatus
from typing import Final

from sentinel_host.config import RedirectConfig, RespondConfig
from sentinel_host.config.location import location_parts
from sentinel_host.grammar import host_of, is_host_name
from sentinel_host.http.server.replies import error_reply
from sentinel_host.messages import Headers, RequestHead, Response

_TEXT: Final = "text/plain; charset=utf-8"
_IS_ADDRESS: Final = re.compile(r"\[[0-9a-f:.]+\]").fullmatch


class FixedResponse:
    """Always the same; ``content`` is that of its file, if it has one."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, config: RespondConfig, content: bytes | None) -> None:
        self._status = config.status
        self._body = (config.body or "").encode() if content is None else content
        self._headers: Headers = [(name.encode("ascii"), value.encode()) for name, value in config.headers.items()]
        if self._body and "content-type" not in config.headers:
            self._headers.append((b"content-type", _type_of(config.file).encode("ascii")))

    def response(self, head: RequestHead) -> Response:
        """The response to a request."""
        return Response(self._status, list(self._headers), self._body)


class Redirect:
    """Sends the client to a location that is made of the request."""

    __slots__ = ("_names_host", "_parts", "_status")

    def __init__(self, config: RedirectConfig) -> None:
        self._parts = location_parts(config.to)
        self._names_host = "host" in self._parts[1::2]
        self._status = config.status

    def response(self, head: RequestHead) -> Response:
        """The response to a request."""
        host = host_of(head.authority)
        if self._names_host and not is_host_name(host) and not _IS_ADDRESS(host):
            return error_reply(HTTPStatus.BAD_REQUEST, "Host is neither a name nor an address")
        return Response(self._status, [(b"location", self._location(head, host).encode("ascii"))])

    def _location(self, head: RequestHead, host: str) -> str:
        values = {
            "scheme": head.scheme,
            "host": host,
            # OPTIONS may ask for the server as a whole (RFC 9112 section 3.2.4).
            "path": "/" if head.path == "*" else head.path,
            "query": "" if head.query is None else f"?{head.query}",
        }
        parts = [values[part] if index % 2 else part for index, part in enumerate(self._parts)]
        location = "".join(parts)
        # A path may begin with several slashes where empty segments are kept: the first would then
        # begin a host.
        return f"/.{location}" if location.startswith("//") else location


OwnResponse = FixedResponse | Redirect


def own_response(
    respond: RespondConfig | None, redirect: RedirectConfig | None, content: bytes | None
) -> OwnResponse | None:
    """What a route answers by itself, if it does; ``content`` is that of the file which it
    names.
    """
    if respond is not None:
        return FixedResponse(respond, content)
    return Redirect(redirect) if redirect is not None else None


def _type_of(file: str | None) -> str:
    if file is None:
        return _TEXT
    # Not the module's own function: that reads files of the system, and an ending means the same
    # everywhere.
    kind, encoding = mimetypes.MimeTypes().guess_type(os.path.basename(file))
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
