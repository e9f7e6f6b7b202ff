"""The one step through which every request of every protocol enters, before any guest sees it.

Rule 1: what two HTTP readers could understand differently is refused, never mended.
Rule 2: what leaves here is what guests see, routes match and upstreams get; nobody looks at the scope again.
Rule 3: hop-by-hop fields, and those that ``Connection`` names, go first, so that a client cannot use them to delete
        what a guest sets. Identity headers and their ``_`` and ``.`` aliases go on every route.
Rule 4: forwarded headers and request ids are believed from trusted peers only.
Rule 5: framing that only raw bytes show is the lane's business; whatever an ASGI scope shows is checked here, because
        requests also arrive over HTTP/2 and through servers that are not ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from random import getrandbits
from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.fields import first_fault
from sentinel_host.grammar import is_authority, without_empty_port
from sentinel_host.http.rules.fields import Field, FieldTable
from sentinel_host.http.rules.forwarded import client_and_scheme
from sentinel_host.http.rules.peers import TrustedPeers
from sentinel_host.messages import Headers, RequestHead
from sentinel_host.paths import PathError, PathRule, is_query

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_VERSIONS: Final = frozenset(("1.1", "1.0", "2", "3"))
_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+").fullmatch
_DIGITS: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_REQUEST_ID_FORM: Final = re.compile(rb"[A-Za-z0-9._-]{1,128}").fullmatch
# A member of an enum costs as much to look up as the whole comparison; these are looked at for every header.
_KEEP: Final = int(Field.KEEP)
_DROP: Final = int(Field.DROP)
_HOST: Final = int(Field.HOST)
_CONNECTION: Final = int(Field.CONNECTION)
_CONTENT_LENGTH: Final = int(Field.CONTENT_LENGTH)
_TRANSFER_ENCODING: Final = int(Field.TRANSFER_ENCODING)
_COOKIE: Final = int(Field.COOKIE)
_FORWARDED: Final = int(Field.FORWARDED)
_REQUEST_ID: Final = int(Field.REQUEST_ID)
_ALIAS: Final = int(Field.ALIAS)
_MAX_FORWARDS: Final = int(Field.MAX_FORWARDS)
_TE: Final = int(Field.TE)
_VOUCHED: Final = int(Field.VOUCHED)

EMPTY_QUERY: Final = "sentinel.empty_query"
"""The scope extension of a target that ended in ``?``, which ASGI's ``query_string`` cannot tell from one without."""

TARGET_SCHEME: Final = "sentinel.target_scheme"
"""The scope extension of an HTTP/2 or HTTP/3 request whose ``:scheme``, its ``scheme``, is not the connection's."""

_NO_EXTENSIONS: Final[Mapping[str, Any]] = {}
_REMEMBERED: Final = 256
# What a Max-Forwards beyond it becomes: RFC 9110 section 7.6.2 speaks of the largest value that a recipient supports.
_MOST_FORWARDS: Final = 10**18 - 1
_OWN_CONNECTION: Final = frozenset((b"", b"close", b"keep-alive", b"upgrade", b"te"))
_PLAIN_CONNECTION: Final = frozenset((b"close", b"keep-alive", b"Keep-Alive", b"Close"))


class Admitted:
    """A request that may enter.

    ``content_length`` is in bytes, ``None`` when not declared; ``has_body`` is false when there certainly is none.
    ``peer`` is the connection's other end, ``head.client`` who stands behind trusted proxies. ``forwarded`` holds the
    forwarded fields of a trusted peer. ``host`` is the authority as the client wrote it. ``may_forward`` is false when
    its Max-Forwards is used up; ``takes_trailers`` is true when the client said so (RFC 9110 section 10.1.4).
    """

    __slots__ = (
        "content_length",
        "forwarded",
        "has_body",
        "head",
        "host",
        "may_forward",
        "peer",
        "takes_trailers",
    )

    def __init__(
        self,
        head: RequestHead,
        host: bytes,
        peer: str,
        has_body: bool,
        content_length: int | None,
        forwarded: Headers,
        may_forward: bool,
        takes_trailers: bool,
    ) -> None:
        self.head = head
        self.host = host
        self.peer = peer
        self.has_body = has_body
        self.content_length = content_length
        self.forwarded = forwarded
        self.may_forward = may_forward
        self.takes_trailers = takes_trailers


class Admission:
    """The rules, configured."""

    def __init__(
        self,
        *,
        identity_headers: list[str],
        trusted: TrustedPeers,
        paths: PathRule,
        refuse_aliases: bool,
    ) -> None:
        self._fields = FieldTable(identity_headers)
        self._trusted = trusted
        self._paths = paths
        self._refuse_aliases = refuse_aliases
        self._authorities: dict[bytes, str] = {}

    def admit(self, scope: Mapping[str, Any]) -> Admitted:
        """Check an ASGI ``http`` scope; the head's route is still empty.

        Raises `ClientError` with the status to answer.
        """
        method: str = scope["method"]
        if method not in _METHODS:
            _check_method(method)
        version: str = scope["http_version"]
        if version not in _VERSIONS:
            version = _understood(version)
        client = scope.get("client")
        peer = client[0] if client else ""
        trusted = peer in self._trusted

        fields = scope["headers"]
        headers: Headers = []
        keep = headers.append
        known = self._fields.known
        special: list[tuple[int, bytes, bytes]] = []
        host = b""
        hosts = 0
        for field in fields:
            kind = known.get(field[0])
            if kind == _KEEP:
                keep(field)
            elif kind == _HOST:
                host = field[1]
                hosts += 1
            elif kind is None:
                kind = self._classify(field[0])
                if kind == _KEEP:
                    keep(field)
                else:
                    special.append((kind, field[0], field[1]))
            elif kind != _DROP and not (kind == _CONNECTION and field[1] in _PLAIN_CONNECTION):
                special.append((kind, field[0], field[1]))
        _check_values(fields)

        content_length: int | None = None
        chunked = False
        named: set[bytes] | None = None
        forwarded: Headers = []
        request_id = ""
        cookies: list[bytes] = []
        forwards: bytes | None = None
        takes_trailers = False
        for kind, name, value in special:
            if kind == _CONNECTION:
                named = (named or set()) | _connection_names(value)
            elif kind == _CONTENT_LENGTH:
                if content_length is not None or not _DIGITS(value):
                    raise ClientError("Content-Length is not one number")
                content_length = int(value)
            elif kind == _TRANSFER_ENCODING:
                if value.lower() != b"chunked" or chunked:
                    raise ClientError("Transfer-Encoding is not chunked", 501)
                chunked = True
            elif kind == _COOKIE:
                cookies.append(value)
            elif kind == _FORWARDED:
                if trusted:
                    forwarded.append((name, value))
            elif kind == _VOUCHED:
                if trusted:
                    keep((name, value))
            elif kind == _MAX_FORWARDS:
                if method != "OPTIONS":
                    keep((name, value))
                elif forwards is not None or not value.isdigit():
                    raise ClientError("Max-Forwards is not one number")
                else:
                    forwards = value
            elif kind == _TE:
                takes_trailers = takes_trailers or (version != "1.0" and _has_member(value, b"trailers"))
            elif kind == _REQUEST_ID:
                if trusted and _REQUEST_ID_FORM(value):
                    request_id = value.decode("ascii")
            elif kind == _ALIAS and self._refuse_aliases:
                raise ClientError(f"header name {name[:64]!r} holds '_' or '.'")
        if chunked and (content_length is not None or version == "1.0"):
            raise ClientError("Transfer-Encoding beside Content-Length, or on HTTP/1.0")
        if cookies:
            # RFC 9113 section 8.2.3: crumbs of one cookie string may travel apart on HTTP/2, and go on as one field.
            keep((b"cookie", b"; ".join(cookies)))
        may_forward = True
        if forwards is not None:
            left = int(forwards) if len(forwards) <= 18 else _many(forwards)
            may_forward = left > 0
            keep((b"max-forwards", b"%d" % max(0, left - 1)))
        if named:
            headers = [field for field in headers if field[0] not in named]

        client_address, stated = peer, ""
        if forwarded:
            client_address, stated = client_and_scheme(self._trusted, peer, forwarded)
        extensions: Mapping[str, Any] = scope.get("extensions") or _NO_EXTENSIONS
        scheme: str = stated or scope["scheme"]
        target: bytes = scope["raw_path"]
        if TARGET_SCHEME in extensions:
            scheme = _scheme(extensions[TARGET_SCHEME]["scheme"], scope["scheme"], stated, trusted)
        elif not target.startswith(b"/"):
            scheme = _scheme(_scheme_of(target), scope["scheme"], stated, trusted)
        query = _query(scope["query_string"], extensions)
        host = without_empty_port(host)
        path = self._target(target, method, host, query)
        if hosts != 1 and (hosts or version != "1.0"):
            raise ClientError(f"{'no' if not hosts else 'more than one'} Host")
        authority = self._authorities.get(host)
        if authority is None:
            authority = self._authority(host) if hosts else ""
        head = RequestHead(
            method=method,
            path=path,
            query=query,
            headers=headers,
            scheme=scheme,
            authority=authority,
            client=client_address,
            request_id=request_id or getrandbits(128).to_bytes(16, "big").hex(),
            route="",
            http_version=version,
        )
        has_body = chunked or bool(content_length) or (content_length is None and version not in ("1.1", "1.0"))
        return Admitted(head, host, peer, has_body, content_length, forwarded, may_forward, takes_trailers)

    def _classify(self, name: bytes) -> int:
        try:
            return self._fields[name]
        except ValueError as error:
            raise ClientError(str(error)) from None

    def _authority(self, host: bytes) -> str:
        """The authority as text; a gateway serves few, so that those seen are remembered, within a bound."""
        if not is_authority(host):
            raise ClientError("Host is not a host with an optional port")
        authority = host.decode("ascii")
        if len(self._authorities) < _REMEMBERED and len(host) <= 64:
            self._authorities[host] = authority
        return authority

    def _target(self, raw: bytes, method: str, host: bytes, query: str | None) -> str:
        """The canonical path (RFC 9112 section 3.2)."""
        if not raw.startswith(b"/"):
            asks_server = method == "OPTIONS" and query is None
            if raw == b"*" and asks_server:
                return "*"
            raw = _absolute(raw, host)
            if not raw:
                # RFC 9112 section 3.2.4: without a path it asks about the server, by whichever form.
                if asks_server:
                    return "*"
                raw = b"/"
        try:
            return self._paths.canonical(raw.decode("ascii"))
        except UnicodeDecodeError:
            raise ClientError("path holds a character that is not ASCII") from None
        except PathError as error:
            raise ClientError(str(error)) from None


def _understood(version: str) -> str:
    """A higher minor version is answered as 1.1 (RFC 9110 section 2.5). Raises `ClientError`."""
    if re.fullmatch(r"1\.[2-9]", version) is None:
        raise ClientError("HTTP version not supported", 505)
    return "1.1"


def _check_method(method: str) -> None:
    if method == "CONNECT":
        raise ClientError("CONNECT is for proxies", 501)
    if method == "TRACE":
        # RFC 9110 section 9.3.8: it would echo what guests added, credentials included.
        raise ClientError("TRACE is not allowed", 405, close=False)
    if not _METHOD(method):
        raise ClientError("method is not a token")


def _check_values(fields: Iterable[tuple[bytes, bytes]]) -> None:
    fault = first_fault(fields)
    if fault >= 0:
        name = list(fields)[fault][0]
        raise ClientError(f"header {name[:64].decode('latin-1')}: value holds a control character")


def _connection_names(value: bytes) -> set[bytes]:
    return {name.strip(b" \t").lower() for name in value.split(b",")} - _OWN_CONNECTION


def _has_member(value: bytes, wanted: bytes) -> bool:
    return wanted in [member.strip(b" \t") for member in value.lower().split(b",")]


def _many(digits: bytes) -> int:
    """A number of many digits, up to a bound: to read thousands of them takes time."""
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= 18 else _MOST_FORWARDS


def _absolute(target: bytes, host: bytes) -> bytes:
    """The path of an absolute-form target, empty where it has none.

    Its authority must be what Host says, as two different ones are two readings.
    """
    authority, slash, path = target.partition(b"://")[2].partition(b"/")
    if not _scheme_of(target) or not authority or without_empty_port(authority).lower() != host.lower():
        raise ClientError("target is neither a path nor a URL of this host")
    return slash + path


def _scheme_of(target: bytes) -> str:
    """The scheme of an absolute-form target, empty where it has none that is HTTP's."""
    scheme = target.partition(b"://")[0].lower()
    return scheme.decode("ascii") if scheme in (b"http", b"https") else ""


def _scheme(targets: str, connections: str, stated: str, trusted: bool) -> str:
    """The request's scheme where its target tells one.

    RFC 9110 section 7.4: unless it comes from a trusted gateway, a target of a scheme that the connection does not have
    is to be refused.
    """
    if not targets or targets in (connections, stated):
        return stated or connections
    if stated or not trusted:
        raise ClientError(f"{targets} is not served on this connection", 421, close=False)
    return targets


def _query(query: bytes, extensions: Mapping[str, Any]) -> str | None:
    if not query:
        return "" if EMPTY_QUERY in extensions else None
    text = query.decode("latin-1")
    if not is_query(text):
        raise ClientError("query holds a character that is not allowed")
    return text
