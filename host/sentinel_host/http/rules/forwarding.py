"""What an upstream is told about the client: X-Forwarded-*, Forwarded (RFC 7239), Via (RFC 9110
section 7.6.3).
"""

from __future__ import annotations

from typing import Final

from sentinel_host.fields import FieldNames
from sentinel_host.grammar import is_token
from sentinel_host.http.rules.admitted import Admitted
from sentinel_host.memo import Memo
from sentinel_host.messages import Headers

_PSEUDONYM: Final = b"sentinel"
_WRITTEN: Final = frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via", b"x-request-id")
)
_has_written: Final = FieldNames(dict.fromkeys(_WRITTEN, 1)).has_any

# Clients return, and connections carry many requests, with the same fields each time.
_KEPT: Final = 1024


class Forwarding:
    """Adds the fields that describe the way a request took; what trusted proxies said before is
    kept in front.
    """

    def __init__(self) -> None:
        self._via = {version: b"%s %s" % (version.encode(), _PSEUDONYM) for version in ("1.0", "1.1", "2", "3")}
        self._known: Memo[tuple[str, bytes, str, str], tuple[tuple[bytes, bytes], ...]] = Memo(_KEPT)

    def add(self, headers: Headers, admitted: Admitted) -> None:
        """Append to ``headers``. Admission has taken off what the client said; what guests set
        under these names goes too, for two values would be two answers to who the client is.
        """
        head = admitted.head
        via = b""
        if _has_written(headers):
            via = b", ".join([value for name, value in headers if name == b"via"])
            headers[:] = [field for field in headers if field[0] not in _WRITTEN]
        if via or admitted.forwarded:
            headers += self._fields(admitted, via)
        else:
            key = (admitted.peer, admitted.host, head.scheme, head.http_version)
            known = self._known.known.get(key)
            if known is None:
                known = self._fields(admitted, via)
                self._known.keep(key, known)
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
    # RFC 7239 section 4: a value that is no token stands in quotes; a port or an IPv6 literal makes
    # it none.
    return host if is_token(host) else b'"%s"' % host
