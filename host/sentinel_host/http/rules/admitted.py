"""A request that may enter, in the form that everything after admission works on."""

from __future__ import annotations

from sentinel_host.http.rules.special import ObservedFields
from sentinel_host.messages import Headers, RequestHead


class Admitted:
    """A request that may enter.

    ``content_length`` is in bytes, ``None`` when not declared; ``has_body`` is false when there
    certainly is none. ``peer`` is the connection's other end, ``head.client`` the client behind
    trusted proxies. ``forwarded`` holds the forwarded fields of a trusted peer. ``host`` is the
    authority as the client wrote it. ``may_forward`` is false when its Max-Forwards is used up;
    ``takes_trailers`` is true when the client said so (RFC 9110 section 10.1.4). ``observed`` is
    what the request says to whoever records requests, if it says anything. ``has_own_id`` is true
    when its id was made here, and not by a trusted peer.
    """

    __slots__ = (
        "content_length",
        "forwarded",
        "has_body",
        "has_own_id",
        "head",
        "host",
        "may_forward",
        "observed",
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
        observed: ObservedFields | None = None,
        has_own_id: bool = False,
    ) -> None:
        self.head = head
        self.host = host
        self.peer = peer
        self.has_body = has_body
        self.content_length = content_length
        self.forwarded = forwarded
        self.may_forward = may_forward
        self.takes_trailers = takes_trailers
        self.observed = observed
        self.has_own_id = has_own_id
