"""Every error that Sentinel raises on purpose, by whose fault it is.

The tree names the culprit: the operator's configuration, a guest's file, a guest's behaviour, an
upstream or a client. The class of an error has its HTTP status, so that no other module translates.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class SentinelError(Exception):
    """The root; its text is one line that names the file, key, header or import at fault."""

    status: int = 500


class ConfigError(SentinelError):
    """The configuration file, or an option of the command line, is wrong: it names the file and the
    key path.
    """


class GuestsRefuse(ConfigError):
    """Serving guests do not start with this configuration, or are missing: ``guests`` says why, by
    name.
    """

    def __init__(self, faults: dict[str, str]) -> None:
        super().__init__("; ".join(f"guest {name}: {reason}" for name, reason in faults.items()))
        self.guests = dict(faults)


class ToolchainError(SentinelError):
    """A tool for building guests is missing or refused to work; the text may have several lines and
    says what to do.
    """


class GuestLoadError(SentinelError):
    """A guest artefact cannot be loaded: it names the file and the import, export, section or hook
    at fault.
    """


class GuestError(SentinelError):
    """A guest failed while it handled a request.

    ``guest`` and ``hook`` say where; ``backtrace`` holds the Wasm frames, innermost first, when the
    engine gave any.
    """

    status = 503

    def __init__(self, guest: str, hook: str, reason: str, backtrace: tuple[str, ...] = ()) -> None:
        super().__init__(f"guest {guest}: {hook}: {reason}")
        self.guest = guest
        self.hook = hook
        self.reason = reason
        self.backtrace = backtrace


class GuestTrap(GuestError):
    """The guest trapped: unreachable code, an access out of bounds, exhausted stack, an abort."""


class GuestTimeout(GuestError):
    """The guest used up its deadline."""


class GuestProtocolError(GuestError):
    """The guest answered with something that the contract does not allow: pointers, MessagePack,
    headers.
    """


class GuestUnavailable(GuestError):
    """The guest was not called. That counts as a failure, whatever ``on_failure`` says: a flood
    must not disable a guest.

    ``retry_after`` is whole seconds.
    """

    def __init__(self, guest: str, hook: str, reason: str, retry_after: int) -> None:
        super().__init__(guest, hook, reason)
        self.retry_after = retry_after


class GuestBusy(GuestUnavailable):
    """All instances of the guest are in use, and the wait timed out or the queue is full; or memory
    is short.
    """

    def __init__(self, guest: str, reason: str, hook: str = "start") -> None:
        super().__init__(guest, hook, reason, 1)


class GuestQuarantined(GuestUnavailable):
    """The guest failed too often, and is not called for a while."""

    def __init__(self, guest: str, hook: str, retry_after: int) -> None:
        super().__init__(guest, hook, "is in quarantine", retry_after)


UPSTREAM_FAILURES: Final = {
    "name": "the target's name could not be looked up",
    "connect": "no connection: refused, or no route to it",
    "tls": "the TLS handshake failed, or the certificate was not accepted",
    "timeout": "no connection, response head or next piece of the body in time",
    "reset": "the connection ended before the response did",
    "malformed": "the response is not HTTP, or has two readings",
    "too-large": "the response's body is larger than a guest takes",
    "busy": "all connections that may be opened stayed in use",
    "denied": "none of the addresses may be connected to; only calls of guests",
    "closed": "the gateway has closed the upstream's connections",
    "unavailable": "no endpoint may be used: each is down, draining or ejected, or was tried in vain",
    "overloaded": "the upstream's breaker allows no more requests at a time",
}
"""The kinds of failures of upstreams, as metrics have them. Words are added; none changes its
meaning.
"""


class Progress(IntEnum):
    """How far a request to an upstream came before it failed, which decides whether it may be sent
    again.

    RFC 9110 section 9.2.2 and RFC 9112 section 9.3.1.
    """

    UNSENT = 0
    """Not a byte was written: the request may go out again, whatever its method."""
    SENT = 1
    """Some or all of it was written, and not a byte of an answer came."""
    ANSWERED = 2
    """An interim response came, or the beginning of a head."""
    RESPONDED = 3
    """The head of the final response came."""


class UpstreamError(SentinelError):
    """An upstream refused, broke off or did not speak HTTP.

    ``kind`` is one of `UPSTREAM_FAILURES`; ``progress`` is what the upstream may have seen of the
    request. ``has_read`` says that the request's body was read from its source: even a request of
    which the upstream has seen nothing can then go out again only where its body is kept.
    """

    status = 502
    has_read = False

    def __init__(self, reason: str, kind: str = "reset", progress: Progress = Progress.RESPONDED) -> None:
        super().__init__(reason)
        self.kind = kind
        self.progress = progress


class UpstreamDenied(UpstreamError):
    """The name has an address that must not be connected to."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "denied", Progress.UNSENT)


class NotHttp2(UpstreamError):
    """The upstream ``target`` was asked for HTTP/2, and negotiated something else, or nothing."""

    def __init__(self, target: str, chosen: str | None) -> None:
        super().__init__(
            f"upstream {target}: it does not speak HTTP/2: ALPN chose {chosen or 'nothing'}", "tls", Progress.UNSENT
        )
        self.target = target
        self.chosen = chosen


class UpstreamTimeout(UpstreamError):
    """An upstream did not accept a connection or answer in time."""

    status = 504

    def __init__(self, reason: str, progress: Progress) -> None:
        super().__init__(reason, "timeout", progress)


class UpstreamBusy(UpstreamError):
    """Every connection that the pool may open is in use, and the wait for one ran out."""

    status = 503
    retry_after = 1

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "busy", Progress.UNSENT)


class UpstreamUnavailable(UpstreamError):
    """No endpoint of an upstream may be used. ``retry_after`` is whole seconds."""

    status = 503

    def __init__(self, reason: str, retry_after: int) -> None:
        super().__init__(reason, "unavailable", Progress.UNSENT)
        self.retry_after = retry_after


class UpstreamOverloaded(UpstreamError):
    """The breaker: too many requests are under way to the upstream, or wait for a connection."""

    status = 503
    retry_after = 1

    def __init__(self, reason: str) -> None:
        super().__init__(reason, "overloaded", Progress.UNSENT)


class ClientError(SentinelError):
    """The request cannot be served as it was sent.

    ``status`` is per instance, 400 by default. ``close`` is true if the rest of the connection's
    bytes cannot be trusted.
    """

    status = 400

    def __init__(self, reason: str, status: int = 400, *, close: bool = True) -> None:
        super().__init__(reason)
        self.status = status
        self.close = close


class ClientGone(ClientError):
    """The client went away before its request was complete."""


class ResponseAborted(SentinelError):
    """The response broke off after its head went out: the connection or stream must end without a
    proper last chunk.

    An application raises it to its server. RFC 9112 section 8 says how clients detect an incomplete
    message.
    """
