"""What a connection to an upstream has its transport do, and tells its owner and its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest

from sentinel_host.errors import Progress, UpstreamError, UpstreamTimeout
from sentinel_host.http.batch import WriteBatch
from sentinel_host.http.client import Target, Timeouts, UpstreamRequest
from sentinel_host.http.client.connection import ClientConnection
from sentinel_host.http.client.response import BUFFER_LIMIT, UpstreamResponse
from tests.support.loops import run_jumping

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def head_of(response: UpstreamResponse) -> None:
    """Wait for the head; raises what came instead."""
    while response.awaits_head():
        await response.arrival


class Transport:
    """Takes what it is given, and tells what it was asked to do."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.done: list[str] = []
        self.closing = False
        self.held = 0

    def get_extra_info(self, name: str) -> object:
        return SimpleNamespace(fileno=lambda: -1) if name == "socket" else None

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, parts: list[bytes]) -> None:
        self.written += parts

    def pause_reading(self) -> None:
        self.done.append("pause")

    def resume_reading(self) -> None:
        self.done.append("resume")

    def abort(self) -> None:
        self.closing = True
        self.done.append("abort")

    def get_write_buffer_size(self) -> int:
        return self.held

    def is_closing(self) -> bool:
        return self.closing


class Owner:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def on_idle(self, connection: ClientConnection) -> None:
        self.told.append("idle")

    def on_closed(self, connection: ClientConnection) -> None:
        assert connection.closed
        self.told.append("closed")

    def on_tunnel(self, connection: ClientConnection) -> None:
        self.told.append("tunnel")

    def on_failure(self, error: UpstreamError) -> None:
        self.told.append(error.kind)


class Body:
    """A request's body, given out as the test says."""

    def __init__(self) -> None:
        self.trailers: list[tuple[bytes, bytes]] = []
        self.pieces: asyncio.Queue[bytes] = asyncio.Queue()

    async def read(self) -> bytes:
        return await self.pieces.get()


Case = Callable[[ClientConnection, Transport, Owner], Coroutine[Any, Any, None]]


def run(case: Case) -> None:
    async def main() -> None:
        owner, transport = Owner(), Transport()
        target, timeouts = Target.parse("http://a"), Timeouts(response=80.0)
        connection = ClientConnection(owner, target, timeouts, 65536, WriteBatch(), asyncio.get_running_loop())
        connection.connection_made(transport)
        await case(connection, transport, owner)
        connection.abort()

    run_jumping(main())


def get(method: bytes = b"GET", **more: Any) -> UpstreamRequest:
    return UpstreamRequest(method, b"/", [], b"a", **more)


def test_one_read_answers_a_complete_body():
    """Whoever sees ``complete`` sends one last piece: pieces left behind would cut the body
    short.
    """

    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (3 * BUFFER_LIMIT))
        for _ in range(3):
            connection.data_received(bytes(BUFFER_LIMIT))
        assert response.complete
        assert len(await response.read()) == 3 * BUFFER_LIMIT == response.bytes_received
        assert await response.read() == b""
        assert owner.told == ["idle"]

    run(case)


def test_reading_resumes_once_little_is_left():
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (BUFFER_LIMIT + 21))
        for size in (BUFFER_LIMIT, 10, 10):
            connection.data_received(bytes(size))
        assert transport.done == ["pause"]
        assert len(await response.read()) == BUFFER_LIMIT
        assert transport.done == ["pause", "resume"]
        assert len(await response.read()) == 20
        assert response.buffered == 0
        connection.data_received(b"x")

    run(case)


def test_what_came_with_the_head_counts_like_other_pieces():
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        size = 2 * BUFFER_LIMIT
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size - 1))
        assert transport.done == ["pause"]
        assert await response.read() == bytes(size - 1)
        assert transport.done == ["pause", "resume"]
        connection.data_received(b"x")
        assert response.rest() == b"x"
        assert response.bytes_received == size

    run(case)


def test_a_piece_is_passed_on_itself():
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        connection.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        piece = bytes(1000)
        connection.data_received(piece)
        assert await response.read() is piece

    run(case)


# what the upstream sends, what happens then, what the reader gets, what the owner is told
@pytest.mark.parametrize(
    ("raw", "lost", "kind", "progress", "told"),
    [
        (b"", True, "reset", Progress.SENT, ["closed"]),
        (b"HTTP/1.1 2", True, "reset", Progress.ANSWERED, ["closed"]),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n", True, "reset", Progress.ANSWERED, ["closed"]),
        (b"SSH-2.0\r\n\r\n", False, "malformed", Progress.ANSWERED, ["closed"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", True, "reset", Progress.RESPONDED, ["closed", "reset"]),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\nx",
            False,
            "malformed",
            Progress.RESPONDED,
            ["closed", "malformed"],
        ),
    ],
)
def test_a_failure_says_its_kind_and_how_far_the_request_had_come(raw, lost, kind, progress, told):
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        if raw:
            connection.data_received(raw)
        if lost:
            assert not connection.eof_received()
        if progress == Progress.RESPONDED:
            await head_of(response)
            assert await response.read() == b"ok"
        with pytest.raises(UpstreamError, match=r"^upstream http://a: ") as raised:
            await (response.read() if response.begun and progress == Progress.RESPONDED else head_of(response))
        assert (raised.value.kind, raised.value.progress) == (kind, progress)
        assert owner.told == told
        assert transport.done == ["abort"]

    run(case)


@pytest.mark.parametrize(
    ("raw", "steps"),
    [
        (OK, [b"ok", "received"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\no", [b"o", "received"]),
        # What an interim response began goes on before it.
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, ["received", b"ok"]),
    ],
)
def test_the_reader_goes_on_once_all_is_told_that_came(raw, steps):
    """Within the call that brought it: a quiet worker would look at all its sockets once more."""

    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        seen: list[object] = []

        async def read() -> None:
            await head_of(response)
            seen.append(response.rest())

        def receive() -> None:
            connection.data_received(raw)
            seen.append("received")

        reader = asyncio.create_task(read())
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(receive)
        await reader
        await asyncio.sleep(0)
        assert seen == steps

    run(case)


def test_a_timeout_says_whether_the_upstream_may_have_seen_the_request():
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        connection.check(asyncio.get_running_loop().time() + 79.0)
        assert response.awaits_head()
        connection.check(asyncio.get_running_loop().time() + 80.0)
        with pytest.raises(UpstreamTimeout, match="no response within 80 s") as raised:
            await head_of(response)
        assert raised.value.progress == Progress.SENT
        assert owner.told == ["closed"]

    run(case)


def test_nothing_is_sent_on_a_transport_that_is_closing():
    async def case(connection, transport, owner):
        transport.closing = True
        response = connection.start(get(), b"head")
        with pytest.raises(UpstreamError) as raised:
            await head_of(response)
        assert (raised.value.kind, raised.value.progress) == ("reset", Progress.UNSENT)
        assert (transport.written, owner.told) == ([], ["closed"])

    run(case)


def test_a_kept_connection_whose_socket_is_not_in_order_is_not_used():
    async def case(connection, transport, owner):
        connection.start(get(), b"head")
        connection.data_received(OK)
        assert connection.used
        response = connection.start(get(), b"second head")
        assert transport.written == [b"head"], "the turn of the loop is not over"
        with pytest.raises(UpstreamError) as raised:
            await head_of(response)
        assert raised.value.progress == Progress.UNSENT
        assert (transport.written, owner.told) == ([b"head"], ["idle", "closed"])

    run(case)


@pytest.mark.parametrize("closing", [False, True])
def test_a_body_is_not_written_to_a_transport_that_is_closing(closing):
    """asyncio's writelines then registered a descriptor that was closed (CPython 3.12 and later).

    The next connection with that number was never read.
    """

    async def case(connection, transport, owner):
        body = Body()
        connection.start(get(b"POST", body=body), b"head")
        body.pieces.put_nowait(b"one")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sent = [b"head", b"3\r\n", b"one", b"\r\n"]
        assert transport.written == sent
        transport.closing = closing
        body.pieces.put_nowait(b"two")
        body.pieces.put_nowait(b"")
        for _ in range(4):
            await asyncio.sleep(0)
        assert body.pieces.empty()
        rest = [] if closing else [b"3\r\n", b"two", b"\r\n", b"0\r\n\r\n"]
        assert transport.written == sent + rest

    run(case)


@pytest.mark.parametrize("closing", [False, True])
def test_nothing_is_written_into_a_tunnel_whose_transport_is_closing(closing):
    async def case(connection, transport, owner):
        response = connection.start(get(upgrade=b"x"), b"head")
        connection.data_received(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        await head_of(response)
        assert owner.told == ["tunnel"]
        transport.closing = closing
        await response.write(b"bytes")
        assert transport.written == ([b"head"] if closing else [b"head", b"bytes"])

    run(case)


# what the transport still holds, whether it closes, whether the connection is kept
@pytest.mark.parametrize(("held", "closing", "told"), [(0, False, "idle"), (1, False, "closed"), (0, True, "closed")])
def test_a_connection_is_kept_when_its_transport_is_free(held, closing, told):
    async def case(connection, transport, owner):
        response = connection.start(get(), b"head")
        transport.held, transport.closing = held, closing
        connection.data_received(OK)
        assert (response.status, await response.read(), response.complete) == (200, b"ok", True)
        assert owner.told == [told]

    run(case)


def test_an_early_refusal_cancels_the_upload():
    async def case(connection, transport, owner):
        body = Body()
        response = connection.start(get(b"POST", body=body), b"head")
        await asyncio.sleep(0)
        connection.data_received(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\n")
        await head_of(response)
        body.pieces.put_nowait(b"never")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        connection.data_received(b"no!")
        assert await response.read() == b"no!"
        assert (transport.written, owner.told) == ([b"head"], ["closed"])

    run(case)
