"""Floods of frames that make work and carry nothing end their connection; ordinary traffic never
does.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from typing import Any

import pytest
from hyperframe.frame import (
    ContinuationFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sentinel_host.http.server import ServerLimits
from tests.http1.harness import echo, eventually, http_app, read_body, response, run_worker
from tests.http2.peer import Peer, data, request
from tests.support.clocks import PATIENCE

ENHANCE_YOUR_CALM = 11


def flood(peer: Peer, kind: str) -> list[list[Frame | bytes]]:
    """A thousand of one kind, in the groups in which they are sent."""
    if kind == "rapid reset":
        return [[peer.headers(n, request(), end=True), RstStreamFrame(n, 8)] for n in range(1, 2000, 2)]
    if kind == "resets that the server makes":
        return [
            [peer.headers(n, request(b"POST")), WindowUpdateFrame(n, window_increment=(1 << 31) - 1)]
            for n in range(1, 2000, 2)
        ]
    if kind == "malformed requests":
        return [[peer.headers(n, [*request(), (b"Up", b"1")], end=True)] for n in range(1, 2000, 2)]
    if kind == "refused requests":
        return [[peer.headers(n, request(b"GET", b"no/slash"), end=True)] for n in range(1, 2000, 2)]
    if kind == "CONTINUATION":
        return [[HeadersFrame(1, b"\x82")], *([ContinuationFrame(1, b"")] for _ in range(1000))]
    if kind == "a header block without end":
        return [[HeadersFrame(1, b"\x82")], *([ContinuationFrame(1, b"\0" * 16384)] for _ in range(20))]
    if kind == "a header list out of proportion":
        block = peer.encoder.encode([*request(), (b"x", b"y" * 4000)])
        return [[HeadersFrame(1, block + b"\xbe" * 2000, flags=["END_HEADERS"])]]
    one: Frame | bytes = {
        "PING": PingFrame(0, b"x" * 8),
        "SETTINGS": SettingsFrame(settings={4: 100}),
        "empty SETTINGS": SettingsFrame(),
        "PRIORITY": PriorityFrame(1, depends_on=3),
        "empty DATA": data(1),
        "unknown frames": b"\0\0\0\x63\0\0\0\0\1",
    }[kind]
    return [[peer.headers(1, request(b"POST"))], *([one] for _ in range(1000))]


KINDS = [
    "rapid reset",
    "resets that the server makes",
    "malformed requests",
    "refused requests",
    "CONTINUATION",
    "a header block without end",
    "a header list out of proportion",
    "PING",
    "SETTINGS",
    "empty SETTINGS",
    "PRIORITY",
    "empty DATA",
    "unknown frames",
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_ends_its_connection_within_a_thousand_frames(kind: str) -> None:
    """Nor does anything stay behind: what the requests had begun is cancelled."""
    running = 0

    @http_app
    async def never(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal running
        running += 1
        try:
            await asyncio.Event().wait()
        finally:
            running -= 1

    with run_worker(never, ServerLimits(linger=0.1), grace=0) as worker, Peer(worker.connect()) as peer:
        with contextlib.suppress(OSError):
            for frames in flood(peer, kind):
                peer.send(*frames)
        peer.read_to_end()
        assert [frame.error_code for frame in peer.goaways] == [ENHANCE_YOUR_CALM]
        eventually(lambda: worker.connections.open == running == 0)


def test_others_are_served_meanwhile() -> None:
    with run_worker(echo) as worker, Peer(worker.connect()) as attacker, worker.connect() as probe:
        for frames in flood(attacker, "rapid reset")[:300]:
            attacker.send(*frames)
        for _ in range(20):
            probe.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert response(probe)[0] == 200


def test_tasks_that_resets_leave_behind_count() -> None:
    """A client that resets what it has just asked for had as many applications at work as it
    liked.
    """
    running = most = 0
    cleaned_up = asyncio.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.Event().wait()
        finally:
            # Cleaning up may take its time.
            await cleaned_up.wait()
            running -= 1

    with run_worker(app, ServerLimits(streams_per_connection=10), grace=0) as worker, Peer(worker.connect()) as peer:
        for number in range(1, 200, 2):
            peer.send(peer.headers(number, request(), end=True))
            peer.ping()
            peer.send(RstStreamFrame(number, 8))
        assert most == 20
        assert peer.of(199).reset == 7
        worker.call(cleaned_up.set)
        eventually(lambda: running == 0)


def test_a_large_upload_in_small_frames_with_pings_is_no_flood() -> None:
    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = await read_body(receive)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % len(body)})

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(peer.headers(1, request(b"POST")))
        for _ in range(100):
            peer.send(*(data(1, b"x") for _ in range(50)), WindowUpdateFrame(0, window_increment=1))
            peer.ping()
        peer.send(data(1, end=True))
        assert peer.answer(1).body == b"5000"
        for number in range(3, 2003, 2):
            assert peer.get(number).status == 200
        assert not peer.goaways


def an_app_that_holds() -> tuple[Any, list[bytes], threading.Event, threading.Event]:
    """An application that keeps the loop at ``/hold``; the paths in the order in which they began,
    and the events that say that it does so, and that it may go on. What clients send meanwhile has
    all come when the loop looks next.
    """
    order: list[bytes] = []
    held, go_on = threading.Event(), threading.Event()

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        order.append(scope["raw_path"])
        if scope["raw_path"] == b"/hold":
            held.set()
            assert go_on.wait(PATIENCE)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app, order, held, go_on


def test_a_burst_leaves_others_their_turn() -> None:
    """What one client sends at once is begun in portions: somebody who asks just then does not wait
    for all of it.
    """
    app, order, held, go_on = an_app_that_holds()
    with run_worker(app) as worker, Peer(worker.connect()) as many, Peer(worker.connect()) as one:
        one.ping()
        many.send(many.headers(1, request(path=b"/hold"), end=True))
        assert held.wait(PATIENCE)
        streams = range(3, 199, 2)
        many.send(*(many.headers(number, request(path=b"/many"), end=True) for number in streams))
        one.send(one.headers(1, request(path=b"/one"), end=True))
        go_on.set()
        assert one.answer(1).status == 200
        assert all(many.answer(number).status == 200 for number in streams)
    assert order.index(b"/one") < 50


def test_a_burst_that_no_budget_counts_leaves_others_their_turn() -> None:
    """Frames that an honest client sends in numbers came out of no turn: whoever sent nothing else
    stopped a worker.
    """
    app, order, held, go_on = an_app_that_holds()
    with run_worker(app) as worker, Peer(worker.connect()) as many, Peer(worker.connect()) as one:
        one.ping()
        many.send(many.headers(1, request(path=b"/hold"), end=True))
        assert held.wait(PATIENCE)
        nothing = WindowUpdateFrame(0, window_increment=1).serialize() * 1000
        many.send(nothing, many.headers(3, request(path=b"/many"), end=True))
        one.send(one.headers(1, request(path=b"/one"), end=True))
        go_on.set()
        assert one.answer(1).status == many.answer(3).status == 200
    assert order == [b"/hold", b"/one", b"/many"]


def test_what_is_taken_back_in_the_same_breath_never_begins() -> None:
    """Whoever floods had each of those requests begun, cancelled, and its connection to the
    upstream thrown away.
    """
    begun: list[bytes] = []

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        begun.append(scope["raw_path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with run_worker(app) as worker, Peer(worker.connect()) as peer:
        peer.send(*(PingFrame(0, b"x" * 8) for _ in range(100)))
        peer.ping()
        requests = [peer.headers(number, request(path=b"/no"), end=True) for number in range(1, 101, 2)]
        resets = [RstStreamFrame(number, 8) for number in range(1, 101, 2)]
        peer.send(*requests, *resets, peer.headers(101, request(path=b"/yes"), end=True))
        assert peer.answer(101).status == 200
        assert begun == [b"/yes"]


def test_requests_that_were_reset_before_they_began_are_forgotten() -> None:
    """Their tasks end without having run: they once counted as running for as long as the
    connection lived.
    """
    with run_worker(echo, ServerLimits(idle_frames=1000)) as worker, Peer(worker.connect()) as peer:
        for number in range(1, 601, 2):
            peer.send(peer.headers(number, request(), end=True), RstStreamFrame(number, 8))
        assert peer.get(601).status == 200
        assert worker.connections.limits_hit == {}


def test_a_reset_leaves_no_garbage() -> None:
    """A cycle for each would make the collector hold everybody up now and then."""

    @http_app
    async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["raw_path"] == b"/begun":
            # An empty piece sends the head.
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await asyncio.sleep(PATIENCE)
        await send({"type": "http.response.body", "body": b""})

    with run_worker(app, ServerLimits(idle_frames=1000)) as worker, Peer(worker.connect()) as peer:
        assert peer.get(1).status == 200
        gc.collect()
        gc.disable()
        try:
            for number in range(3, 203, 4):
                peer.send(peer.headers(number, request(), end=True), RstStreamFrame(number, 8))
                peer.send(peer.headers(number + 2, request(path=b"/begun"), end=True))
                peer.until(lambda number=number: peer.of(number + 2).heads)
                peer.send(RstStreamFrame(number + 2, 8))
            peer.ping()
            found = gc.collect()
        finally:
            gc.enable()
        assert found == 0
