"""How requests and connections end: broken off on either side, too slow, asked to go."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from hyperframe.frame import GoAwayFrame, HeadersFrame, RstStreamFrame

from sentinel_host.errors import ClientError, ResponseAborted
from sentinel_host.http.server import ServerLimits
from tests.http1.harness import Worker, answer, echo, eventually, http_app, passing, read_body, run_worker, timed
from tests.http2.peer import Peer, data, request
from tests.support.clocks import PATIENCE
from tests.support.loops import MINUTES, leap

NO_ERROR, INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM = 0, 2, 8, 11


class TestApplicationsThatBreakOff:
    @pytest.mark.parametrize("error", [ResponseAborted("upstream left"), RuntimeError("bug"), ClientError("late")])
    def test_after_the_head_the_stream_is_reset_at_once(self, error: Exception) -> None:
        """An abort sent no RST_STREAM: the client waited for the rest of a response that nobody
        would send.
        """

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            await send({"type": "http.response.body", "body": b"part", "more_body": True})
            raise error

        with run_worker(app) as worker, Peer(worker.connect()) as peer:
            got = peer.get(1)
            assert (got.status, got.body, got.ended, got.reset) == (200, b"part", False, INTERNAL_ERROR)
            peer.ping()

    def test_before_the_head_there_is_an_answer(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            raise {"/bug": RuntimeError("x"), "/client": ClientError("no", 418)}[scope["path"]]

        with run_worker(app) as worker, Peer(worker.connect()) as peer:
            got = peer.get(1, b"/bug")
            assert (got.status, got.body, got.ended) == (500, b'{"error": "internal error"}', True)
            got = peer.get(3, b"/client")
            assert (got.status, got.body) == (418, b'{"error": "no"}')

    @pytest.mark.parametrize(("length", "body"), [(5, b"1234"), (3, b"1234")])
    def test_a_body_that_is_not_of_its_length(self, length: int, body: bytes) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % length)]})
            await send({"type": "http.response.body", "body": b"", "more_body": True})
            await send({"type": "http.response.body", "body": body})

        with run_worker(app) as worker, Peer(worker.connect()) as peer:
            got = peer.get(1)
            assert (got.ended, got.reset) == (False, INTERNAL_ERROR)

    def test_that_return_too_early(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            return

        with run_worker(app) as worker, Peer(worker.connect()) as peer:
            assert peer.get(1).status == 500


class Waiting:
    """An application that waits, and says how that ended."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.cancelled = threading.Semaphore(0)

    def app(self) -> Any:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/quick":
                for message in answer(b"quick"):
                    await send(message)
                return
            if scope["path"] == "/streaming":
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            self.begun.release()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.release()

        return app


class TestClientsThatLeave:
    @pytest.mark.parametrize("path", [b"/", b"/streaming"])
    def test_a_reset_cancels_that_request_alone(self, path: bytes) -> None:
        waiting = Waiting()
        with run_worker(waiting.app(), grace=0) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"GET", path), end=True), peer.headers(3, request(), end=True))
            assert waiting.begun.acquire(timeout=PATIENCE)
            assert waiting.begun.acquire(timeout=PATIENCE)
            peer.send(RstStreamFrame(1, CANCEL))
            assert waiting.cancelled.acquire(timeout=PATIENCE)
            assert not waiting.cancelled.acquire(timeout=0.1)
            assert peer.get(5, b"/quick").body == b"quick"

    def test_a_connection_that_ends_cancels_all(self) -> None:
        waiting = Waiting()
        with run_worker(waiting.app()) as worker:
            with Peer(worker.connect()) as peer:
                peer.send(*(peer.headers(number, request(b"POST")) for number in (1, 3)))
                assert waiting.begun.acquire(timeout=PATIENCE)
                assert waiting.begun.acquire(timeout=PATIENCE)
            assert waiting.cancelled.acquire(timeout=PATIENCE)
            assert waiting.cancelled.acquire(timeout=PATIENCE)
            eventually(lambda: worker.connections.open == 0)

    def test_a_thousand_that_leave_in_the_middle_leave_nothing(self) -> None:
        waiting = Waiting()
        with run_worker(waiting.app()) as worker:
            for _ in range(20):
                with Peer(worker.connect()) as peer:
                    for number in range(1, 101, 2):
                        peer.send(peer.headers(number, request(b"POST")), data(number, b"x" * 1000))
                    for _ in range(50):
                        assert waiting.begun.acquire(timeout=PATIENCE)
            for _ in range(1000):
                assert waiting.cancelled.acquire(timeout=PATIENCE)
            eventually(lambda: worker.connections.open == 0)


class TestDeadlines:
    def test_a_body_that_stops(self) -> None:
        with run_worker(echo, timed(body_idle=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST")), data(1, b"x"), peer.headers(3, request(b"POST")))
            for _ in range(6):
                peer.send(data(3, b"x" * 2000))
                peer.ping()
                worker.leap(0.4 * MINUTES)
            assert peer.answer(1).status == 408
            peer.send(data(3, end=True))
            assert peer.answer(3).status == 200
            assert worker.connections.limits_hit == {"body_idle": 1}

    def test_a_call_may_be_silent_for_as_long_as_a_tunnel(self) -> None:
        """A stream of small messages, a minute apart, was cut off: they were no progress."""
        limits = timed(body_idle=MINUTES, tunnel_idle=3 * MINUTES)
        with run_worker(echo, limits, leaps=True) as worker, Peer(worker.connect()) as peer:
            for number, kind in ((1, b"application/grpc"), (3, b"application/grpc+proto")):
                peer.send(peer.headers(number, request(b"POST", b"/", (b"content-type", kind))), data(number, b"x"))
            for _ in range(4):
                peer.send(data(1, b"x"))
                peer.ping()
                worker.leap(2 * MINUTES)
            assert peer.answer(3).status == 408
            peer.send(data(1, end=True))
            assert peer.answer(1).body == b"POST / xxxxx"
            assert worker.connections.limits_hit == {"tunnel_idle": 1}

    def test_a_body_that_is_idle_while_its_response_flows(self) -> None:
        """As on HTTP/1: a stream both ways, on which one side was silent, was cut off."""

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(10):
                await leap(0.4 * MINUTES)
                await send({"type": "http.response.body", "body": b"tick.", "more_body": True})
            await send({"type": "http.response.body", "body": await read_body(receive)})

        with run_worker(app, timed(body_idle=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST")), data(1, b"x"))
            peer.until(lambda: len(peer.of(1).body) == 50)
            peer.send(data(1, b"y", end=True))
            assert peer.answer(1).body == b"tick." * 10 + b"xy"
            assert worker.connections.limits_hit == {}

    def test_a_body_that_is_idle_beside_a_response_that_flows(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/other":
                await echo(scope, receive, send)
                return
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(10):
                await leap(0.4 * MINUTES)
                await send({"type": "http.response.body", "body": b"tick.", "more_body": True})
            await send({"type": "http.response.body", "body": b""})

        with run_worker(app, timed(body_idle=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST", b"/other")), peer.headers(3, request(), end=True))
            assert peer.answer(1).status == 408
            assert peer.answer(3).body == b"tick." * 10
            assert worker.connections.limits_hit == {"body_idle": 1}

    def test_a_slow_application_is_not_a_slow_client(self) -> None:
        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            await leap(3 * MINUTES)
            for message in answer(await read_body(receive)):
                await send(message)

        with run_worker(app, timed(body_idle=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST")), *(data(1, b"x" * 16384) for _ in range(4)))
            peer.until(lambda: peer.credit.get(1, 0))
            peer.send(data(1, end=True))
            assert len(peer.answer(1).body) == 65536

    def test_the_whole_time_of_a_body(self) -> None:
        with run_worker(echo, timed(body_time=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST")))
            while not peer.of(1).over:
                peer.send(data(1, b"x" * 1100))
                peer.ping()
                worker.leap(0.4 * MINUTES)
            assert peer.of(1).status == 408
            assert worker.connections.limits_hit == {"body_time": 1}

    def test_a_connection_that_is_idle(self) -> None:
        with run_worker(echo, timed(keep_alive_idle=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.get(1)
            worker.leap(0.4 * MINUTES)
            peer.ping()
            worker.leap(MINUTES)
            peer.read_to_end()
            assert [(frame.error_code, frame.last_stream_id) for frame in peer.goaways] == [(NO_ERROR, 1)]
            assert worker.connections.limits_hit == {"keep_alive_idle": 1}

    def test_a_connection_without_a_request(self) -> None:
        with run_worker(echo, timed(head_time=MINUTES), leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.ping()
            worker.leap(MINUTES)
            peer.read_to_end()
            assert worker.connections.limits_hit == {"head_time": 1}

    @pytest.mark.parametrize("cut", [-3, None])
    def test_a_head_that_stops(self, cut: int | None) -> None:
        """A head in progress beside other streams has the time that a head has, not theirs."""
        limits = timed(head_time=MINUTES)
        with run_worker(Waiting().app(), limits, grace=0, leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(), end=True))
            peer.ping()
            peer.send(HeadersFrame(3, peer.encoder.encode(request())).serialize()[:cut])
            with passing(worker, 0.4 * MINUTES):
                peer.read_to_end()
            assert [frame.error_code for frame in peer.goaways] == [ENHANCE_YOUR_CALM]
            assert worker.connections.limits_hit["head_time"] == 1


class TestConnectionsThatEnd:
    def test_the_last_request_of_a_connection(self) -> None:
        with run_worker(echo, ServerLimits(requests_per_connection=3)) as worker, Peer(worker.connect()) as peer:
            assert [peer.get(number).status for number in (1, 3, 5)] == [200, 200, 200]
            peer.read_to_end()
            assert [(frame.error_code, frame.last_stream_id) for frame in peer.goaways] == [(NO_ERROR, 5)]

    def test_a_client_that_says_goodbye_gets_its_answers(self) -> None:
        with run_worker(echo) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"POST")), GoAwayFrame(0), data(1, b"x", end=True))
            assert peer.answer(1).body == b"POST / x"
            peer.read_to_end()

    def test_shutdown_lets_requests_end(self) -> None:
        release = asyncio.Event()

        @http_app
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if scope["path"] == "/slow":
                await release.wait()
            else:
                release.set()
            for message in answer(b"whole"):
                await send(message)

        with run_worker(app, grace=MINUTES) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(b"GET", b"/slow"), end=True))
            peer.ping()
            worker.begin_stop()
            peer.until(lambda: peer.goaways)
            assert peer.goaways[0].last_stream_id == (1 << 31) - 1
            # What was on its way when the announcement came is served.
            assert peer.get(3).body == b"whole"
            assert peer.answer(1).body == b"whole"
            peer.read_to_end()
            assert peer.goaways[-1].last_stream_id == 3
            worker.join()

    def test_shutdown_cuts_off_what_does_not_end(self) -> None:
        waiting = Waiting()
        with run_worker(waiting.app(), timed(), grace=MINUTES, leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.send(peer.headers(1, request(), end=True))
            peer.ping()
            worker.begin_stop()
            peer.until(lambda: peer.goaways)
            worker.leap(MINUTES / 2)
            assert not waiting.cancelled.acquire(blocking=False)
            worker.leap(MINUTES)
            worker.join()
            assert waiting.cancelled.acquire(timeout=PATIENCE)

    def test_idle_connections_close_at_shutdown(self) -> None:
        with run_worker(echo, timed(), grace=MINUTES, leaps=True) as worker, Peer(worker.connect()) as peer:
            peer.get(1)
            # Long enough for its next request not to be on the way.
            worker.leap(MINUTES)
            worker.begin_stop()
            worker.join()
            peer.read_to_end()
            assert peer.goaways[-1].last_stream_id == 1

    def test_too_many_connections(self) -> None:
        def refused(worker: Worker) -> bool:
            with Peer(worker.connect()) as other:
                other.read_to_end()
                return not other.answers

        with run_worker(echo, ServerLimits(connections=1)) as worker, Peer(worker.connect()) as peer:
            assert peer.get(1).status == 200
            assert refused(worker)
            assert peer.get(3).status == 200
