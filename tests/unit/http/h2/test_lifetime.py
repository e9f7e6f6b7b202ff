"""How an HTTP/2 connection lives and ends: deadlines, GOAWAY and drain, on a clock that jumps and
without a socket.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hyperframe.frame import DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, RstStreamFrame

from sentinel_host.http.h2 import Http2Protocol
from sentinel_host.http.server import Connections, Listener, ServerLimits
from tests.support.loops import run_jumping
from tests.unit.http.h2.core import OPENING, Core, raw
from tests.unit.http.transport import Transport

NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 7, 8, 11
LAST_STREAM = (1 << 31) - 1
FIELDS = ((b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"a.example"))


class Served:
    """A connection that is served: what the client sends, and what it gets."""

    def __init__(self, limits: ServerLimits, app: Any) -> None:
        self.connections = Connections(limits)
        self.connections.start(asyncio.get_running_loop())
        self.transport = Transport(self.lose)
        self.is_lost = False
        self.connections.admit("192.0.2.1")
        listener = Listener("public", app)
        self.protocol = Http2Protocol(listener, listener.extensions(), self.connections)
        self.protocol.connection_made(self.transport)  # type: ignore[arg-type]
        self.core = Core()
        self.send(OPENING)

    def lose(self) -> None:
        if not self.is_lost:
            self.is_lost = True
            self.protocol.connection_lost(None)

    def send(self, *frames: Frame | bytes) -> None:
        self.protocol.data_received(raw(*frames))

    def head(self, number: int, *flags: str) -> HeadersFrame:
        return HeadersFrame(number, self.core.block(FIELDS), flags=["END_HEADERS", *flags])

    async def got(self) -> list[Frame]:
        """The frames that were written since this was last asked, once everything has run."""
        await turns()
        self.core.out.append(bytes(self.transport.written))
        self.transport.written.clear()
        return self.core.written()

    async def goaways(self) -> list[tuple[int, int]]:
        return [(each.last_stream_id, each.error_code) for each in await self.got() if isinstance(each, GoAwayFrame)]

    async def resets(self) -> list[tuple[int, int]]:
        return [(each.stream_id, each.error_code) for each in await self.got() if isinstance(each, RstStreamFrame)]


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def answers(scope: Any, receive: Any, send: Any) -> None:
    """Reads the body and answers."""
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"whole"})


async def waits(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.Event().wait()


def served(check: Callable[[Served], Awaitable[None]], app: Any = answers, limits: ServerLimits | None = None) -> None:
    """Run ``check`` with a connection whose preface was exchanged."""

    async def main() -> None:
        connection = Served(limits or ServerLimits(), app)
        await connection.got()
        await check(connection)
        connection.connections.stop()
        connection.lose()
        assert (connection.connections.open, connection.connections.active) == (0, set())
        await turns()

    run_jumping(main())


def head(it: Served) -> list[Frame | bytes]:
    return [it.head(1)]


def whole(it: Served) -> list[Frame | bytes]:
    return [it.head(1, "END_STREAM")]


DEADLINES: dict[str, tuple[Callable[[Served], list[Frame | bytes]], Any, str, float, tuple[int, int] | None]] = {
    "no request": (lambda it: [PingFrame(0, bytes(8))], answers, "head_time", 10.0, (0, NO_ERROR)),
    "a head that stops": (lambda it: [raw(it.head(1))[:-3]], answers, "head_time", 10.0, (0, ENHANCE_YOUR_CALM)),
    "a block that stops": (
        lambda it: [HeadersFrame(1, it.core.block(FIELDS)[:3])],
        answers,
        "head_time",
        10.0,
        (0, ENHANCE_YOUR_CALM),
    ),
    "no further request": (whole, answers, "keep_alive_idle", 75.0, (1, NO_ERROR)),
    "a body that does not come": (head, answers, "body_idle", 30.0, None),
    "a body that stops": (lambda it: [it.head(1), DataFrame(1, b"x")], answers, "body_idle", 30.0, None),
    "a body that stops in a frame": (
        lambda it: [it.head(1), raw(DataFrame(1, b"xy"))[:-1]],
        answers,
        "body_idle",
        30.0,
        None,
    ),
}


@pytest.mark.parametrize("case", DEADLINES)
def test_deadlines(case: str) -> None:
    sent, app, limit, seconds, goaway = DEADLINES[case]

    async def check(it: Served) -> None:
        it.send(*sent(it))
        await it.got()
        await asyncio.sleep(seconds - 1)
        assert it.connections.limits_hit == {}
        await asyncio.sleep(2)
        assert it.connections.limits_hit.pop(limit) == 1
        frames = await it.got()
        ends = [(each.last_stream_id, each.error_code) for each in frames if isinstance(each, GoAwayFrame)]
        assert ends == ([] if goaway is None else [goaway])
        assert ("eof" in it.transport.events) == (goaway is not None)
        if goaway is None:
            status = it.core.decoder.decode(frames[0].data)[0]
            assert status == (":status", "408")

    served(check, app)


def test_a_body_that_goes_on_restarts_its_clock_and_a_trickle_does_not() -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1), it.head(3))
        for _ in range(5):
            it.send(DataFrame(1, bytes(2000)), DataFrame(3, b"x"))
            await asyncio.sleep(20)
        frames = await it.got()
        assert {frame.stream_id for frame in frames if isinstance(frame, HeadersFrame)} == {3}
        assert it.connections.limits_hit == {"body_idle": 1}

    served(check)


def test_a_request_that_is_answered_slowly_has_no_deadline() -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1, "END_STREAM"))
        await asyncio.sleep(1000)
        assert it.connections.limits_hit == {}
        assert await it.goaways() == []

    served(check, waits)


def test_a_window_that_is_never_opened() -> None:
    async def large(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(100_000)})

    async def check(it: Served) -> None:
        it.send(it.head(1, "END_STREAM"))
        assert sum(len(each.data) for each in await it.got() if isinstance(each, DataFrame)) == 65535
        await asyncio.sleep(29)
        assert it.connections.limits_hit == {}
        await asyncio.sleep(4)
        assert it.connections.limits_hit == {"write_stalled": 1}
        assert await it.resets() == [(1, CANCEL)]

    served(check, large)


# GOAWAY and drain.


def test_the_last_request_of_a_connection() -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1, "END_STREAM"), it.head(3, "END_STREAM"))
        assert await it.goaways() == [(3, NO_ERROR)]
        assert it.transport.events == ["eof"]

    served(check, limits=ServerLimits(requests_per_connection=2))


def test_a_client_that_leaves_gets_its_answers() -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1), GoAwayFrame(0))
        await turns()
        assert it.transport.events == []
        it.send(DataFrame(1, b"x", flags=["END_STREAM"]))
        assert [each.data for each in await it.got() if isinstance(each, DataFrame)] == [b"whole"]
        assert it.transport.events == ["eof"]

    served(check)


def test_a_drain_is_announced_and_waits_for_requests() -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1))
        it.protocol.wind_down()
        assert await it.goaways() == [(LAST_STREAM, NO_ERROR)]
        it.send(it.head(3, "END_STREAM"))
        it.protocol.close_if_idle()
        assert await it.goaways() == [(3, NO_ERROR)]
        assert it.transport.events == []
        it.send(DataFrame(1, b"", flags=["END_STREAM"]))
        await turns()
        assert it.transport.events == ["eof"]

    served(check)


@pytest.mark.parametrize(("idle", "events"), [(0.1, []), (1.0, ["eof"])])
def test_a_drain_closes_what_is_idle_but_not_what_was_used_just_now(idle: float, events: list[str]) -> None:
    async def check(it: Served) -> None:
        it.send(it.head(1, "END_STREAM"))
        await it.got()
        await asyncio.sleep(idle)
        it.protocol.wind_down()
        assert it.transport.events == events

    served(check)


def test_after_the_end_nothing_is_read_and_the_connection_lingers() -> None:
    async def check(it: Served) -> None:
        it.send(b"\0\0\0\5\0\0\0\0\1")
        assert await it.goaways() == [(0, PROTOCOL_ERROR)]
        assert it.connections.limits_hit == {"refused": 1}
        it.send(it.head(1), PingFrame(0, bytes(8)))
        assert await it.got() == []
        await asyncio.sleep(1)
        assert it.transport.events == ["eof"]
        await asyncio.sleep(3)
        assert it.transport.events == ["eof", "abort"]

    served(check)


def test_last_words_that_are_still_unsent_are_waited_for() -> None:
    async def check(it: Served) -> None:
        it.transport.held = 1000
        it.send(b"\0\0\0\5\0\0\0\0\1")
        await asyncio.sleep(20)
        assert it.transport.events == ["eof"]
        await asyncio.sleep(20)
        assert "abort" in it.transport.events
        assert it.connections.limits_hit["write_stalled"] == 1

    served(check)


# What requests cost.


def test_requests_beyond_the_limit_are_refused() -> None:
    async def check(it: Served) -> None:
        it.send(*[it.head(number, "END_STREAM") for number in (1, 3, 5)])
        assert await it.resets() == [(5, REFUSED_STREAM)]
        assert it.connections.limits_hit == {"streams_per_connection": 1}

    served(check, waits, ServerLimits(streams_per_connection=2))


def test_a_budget_that_is_used_up_ends_the_connection() -> None:
    async def check(it: Served) -> None:
        it.send(*[PingFrame(0, bytes(8))] * 6)
        await turns()
        assert await it.goaways() == [(0, ENHANCE_YOUR_CALM)]
        assert it.connections.limits_hit == {"idle_frames": 1, "refused": 1}

    served(check, limits=ServerLimits(idle_frames=6))


def test_a_request_that_is_reset_in_the_same_breath_never_begins() -> None:
    begun: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["path"])

    async def check(it: Served) -> None:
        it.send(it.head(1), RstStreamFrame(1, CANCEL))
        await turns()
        assert begun == []
        assert it.protocol.requests.is_idle

    served(check, app)


def test_many_frames_are_read_in_turns() -> None:
    async def check(it: Served) -> None:
        it.send(*[PingFrame(0, bytes(8))] * 40)
        assert len(await it.got()) == 40
        it.send(*[it.head(number, "END_STREAM") for number in range(1, 41, 2)])
        assert it.transport.events == ["pause"]
        assert it.protocol.requests.used == 16
        await turns()
        assert it.protocol.requests.used == 20
        assert it.transport.events == ["pause", "resume"]

    served(check)
