"""Admission: every request of every protocol passes it before any guest sees the request.

Rule 1: an ambiguous request is refused, never repaired.
Rule 2: guests, routes and upstreams all see the result; the scope is not read again.
Rule 3: hop-by-hop fields, and those that ``Connection`` names, go first, so that a client cannot
        use them to delete what a guest sets. Identity headers and their ``_`` and ``.`` aliases go
        on every route.
Rule 4: forwarded headers and request ids are believed from trusted peers only.
Rule 5: the HTTP/1 connection checks the framing that only raw bytes show. What an ASGI scope shows
        is checked here, because requests also arrive over HTTP/2 and through servers that are not
        ours.
"""

from __future__ import annotations

import re
from typing import Any, Final

from sentinel_host.errors import ClientError
from sentinel_host.grammar import host_of, is_authority, is_token_text, without_empty_port
from sentinel_host.http.rules.admitted import Admitted
from sentinel_host.http.rules.fields import field_names
from sentinel_host.http.rules.forwarded import client_and_scheme
from sentinel_host.http.rules.peers import TrustedPeers
from sentinel_host.http.rules.request_ids import RequestIds
from sentinel_host.http.rules.special import NO_SPECIAL_FIELDS, SpecialFields
from sentinel_host.http.rules.target import path_of, query_of, scheme_of
from sentinel_host.memo import Memo
from sentinel_host.messages import RequestHead
from sentinel_host.paths import PathRule

_METHODS: Final = frozenset(("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"))
_VERSIONS: Final = frozenset(("1.1", "1.0", "2", "3"))
# `TLS` of `sentinel_host.http.server`, which is above this layer.
_TLS: Final = "sentinel.tls"
# `NO_BODY` there.
_NO_BODY: Final = "sentinel.no_body"
_NO_EXTENSIONS: Final[dict[str, Any]] = {}
# A gateway serves few authorities; the longest that is kept is 64 bytes.
_AUTHORITIES: Final = 256

# One of a process: every object would be remembered for as long as it forks.
_ids: Final = RequestIds()


class Admission:
    """The rules, configured."""

    def __init__(
        self,
        *,
        identity_headers: list[str],
        trusted: TrustedPeers,
        paths: PathRule,
        refuse_aliases: bool,
        traced: bool = False,
    ) -> None:
        self._sort = field_names(identity_headers, traced=traced).sort_request
        self._trusted = trusted
        self._paths = paths
        self._refuse_aliases = refuse_aliases
        self._authorities: Memo[bytes, str] = Memo(_AUTHORITIES, 64)

    def admit(self, scope: dict[str, Any]) -> Admitted:
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
        peer: str = client[0] if client else ""
        trusted = peer in self._trusted

        try:
            headers, special, written = self._sort(scope["headers"])
        except ValueError as error:
            raise ClientError(str(error)) from None
        says = NO_SPECIAL_FIELDS
        if special is not None:
            says = SpecialFields()
            says.read(special, headers, method, version, trusted, self._refuse_aliases)

        address, stated = peer, ""
        if says.forwarded:
            address, stated = client_and_scheme(self._trusted, peer, says.forwarded)
        extensions: dict[str, Any] = scope.get("extensions") or _NO_EXTENSIONS
        target: bytes = scope["raw_path"]
        scheme = scheme_of(target, scope["scheme"], stated, trusted, extensions)
        query = query_of(scope["query_string"], extensions)
        host = b"" if written is None else without_empty_port(written)
        path = path_of(target, method, host, query, self._paths)
        if says.has_more_hosts or (written is None and version != "1.0"):
            raise ClientError(f"{'more than one' if says.has_more_hosts else 'no'} Host")
        authority = self._authorities.known.get(host)
        if authority is None:
            authority = "" if written is None else self._authority(host)
        tls = extensions.get(_TLS)
        certificate: bytes | None = None
        if tls is not None:
            certificate = tls["client_certificate"]
            serves = tls["serves"]
            if serves is not None and not serves(host_of(authority)):
                raise ClientError("the certificate of this connection is not the one of this host", 421, close=False)
        head = RequestHead(
            method=method,
            path=path,
            query=query,
            headers=headers,
            scheme=scheme,
            authority=authority,
            client=address,
            request_id=says.request_id or _ids.next(),
            route="",
            http_version=version,
            client_certificate=certificate,
        )
        length = says.content_length
        has_body = (
            says.chunked or bool(length) or (length is None and version not in ("1.1", "1.0") and _NO_BODY not in scope)
        )
        return Admitted(
            head,
            host,
            peer,
            has_body,
            length,
            says.forwarded,
            says.may_forward,
            says.takes_trailers,
            says.observed,
            not says.request_id,
        )

    def _authority(self, host: bytes) -> str:
        """The authority as text."""
        if not is_authority(host):
            raise ClientError("Host is not a host with an optional port")
        authority = host.decode("ascii")
        self._authorities.keep(host, authority)
        return authority


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
    if not is_token_text(method):
        raise ClientError("method is not a token")
