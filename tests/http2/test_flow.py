"""Windows: backpressure to each stream, and none that one stream puts on another."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hyperframe.frame import SettingsFrame, WindowUpdateFrame

from sentinel_host.http.h2 import Http2Protocol
from tests.http1.harness import (
    Worker,
    answer,
    echo,
    eventually,
    http_app,
    passing,
    read_body,
    run_worker,
    taken,
    timed,
)
from tests.http2.peer import Peer, bodies, data, request
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES

FLOW_CONTROL_ERROR, CANCEL = 3, 8


@http_app
async def early(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers 401 without reading, and echoes elsewhere."""
    if scope["path"] == "/early":
        for message in answer(b"no", 401):
            await send(message)
        return
    for message in answer(await read_body(receive)):
        await send(message)


def test_late_data_after_an_early_answer_is_harmless() -> None:
    """One late DATA frame after an early 401 ended the whole connection, with every request on
    it.
    """
    with run_worker(early) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")))
        peer.send(peer.headers(3, request(b"POST", b"/early")), data(3, b"x" * 1000))
        assert peer.answer(3).status == 401
        peer.until(lambda: peer.of(3).reset == 0)
        # As much as the window of the stream allows may be on its way.
        peer.send(*bodies(3, b"x" * 60000))
        peer.send(data(1, b"lives", end=True))
        assert peer.answer(1).body == b"lives"
        assert not peer.goaways


def test_late_data_does_not_use_up_the_connections_window() -> None:
    """64 KiB too late on each of 40 streams is more than two windows of the connection."""
    with run_worker(early) as worker, Peer(worker.connect()) as peer:
        for number in range(1, 81, 2):
            peer.send(peer.headers(number, request(b"POST", b"/early")))
            assert peer.answer(number).status == 401
            peer.send(*bodies(number, b"x" * 65536))
        peer.send(peer.headers(81, request(b"POST")), data(81, b"lives", end=True))
        assert peer.answer(81).body == b"lives"


def test_unread_uploads_freeze_no_other_client() -> None:
    """14 small DATA frames to an upload that was not being read froze every other stream."""
    release = asyncio.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/unread":
            await release.wait()
        elif scope["path"] == "/release":
            release.set()
        for message in answer(await read_body(receive)):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        for number in range(1, 41, 2):
            peer.send(
                peer.headers(number, request(b"POST", b"/unread")), *(data(number, b"x" * 100) for _ in range(50))
            )
            peer.send(*bodies(number, b"x" * 60000))
        peer.send(peer.headers(101, request(b"POST")), data(101, b"lives", end=True))
        assert peer.answer(101).body == b"lives"
        assert peer.get(103, b"/release").status == 200
        assert len(peer.answer(1).body) == 65000


def test_a_stream_gets_new_window_for_what_was_taken_only() -> None:
    take = threading.Semaphore(0)

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        while True:
            await asyncio.get_running_loop().run_in_executor(None, take.acquire, True, PATIENCE)
            message = await receive()
            if not message["more_body"]:
                break
        for message in answer(b"done"):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), *(data(1, b"x" * 16384) for _ in range(4)))
        peer.ping()
        assert peer.credit.get(1, 0) == 0
        take.release()
        peer.until(lambda: peer.credit.get(1, 0) == 65536)
        peer.send(data(1, b"x", end=True))
        take.release()
        take.release()
        assert peer.answer(1).body == b"done"


def test_a_window_that_is_overrun_resets_the_stream() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    with run_worker(app, grace=0) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), *(data(1, b"x" * 16384) for _ in range(5)))
        assert peer.answer(1).reset == FLOW_CONTROL_ERROR
        peer.ping()


def test_a_body_in_single_bytes_takes_the_memory_of_its_bytes() -> None:
    release = asyncio.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] == "/release":
            release.set()
        else:
            await release.wait()
        for message in answer(await read_body(receive)):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")), *(data(1, b"x") for _ in range(9999)), data(1, b"y", end=True))
        peer.ping()
        (protocol,) = worker.connections.active
        assert isinstance(protocol, Http2Protocol)
        assert len(protocol.requests.streams[1].body.pieces) <= 65
        assert peer.get(3, b"/release").status == 200
        assert peer.answer(1).body == b"x" * 9999 + b"y"


@pytest.mark.parametrize("window", [1, 1000])
def test_a_download_goes_as_fast_as_the_client_opens_its_window(window: int) -> None:
    with run_worker(echo) as worker, Peer(worker.connect(), window=window) as peer:
        peer.send(peer.headers(1, request(b"GET", b"/" + b"x" * 3000), end=True))
        peer.until(lambda: len(peer.of(1).body) == window)
        peer.ping()
        assert len(peer.of(1).body) == window
        peer.send(WindowUpdateFrame(1, window_increment=5))
        peer.until(lambda: len(peer.of(1).body) == window + 5)
        peer.send(SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 100_000}))
        assert peer.answer(1).body == b"GET /" + b"x" * 3000 + b" "


def test_an_application_waits_for_a_window() -> None:
    sent: list[int] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(100):
            await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": number < 99})
            sent.append(number)

    with run_worker(app) as worker, Peer(worker.connect(), window=65535) as peer:
        peer.send(peer.headers(1, request(), end=True))
        peer.until(lambda: len(peer.of(1).body) == 65535)
        peer.ping()
        assert len(sent) == 6
        peer.send(WindowUpdateFrame(0, window_increment=1 << 20), WindowUpdateFrame(1, window_increment=1 << 20))
        assert len(peer.answer(1).body) == 1_000_000


def test_downloads_share_the_connections_window() -> None:
    """A stream that had waited longest for the connection's window could be passed by for ever."""

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        for message in answer(b"x" * 200_000):
            await send(message)

    with run_worker(app) as worker, Peer(worker.connect(), window=65535, settings={4: 1 << 20}) as peer:
        peer.send(*(peer.headers(number, request(), end=True) for number in (1, 3, 5)))
        peer.until(lambda: len(peer.of(1).body) == 65535)
        for _ in range(30):
            peer.send(WindowUpdateFrame(0, window_increment=10_000))
            peer.ping()
        peer.until(lambda: sum(len(peer.of(number).body) for number in (1, 3, 5)) == 365_535)
        sizes = [len(peer.of(number).body) for number in (1, 3, 5)]
        assert min(sizes) > 90_000
        peer.send(WindowUpdateFrame(0, window_increment=1 << 20))
        assert all(len(peer.answer(number).body) == 200_000 for number in (1, 3, 5))


def test_a_client_that_opens_no_window_is_given_up_alone() -> None:
    cancelled = threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        try:
            for message in answer(scope["raw_path"] * 1000):
                await send(message)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with (
        run_worker(app, timed(write_stalled=MINUTES), leaps=True) as worker,
        Peer(worker.connect(), window=100) as peer,
    ):
        peer.send(peer.headers(1, request(), end=True))
        with passing(worker, 0.4 * MINUTES):
            assert peer.answer(1).reset == CANCEL
        assert cancelled.wait(PATIENCE)
        assert worker.connections.limits_hit == {"write_stalled": 1}
        peer.ping()


@http_app
async def large(scope: dict[str, Any], receive: Any, send: Any) -> None:
    for message in answer(bytes(8 << 20)):
        await send(message)


def streams_of(worker: Worker) -> list[Any]:
    protocols = [protocol for protocol in worker.connections.active if isinstance(protocol, Http2Protocol)]
    return [stream for protocol in protocols for stream in protocol.requests.streams.values()]


def test_a_reader_whose_windows_are_full_of_what_it_has_not_read_yet_is_not_given_up() -> None:
    """All that the window allowed was in the kernel's buffers. A client that read from them
    steadily opened no window before it had read as much, and was given up.
    """
    window = 2_000_000
    limits = timed(write_stalled=MINUTES)
    with run_worker(large, limits, leaps=True) as worker, worker.connect(receive_buffer=65536) as sock:
        peer = Peer(sock, window=window)
        peer.send(peer.headers(1, request(), end=True))
        eventually(lambda: any(stream.sink.room() == 0 for stream in streams_of(worker)))
        read = 0
        while read < window:
            worker.leap(0.4 * MINUTES)
            assert worker.connections.limits_hit == {}
            before = taken(worker)
            while read < window and taken(worker) <= before + 1024:
                read += len(sock.recv(16384))
        with passing(worker, 0.4 * MINUTES):
            eventually(lambda: worker.connections.limits_hit == {"write_stalled": 1})


def test_streams_that_wait_for_their_turn_are_not_given_up_while_others_have_theirs() -> None:
    """Many downloads that shared a slow line were given up one by one, for each waited for long."""
    numbers = range(1, 20, 2)
    limits = timed(write_stalled=MINUTES)
    with run_worker(large, limits, leaps=True) as worker, Peer(worker.connect(), window=65535) as peer:
        peer.send(SettingsFrame(settings={SettingsFrame.INITIAL_WINDOW_SIZE: 1 << 20}))
        peer.send(*(peer.headers(number, request(), end=True) for number in numbers))
        peer.until(lambda: sum(len(peer.of(number).body) for number in numbers) == 65535)
        for count in range(1, 16):
            worker.leap(0.4 * MINUTES)
            peer.send(WindowUpdateFrame(0, window_increment=2000))
            peer.until(lambda most=65535 + 2000 * count: sum(len(peer.of(number).body) for number in numbers) == most)
            assert worker.connections.limits_hit == {}
        with passing(worker, 0.4 * MINUTES):
            eventually(lambda: worker.connections.limits_hit == {"write_stalled": len(numbers)})


def test_a_client_that_does_not_read_stops_the_application() -> None:
    """Windows without end and a socket that nobody reads: only the transport's backpressure is
    left.
    """
    sent: list[int] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": number < 999})
            sent.append(number)

    limits = timed(write_stalled=MINUTES)
    with run_worker(app, limits, leaps=True) as worker, Peer(worker.connect(receive_buffer=65536)) as peer:
        peer.send(peer.headers(1, request(), end=True))
        with passing(worker, 0.4 * MINUTES):
            eventually(lambda: worker.connections.limits_hit == {"write_stalled": 1})
        assert len(sent) < 500
        eventually(lambda: worker.connections.open == 0)
