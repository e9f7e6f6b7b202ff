"""Where a route's requests go beside an upstream, with its defaults.

Every struct is frozen and refuses unknown keys.
"""

from __future__ import annotations

import msgspec


class RespondConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A response that is always the same. Guests and limits of the route run before it."""

    status: int = 200
    """Status, from 200 to 599."""
    headers: dict[str, str] = {}
    """Header fields, in lower case. Without `content-type`, a body is `text/plain;
    charset=utf-8`.
    """
    body: str | None = None
    """The body; by default it is empty."""
    file: str | None = None
    """A file that holds the body, at most 16 MiB. Its name's ending says what `content-type` it
    has.
    """


class RedirectConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another address for the client to ask. Guests and limits of the route run before it."""

    to: str
    """A URL, or a path that begins with `/`. `{scheme}`, `{host}`, `{path}` and `{query}` are those
    of the request.
    """
    # Caddy's redirects to HTTPS: 308, with which clients repeat the method and the body.
    status: int = 308
    """301, 302, 303, 307 or 308."""


class MirrorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another upstream that gets copies of requests. Its answers are dropped, and no request waits
    for it.
    """

    upstream: str
    """Name of the upstream."""
    # Envoy: all, unless `runtime_fraction` says less; nginx: all.
    percent: int = 100
    """Percent of the requests that are copied, chosen by chance. Upgrades are not."""
