"""Several guests under test in a chain, run by the gateway's own pipeline."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sentinel_host.errors import GuestError, GuestProtocolError, SentinelError
from sentinel_host.gateway.answers import refusal
from sentinel_host.messages import (
    Origin,
    Outcome,
    RequestAction,
    Response,
    ResponseAction,
    ResponseHead,
    Summary,
)
from sentinel_host.pipeline import Chain, ChainRun, Middleware
from sentinel_host.pipeline.filters import LocalReply
from sentinel_host.pipeline.middleware import BodyAction, BodyHook
from sentinel_host.testing.guest import ClientCertificate, Fields, Result, TestedGuest, pairs, request_head, shown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ChainResult:
    """What the client gets of a chain: ``status``, ``headers`` and ``body``.

    ``sent`` is what the upstream got, None if it got nothing; ``origin`` tells who answered:
    ``upstream``, ``guest`` or ``gateway``. ``logs`` are each guest's lines by its name.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    origin: str
    sent: Result | None
    logs: dict[str, tuple[tuple[str, str], ...]]

    def header(self, name: str) -> str | None:
        """The first value of a header field, whatever the name's case."""
        return next((value for key, value in self.headers if key == name.lower()), None)


class TestedChain:
    """Guests in the order of a route's ``chain``. Those named in ``on_failure_open`` are skipped
    when they fail.
    """

    __test__ = False

    def __init__(self, *guests: TestedGuest, on_failure_open: Sequence[str] = ()) -> None:
        self._guests = guests
        places: list[Middleware] = [_Place(guest, guest.name in on_failure_open) for guest in guests]
        self._chain = Chain(places, refusal)

    def request(
        self,
        method: str = "GET",
        target: str = "/",
        headers: Fields = (),
        body: bytes = b"",
        *,
        response: tuple[int, Fields, bytes] = (200, (), b""),
        client_certificate: ClientCertificate | None = None,
        **head: str,
    ) -> ChainResult:
        """A request through the chain and back: ``response`` is what the upstream answers: status,
        headers, body.
        """
        message = request_head(method, target, headers, head, client_certificate)
        run = ChainRun(self._chain, message.request_id, message.client)
        sent = None
        try:
            hooks = run.on_request(message)
            answer = None if hooks is None else _finished(hooks)
            if answer is None and run.asked_request:
                body = _finished(run.request_body(message).whole(body))
            if answer is None:
                sent = Result(
                    "continue",
                    shown(message.headers),
                    body=body,
                    method=message.method,
                    path=message.path,
                    query=message.query,
                    upstream=run.upstream,
                )
        except LocalReply as reply:
            answer = reply.head, reply.body
        except SentinelError as error:
            answer = _refused(error)
        if answer is None:
            status, fields, content = response
            answer = ResponseHead(status, pairs(fields), Origin.UPSTREAM), content
        back, content = answer
        try:
            after = run.on_response(back)
            replaced = None if after is None else _finished(after)
            content = content if replaced is None else replaced
            if run.asked_response:
                content = _finished(run.response_body(back).whole(content))
        except LocalReply as reply:
            back, content = reply.head, reply.body
        except SentinelError as error:
            back, content = _refused(error)
        run.on_complete(_summary(message.request_id, method, target, back, body, content))
        run.close()
        logs = {guest.name: guest.take_logs() for guest in self._guests}
        return ChainResult(back.status, shown(back.headers), content, back.origin.name.lower(), sent, logs)


class _Place:
    """A guest in a chain. `sentinel_host.pipeline.Middleware`."""

    def __init__(self, guest: TestedGuest, is_open: bool) -> None:
        self._guest = guest
        self.name = guest.name
        self.on_failure = "open" if is_open else "closed"
        self.direct = None
        self.handles_request = "on-request" in guest.hooks
        self.handles_response = "on-response" in guest.hooks
        self.handles_completion = "on-complete" in guest.hooks

    def on_request(self, record: bytes, request_id: bytes, client: str) -> RequestAction | None:
        """The guest's own."""
        return self._guest.call_request(record)

    def on_response(self, record: bytes, context: bytes, request_id: bytes, client: str) -> ResponseAction | None:
        """The guest's own."""
        return self._guest.call_response(record, context)

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> None:
        """The guest's own."""
        self._guest.call_complete(record, context)

    def request_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The guest's own."""
        return _Body(self._guest, "on-request-chunk", context)

    def response_body(self, context: bytes, request_id: bytes, client: str) -> BodyHook:
        """The guest's own."""
        return _Body(self._guest, "on-response-chunk", context)


class _Body:
    """`sentinel_host.pipeline.middleware.BodyHook`."""

    def __init__(self, guest: TestedGuest, hook: str, context: bytes) -> None:
        self._guest = guest
        self._hook = hook
        self._context = context

    def on_chunk(self, chunk: bytes, last: bool) -> BodyAction | None:
        """The guest's own."""
        return self._guest.call_chunk(self._hook, chunk, last, self._context)

    def close(self) -> None:
        """Nothing is kept."""

    def broke(self, reason: str) -> GuestError:
        """Not counted: nobody asks."""
        return GuestProtocolError(self._guest.name, self._hook, reason)


def _finished(coroutine: Coroutine[Any, Any, T]) -> T:
    """What never waits, because stand-ins answer at once: whether or not an event loop runs
    here.
    """
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("a guest under test waits")


def _refused(error: SentinelError) -> tuple[ResponseHead, bytes]:
    response: Response = refusal(error)
    return ResponseHead(response.status, response.headers, Origin.GATEWAY), response.body


def _summary(request_id: str, method: str, target: str, head: ResponseHead, body: bytes, content: bytes) -> Summary:
    path, mark, query = target.partition("?")
    return Summary(
        request_id=request_id,
        method=method,
        path=path,
        query=query if mark else None,
        route="/",
        authority="localhost",
        client="127.0.0.1",
        http_version="1.1",
        started_at=0,
        duration=0,
        status=head.status,
        request_bytes=len(body),
        response_bytes=len(content),
        outcome=Outcome.COMPLETED,
        origin=head.origin,
        upstream="origin" if head.origin is Origin.UPSTREAM else None,
        upstream_duration=0 if head.origin is Origin.UPSTREAM else None,
    )
