"""A request and its response on a stream, whatever carries it: messages in order, the request's
body, deadlines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.field_section import Fields, Malformed
from sentinel_host.http.server import Connections, Listener, ServerLimits
from sentinel_host.http.server.connections import NO_BODY
from sentinel_host.http.server.request_streams import HEAD_LATE, IDLE, RequestStreams
from sentinel_host.http.server.scope import ScopeBuilder
from sentinel_host.http.server.sink import ResetReason
from sentinel_host.http.server.stream import Stream
from tests.support.loops import run_jumping

Message = dict[str, Any]
FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a.example")]


class Sink:
    """A sink that notes what it is told, with as much room as it is given."""

    def __init__(self, number: int, room: int) -> None:
        self.number = number
        self.left = room
        self.calls: list[tuple[Any, ...]] = []
        self.opened: Callable[[], None] | None = None
        self.consumed = 0
        self.low = False
        self.is_blocked = False

    def send_headers(self, status: int, fields: Fields, end: bool) -> None:
        kept = [field for field in fields if field[0] != b"date"]
        self.calls.append(("head", status, kept, end))

    def send_response(self, status: int, fields: Fields, data: bytes | memoryview, end: bool) -> bool:
        self.send_headers(status, fields, False)
        if len(data) > self.left:
            return False
        self.send_data(data, end)
        return True

    def send_data(self, data: bytes | memoryview, end: bool) -> None:
        self.left -= len(data)
        assert self.left >= 0
        self.calls.append(("data", bytes(data), end))

    def send_trailers(self, fields: Fields) -> None:
        self.calls.append(("trailers", fields))

    def reset(self, reason: ResetReason) -> None:
        self.calls.append(("reset", reason))

    def send_whole(self, status: int, fields: Fields, date: bytes, data: bytes) -> bool:
        return False

    def room(self) -> int:
        return self.left

    def await_room(self, opened: Callable[[], None]) -> None:
        self.opened = opened

    def leave_queue(self) -> None:
        self.opened = None

    def give_room(self, room: int) -> None:
        self.left += room
        if self.opened is not None:
            self.opened()

    def consume(self, size: int) -> bool:
        self.consumed += size
        return True

    def window_is_low(self) -> bool:
        return self.low

    def waits_for_others(self) -> bool:
        return False

    def blocked(self) -> bool:
        return self.is_blocked

    async def drained(self) -> None:
        await asyncio.Event().wait()

    def credited(self) -> int:
        return 0

    def delivery(self, now: float) -> tuple[int, int]:
        return 0, 0


class Connection:
    """The requests of one connection, of which the first is ``stream`` unless it was refused."""

    def __init__(self, app: Any, limits: ServerLimits, room: int = 1 << 20) -> None:
        self.connections = Connections(limits)
        self.connections.loop = asyncio.get_running_loop()
        listener = Listener("public", app)
        scopes = ScopeBuilder(("192.0.2.1", 1), ("192.0.2.2", 80), "http")
        self.drained = 0
        self.requests = RequestStreams(listener, listener.extensions(), self.connections, scopes, "2", self.on_drained)
        self.room = room

    def on_drained(self) -> None:
        self.drained += 1

    def accept(self, number: int, fields: Fields = FIELDS, *, ended: bool = False, is_whole: bool = True) -> Sink:
        self.sink = Sink(number, self.room)
        self.accepted = self.requests.accept(number, self.sink, fields, is_whole, ended)
        self.requests.begin()
        return self.sink

    @property
    def stream(self) -> Stream:
        return self.requests.streams[1]


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: Any = b"", more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def trailers(*headers: tuple[bytes, bytes], more: bool = False) -> Message:
    return {"type": "http.response.trailers", "headers": list(headers), "more_trailers": more}


def interim(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.informational", "status": status, "headers": list(headers)}


X = (b"x", b"1")
FOUR = (b"content-length", b"4")
RESPONSES: dict[str, tuple[bytes, list[Message], list[tuple[Any, ...]]]] = {
    "one piece": (b"GET", [start(200, X), body(b"four")], [("head", 200, [X, FOUR], False), ("data", b"four", True)]),
    "no body": (b"GET", [start(), body()], [("head", 200, [(b"content-length", b"0")], True)]),
    "pieces": (
        b"GET",
        [start(), body(b"one", True), body(bytearray(b"two"), True), body(memoryview(b"three"))],
        [("head", 200, [], False), ("data", b"one", False), ("data", b"two", False), ("data", b"three", True)],
    ),
    "an empty last piece": (
        b"GET",
        [start(), body(b"one", True), body()],
        [("head", 200, [], False), ("data", b"one", False), ("data", b"", True)],
    ),
    "a head that waits": (b"GET", [start()], []),
    "an answer to HEAD": (b"HEAD", [start(200, FOUR), body(b"four")], [("head", 200, [FOUR], True)]),
    "204": (b"GET", [start(204), body()], [("head", 204, [], True)]),
    "304 with a length": (b"GET", [start(304, FOUR), body()], [("head", 304, [FOUR], True)]),
    "trailers": (
        b"GET",
        [start(200, trailers=True), body(b"one"), trailers(X, more=True), trailers((b"Y", b"2"))],
        [("head", 200, [], False), ("data", b"one", False), ("trailers", [X, (b"y", b"2")])],
    ),
    "no trailers after all": (
        b"GET",
        [start(200, trailers=True), body(b"one"), trailers()],
        [("head", 200, [], False), ("data", b"one", False), ("data", b"", True)],
    ),
    "interim responses": (
        b"GET",
        [interim(103, X), start(), interim(102), body()],
        [("head", 103, [X], False), ("head", 102, [], False), ("head", 200, [(b"content-length", b"0")], True)],
    ),
}


@pytest.mark.parametrize("case", RESPONSES)
def test_responses(case: str) -> None:
    method, messages, calls = RESPONSES[case]
    seen: list[tuple[Any, ...]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        seen.extend(it[0].sink.calls)

    it: list[Connection] = []

    async def check() -> None:
        it.append(Connection(app, ServerLimits()))
        it[0].accept(1, [(b":method", method), *FIELDS[1:]], ended=True)
        await turns()
        assert seen == calls

    run_jumping(check())


ERRORS: dict[str, tuple[list[Message], type[Exception]]] = {
    "two heads": ([start(), start()], RuntimeError),
    "a body before its head": ([body(b"x")], RuntimeError),
    "trailers that were not announced": ([start(), body(b"x", True), trailers()], RuntimeError),
    "a body after trailers were due": ([start(200, trailers=True), body(), body()], RuntimeError),
    "an interim response after the head": ([start(), body(b"x", True), interim(103)], RuntimeError),
    "a switch of protocols as an interim response": ([interim(101)], ValueError),
    "an interim response that is none": ([interim(200)], ValueError),
    "a body too long": ([start(200, FOUR), body(b"fiver")], RuntimeError),
    "a body too short": ([start(200, FOUR), body(b"two", True), body()], RuntimeError),
    "an unknown message": ([{"type": "http.response.push"}], RuntimeError),
    "a tunnel that nobody asked for": ([{"type": "sentinel.upgrade.accept"}], RuntimeError),
    "a malformed field": ([start(200, (b"x", b"\n"))], ValueError),
    "a malformed trailer": ([start(200, trailers=True), body(), trailers((b"te", b"x"))], ValueError),
}


@pytest.mark.parametrize("case", ERRORS)
def test_messages_that_may_not_be_sent(case: str) -> None:
    messages, error = ERRORS[case]
    raised: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages[:-1]:
            await send(message)
        try:
            await send(messages[-1])
        except Exception as found:
            raised.append(found)
            raise

    async def check() -> None:
        it = Connection(app, ServerLimits())
        sink = it.accept(1, ended=True)
        await turns()
        assert [type(each) for each in raised] == [error]
        # Nothing was sent of the head, or the stream is reset.
        assert sink.calls[-1] in [("data", b'{"error": "internal error"}', True), ("reset", ResetReason.INTERNAL_ERROR)]
        assert it.requests.streams == {}

    run_jumping(check())


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (ClientError("no", 418), 418, b'{"error": "no"}'),
        (ResponseAborted("gone"), 500, b'{"error": "internal error"}'),
        (RuntimeError("bug"), 500, b'{"error": "internal error"}'),
        (None, 500, b'{"error": "internal error"}'),
    ],
)
@pytest.mark.parametrize("room", [1000, 0])
def test_an_application_without_an_answer(error: Exception | None, status: int, text: bytes, room: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if error is not None:
            raise error

    async def check() -> None:
        it = Connection(app, ServerLimits(), room)
        calls = it.accept(1, ended=True).calls
        await turns()
        assert calls[0][:2] == ("head", status)
        assert calls[0][3] == (room == 0)
        assert calls[1:] == ([("data", text, True)] if room else [])

    run_jumping(check())


def test_a_large_body_goes_as_there_is_room() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"0123456789"))

    async def check() -> None:
        it = Connection(app, ServerLimits(), 4)
        sink = it.accept(1, ended=True)
        await turns()
        sink.give_room(3)
        await turns()
        sink.give_room(100)
        await turns()
        assert sink.calls[1:] == [("data", b"0123", False), ("data", b"456", False), ("data", b"789", True)]
        assert it.requests.is_idle

    run_jumping(check())


# The request.


async def collect(receive: Any) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


BODIES: dict[str, tuple[Fields, ServerLimits, list[tuple[bytes, bool]], Any]] = {
    "pieces": ([], ServerLimits(), [(b"one", False), (b"two", True)], b"onetwo"),
    "of its length": ([(b"content-length", b"6")], ServerLimits(), [(b"one", False), (b"two", True)], b"onetwo"),
    "an empty end": ([], ServerLimits(), [(b"one", False), (b"", True)], b"one"),
    "too long": ([(b"content-length", b"5")], ServerLimits(), [(b"one", False), (b"two", True)], Malformed),
    "too short": ([(b"content-length", b"7")], ServerLimits(), [(b"one", False), (b"two", True)], Malformed),
    "beyond the limit": ([], ServerLimits(body_bytes=5), [(b"one", False), (b"two", True)], 413),
}


@pytest.mark.parametrize("case", BODIES)
def test_request_bodies(case: str) -> None:
    fields, limits, pieces, expected = BODIES[case]
    seen: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(b"".join([message["body"] for message in await collect(receive)]))
        await send(start())
        await send(body())

    async def check() -> None:
        it = Connection(app, limits)
        sink = it.accept(1, [*FIELDS, *fields])
        stream = it.stream
        if expected is Malformed:
            stream.push(*pieces[0])
            with pytest.raises(Malformed):
                stream.push(*pieces[1])
            return
        for data, ended in pieces:
            await turns()
            stream.push(data, ended)
        await turns()
        if isinstance(expected, int):
            assert sink.calls[0][:2] == ("head", expected)
            assert it.connections.limits_hit == {"body_bytes": 1}
        else:
            assert seen == [expected]
        assert it.requests.streams == {}

    run_jumping(check())


def test_trailers_of_a_request() -> None:
    seen: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend(await collect(receive))

    async def check() -> None:
        it = Connection(app, ServerLimits())
        it.accept(1)
        it.stream.push(b"x", False)
        for fields, ended in (([X], False), ([(b":path", b"/")], True), ([(b"content-length", b"1")], True)):
            with pytest.raises(Malformed):
                it.stream.push_trailers(fields, True, ended)
        it.stream.push_trailers([X], True, True)
        await turns()
        assert seen[-1] == {"type": "http.request", "body": b"x", "more_body": False, "trailers": [X]}

    run_jumping(check())


@pytest.mark.parametrize("ended", [True, False])
def test_the_scope_tells_that_there_is_no_body(ended: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (NO_BODY in scope) is ended
        await send(start())
        await send(body())

    async def check() -> None:
        it = Connection(app, ServerLimits())
        sink = it.accept(1, ended=ended)
        await turns()
        assert sink.calls[0] == ("head", 200, [(b"content-length", b"0")], True)

    run_jumping(check())


def test_100_continue_is_sent_when_the_application_asks() -> None:
    go_on = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await go_on.wait()
        await receive()

    async def check() -> None:
        it = Connection(app, ServerLimits())
        sink = it.accept(1, [*FIELDS, (b"expect", b"100-continue")])
        await turns()
        # A client that waits for the application is not late.
        assert it.stream.expire(asyncio.get_running_loop().time() + 1000) == float("inf")
        assert sink.calls == []
        go_on.set()
        await turns()
        assert sink.calls == [("head", 100, [], False)]
        assert it.stream.body.read_deadline < float("inf")

    run_jumping(check())


def test_an_answer_before_the_end_of_the_request_tells_the_client_to_stop() -> None:
    told: list[Message] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body())
        told.append(await receive())

    async def check() -> None:
        it = Connection(app, ServerLimits())
        sink = it.accept(1)
        await turns()
        assert sink.calls[-1] == ("reset", ResetReason.NO_ERROR)
        assert told == [{"type": "http.disconnect"}]

    run_jumping(check())


# What is refused.

REFUSED: dict[str, tuple[Fields, bool, ServerLimits, str, tuple[Any, ...]]] = {
    "malformed": (FIELDS[1:], True, ServerLimits(), "refused", ("reset", ResetReason.MALFORMED)),
    "not served": ([(b":method", b"CONNECT"), FIELDS[3]], True, ServerLimits(), "refused", ("head", 501)),
    "too large": (FIELDS, False, ServerLimits(), "head_bytes", ("head", 431)),
    "too many fields": ([*FIELDS, X, X], True, ServerLimits(header_count=1), "refused", ("head", 431)),
    "a body too large": (
        [*FIELDS, (b"content-length", b"9")],
        True,
        ServerLimits(body_bytes=8),
        "body_bytes",
        ("head", 413),
    ),
    "too many": (
        FIELDS,
        True,
        ServerLimits(streams_per_connection=0),
        "streams_per_connection",
        ("reset", ResetReason.REFUSED),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_requests_that_are_refused(case: str) -> None:
    fields, is_whole, limits, limit, call = REFUSED[case]

    async def check() -> None:
        it = Connection(None, limits)
        sink = it.accept(1, fields, is_whole=is_whole)
        assert not it.accepted
        assert sink.calls[0][:2] == call
        assert sink.calls[-1][0] == "reset"
        assert it.connections.limits_hit == {limit: 1}
        assert it.requests.used == 0

    run_jumping(check())


# Deadlines and the end.


async def waits(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


def test_the_deadlines_of_a_connection() -> None:
    async def check() -> None:
        loop = asyncio.get_running_loop()
        it = Connection(waits, ServerLimits())
        begun = loop.time()
        assert it.requests.deadline == begun + 10
        assert it.requests.expire(begun + 10) == IDLE
        it.accept(1, ended=True)
        it.requests.watch_head(True)
        await asyncio.sleep(5)
        it.requests.watch_head(True)
        assert it.requests.expire(begun + 9) != HEAD_LATE
        assert it.requests.expire(begun + 10) == HEAD_LATE
        it.requests.watch_head(False)
        assert it.requests.expire(begun + 1000) not in (HEAD_LATE, IDLE)
        assert it.requests.deadline == float("inf")
        it.requests.reset(1)
        await turns()
        assert it.requests.deadline == begun + 5 + 75
        assert it.requests.expire(it.requests.deadline) == IDLE
        assert it.connections.limits_hit == {"head_time": 2, "keep_alive_idle": 1}

    run_jumping(check())


@pytest.mark.parametrize("begins", [False, True])
def test_a_stream_that_is_cancelled_is_forgotten(begins: bool) -> None:
    async def check() -> None:
        it = Connection(waits, ServerLimits())
        it.accept(1, ended=True)
        if begins:
            await turns()
        it.requests.draining = True
        assert it.requests.reset(1)
        assert not it.requests.reset(1)
        await turns()
        assert (it.requests.is_idle, it.drained) == (True, 1)

    run_jumping(check())


def test_applications_of_a_connection_that_is_gone_are_cancelled() -> None:
    cancelled: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            await receive()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append((await receive())["type"])
            raise

    async def check() -> None:
        it = Connection(app, ServerLimits())
        for number in (1, 3):
            it.accept(number)
        await turns()
        it.requests.cancel_all()
        await turns()
        assert cancelled == ["http.disconnect"] * 2
        assert (it.requests.is_idle, it.drained) == (True, 0)

    run_jumping(check())


def test_a_stalled_response_is_given_up_and_a_blocked_transport_is_not_the_streams() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start())
        await send(body(b"0123456789"))

    async def check() -> None:
        loop = asyncio.get_running_loop()
        it = Connection(app, ServerLimits(), 4)
        sink = it.accept(1, ended=True)
        await turns()
        assert it.stream.expire(loop.time()) == loop.time() + 30
        sink.is_blocked = True
        assert it.stream.expire(loop.time() + 30) == loop.time() + 60
        sink.is_blocked = False
        it.stream.expire(loop.time() + 60)
        assert sink.calls[-1] == ("reset", ResetReason.CANCELLED)
        assert it.connections.limits_hit == {"write_stalled": 1}
        await turns()
        assert it.requests.is_idle

    run_jumping(check())
