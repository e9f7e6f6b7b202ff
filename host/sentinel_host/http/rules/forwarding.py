"""What an upstream is told about the client: X-Forwarded-*, Forwarded (RFC 7239), Via (RFC 9110 section 7.6.3)."""

from __future__ import annotations

from sentinel_host.http.rules.admission import Admitted
from sentinel_host.messages import Headers

_PSEUDONYM = b"sentinel"
_WRITTEN = frozenset(
    (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"via", b"x-request-id")
)


class Forwarding:
    """Adds the fields that describe the way a request took; what trusted proxies said before is kept in front."""

    def __init__(self) -> None:
        self._via = {version: b"%s %s" % (version.encode(), _PSEUDONYM) for version in ("1.0", "1.1", "2", "3")}

    def add(self, headers: Headers, admitted: Admitted) -> None:
        """Append to ``headers``. Admission has taken off what the client said; what guests set under these names goes
        too, for two values would be two answers to who the client is."""
        head = admitted.head
        peer = admitted.peer.encode("ascii", "replace")
        scheme = head.scheme.encode("ascii")
        node = b'"[%s]"' % peer if b":" in peer else peer or b"unknown"
        element = b"for=%s;host=%s;proto=%s" % (node, _quoted(admitted.host), scheme)
        via = self._via[head.http_version]
        forwarded_for = peer
        if admitted.forwarded:
            forwarded_for = _prepend(admitted.forwarded, b"x-forwarded-for", peer)
            element = _prepend(admitted.forwarded, b"forwarded", element)
        others = [field for field in headers if field[0] not in _WRITTEN]
        if len(others) != len(headers):
            via = b", ".join([*(value for name, value in headers if name == b"via"), via])
            headers[:] = others
        headers += (
            (b"x-forwarded-for", forwarded_for),
            (b"x-forwarded-proto", scheme),
            (b"x-forwarded-host", _first(admitted.forwarded, b"x-forwarded-host") or admitted.host),
            (b"forwarded", element),
            (b"via", via),
            (b"x-request-id", head.request_id.encode("ascii")),
        )


def _prepend(forwarded: Headers, wanted: bytes, last: bytes) -> bytes:
    return b", ".join([*(value for name, value in forwarded if name == wanted), last])


def _first(forwarded: Headers, wanted: bytes) -> bytes:
    return next((value for name, value in forwarded if name == wanted), b"")


def _quoted(host: bytes) -> bytes:
    # RFC 7239 section 4: a value that is no token stands in quotes; a port or an IPv6 literal makes it none.
    return b'"%s"' % host if b":" in host or not host else host
