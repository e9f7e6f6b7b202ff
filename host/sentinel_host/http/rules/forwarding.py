"""What an upstream is told about the client: X-Forwarded-*, Forwarded (RFC 7239), Via (RFC 9110 section 7.6.3)."""

from __future__ import annotations

import re
from typing import Final

from sentinel_host.http.rules.admission import Admitted
from sentinel_host.messages import Headers

_TOKEN: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_PSEUDONYM: Final = b"sentinel"
_WRITTEN: Final = frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via", b"x-request-id")
)


# Clients come back, and connections carry many requests: what is said of them is the same each time.
_REMEMBERED: Final = 1024


class Forwarding:
    """Adds the fields that describe the way a request took; what trusted proxies said before is kept in front."""

    def __init__(self) -> None:
        self._via = {version: b"%s %s" % (version.encode(), _PSEUDONYM) for version in ("1.0", "1.1", "2", "3")}
        self._known: dict[tuple[str, bytes, str, str], tuple[tuple[bytes, bytes], ...]] = {}

    def add(self, headers: Headers, admitted: Admitted) -> None:
        """Append to ``headers``. Admission has taken off what the client said; what guests set under these names goes
        too, for two values would be two answers to who the client is."""
        head = admitted.head
        via = b""
        for field in headers:
            if field[0] in _WRITTEN:
                via = b", ".join([value for name, value in headers if name == b"via"])
                headers[:] = [field for field in headers if field[0] not in _WRITTEN]
                break
        if via or admitted.forwarded:
            headers += self._fields(admitted, via)
        else:
            key = (admitted.peer, admitted.host, head.scheme, head.http_version)
            known = self._known.get(key)
            if known is None:
                if len(self._known) >= _REMEMBERED:
                    self._known.clear()
                known = self._known[key] = self._fields(admitted, via)
            headers += known
        headers.append((b"x-request-id", head.request_id.encode("ascii")))

    def _fields(self, admitted: Admitted, earlier_via: bytes) -> tuple[tuple[bytes, bytes], ...]:
        head, forwarded = admitted.head, admitted.forwarded
        peer = admitted.peer.encode("ascii", "replace")
        scheme = head.scheme.encode("ascii")
        node = b'"[%s]"' % peer if b":" in peer else peer or b"unknown"
        element = b"for=%s;host=%s;proto=%s" % (node, _quoted(admitted.host), scheme)
        via = self._via[head.http_version]
        return (
            (b"x-forwarded-for", _joined(forwarded, b"x-forwarded-for", peer)),
            (b"x-forwarded-proto", scheme),
            (b"x-forwarded-host", _joined(forwarded, b"x-forwarded-host") or admitted.host),
            (b"forwarded", _joined(forwarded, b"forwarded", element)),
            (b"via", b"%s, %s" % (earlier_via, via) if earlier_via else via),
        )


def _joined(forwarded: Headers, wanted: bytes, *last: bytes) -> bytes:
    return b", ".join([*(value for name, value in forwarded if name == wanted and value), *last])


def _quoted(host: bytes) -> bytes:
    # RFC 7239 section 4: a value that is no token stands in quotes; a port or an IPv6 literal makes it none.
    return host if _TOKEN(host) else b'"%s"' % host
