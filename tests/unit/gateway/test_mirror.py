"""Copies of requests, without any upstream: what is kept for one, and when it is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from sentinel_host.errors import Progress, UpstreamError
from sentinel_host.gateway.mirror import LIMIT, Copy, Mirror, MirroredBody
from sentinel_host.gateway.stats import MirrorCounts
from sentinel_host.messages import Headers, RequestHead
from sentinel_host.upstream import Upstream, UpstreamCall


class Shadow:
    """An upstream that takes a body once it is told to, and then answers with ``answer``."""

    hash_key = None

    def __init__(self, answer: bytes | UpstreamError = b"") -> None:
        self.go = asyncio.Event()
        self.calls: list[UpstreamCall] = []
        self.body = b""
        self.responses: list[Response] = []
        self._answer = answer

    async def send(self, call: UpstreamCall) -> Response:
        self.calls.append(call)
        await self.go.wait()
        source = call.request.body
        if not isinstance(source, bytes):
            while data := await source.read():
                self.body += data
        if isinstance(self._answer, UpstreamError):
            raise self._answer
        self.responses.append(Response(self._answer))
        return self.responses[-1]


class Response:
    """One answer of such an upstream."""

    def __init__(self, body: bytes) -> None:
        self.was_ended = False
        self._pieces = [body]

    async def read(self) -> bytes:
        return self._pieces.pop() if self._pieces else b""

    def abort(self) -> None:
        self.was_ended = True


class Pieces:
    """A `BodySource`."""

    def __init__(self, *pieces: bytes) -> None:
        self.trailers: Headers = [(b"x-sum", b"1")]
        self._pieces = [*pieces, b""]

    async def read(self) -> bytes:
        return self._pieces.pop(0)


HEAD = RequestHead("POST", "/a", "b=c", [(b"x", b"y")], "http", "h", "10.0.0.1", "", "", "1.1")


def begin(mirror: Mirror, shadow: Shadow, source: Any, counts: MirrorCounts) -> Copy | None:
    return mirror.begin(cast(Upstream, shadow), HEAD, b"", source, None, counts)


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


async def turn(times: int = 50) -> None:
    """Let the event loop do all that it can do: nothing here waits for anything else."""
    for _ in range(times):
        await asyncio.sleep(0)


PIECE = b"x" * (LIMIT // 2)


@pytest.mark.parametrize(
    ("pieces", "is_kept"),
    [
        ([], True),
        ([b"x" * LIMIT], True),
        ([b"x" * (LIMIT + 1)], True),
        ([PIECE, PIECE], True),
        ([PIECE, PIECE, b"x"], False),
        ([b"x", b"x" * LIMIT], False),
        ([b"x" * (LIMIT + 1), b"x"], False),
    ],
)
def test_how_much_of_an_unread_body_is_kept(pieces: list[bytes], is_kept: bool) -> None:
    async def main() -> None:
        shadow, counts, source = Shadow(), MirrorCounts(), Pieces(*pieces)
        copy = begin(Mirror("shadow", 100), shadow, source, counts)
        assert copy is not None
        body = MirroredBody(source, copy)
        read = [await body.read() for _ in range(len(pieces) + 1)]
        # The request gets all of it in any case.
        assert read == [*pieces, b""]
        assert body.trailers == source.trailers
        copy.close()
        shadow.go.set()
        await turn()
        assert dict(counts.by_result()) == {"answered": int(is_kept), "failed": 0, "dropped": int(not is_kept)}
        assert shadow.body == (b"".join(pieces) if is_kept else b"")
        assert copy.trailers == source.trailers or not is_kept

    run(main)


def test_one_that_is_as_fast_as_its_request_gets_any_body() -> None:
    async def main() -> None:
        shadow, counts, source = Shadow(), MirrorCounts(), Pieces(*[b"x" * 256_000] * 20)
        shadow.go.set()
        copy = begin(Mirror("shadow", 100), shadow, source, counts)
        assert copy is not None
        body = MirroredBody(source, copy)
        while await body.read():
            pass
        copy.close()
        await turn()
        assert (counts.answered, len(shadow.body)) == (1, 20 * 256_000)

    run(main)


def test_a_request_that_ends_before_its_body_does() -> None:
    async def main() -> None:
        shadow, counts, source = Shadow(), MirrorCounts(), Pieces(b"x", b"y")
        shadow.go.set()
        copy = begin(Mirror("shadow", 100), shadow, source, counts)
        assert copy is not None
        await MirroredBody(source, copy).read()
        copy.close()
        await turn()
        assert counts.dropped == 1

    run(main)


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (b"", "answered"),
        (b"small", "answered"),
        (b"x" * (LIMIT + 1), "answered"),
        (UpstreamError("reset", "reset", Progress.SENT), "failed"),
    ],
)
def test_what_an_answer_counts_as(answer: bytes | UpstreamError, result: str) -> None:
    async def main() -> None:
        shadow, counts = Shadow(answer), MirrorCounts()
        copy = begin(Mirror("shadow", 100), shadow, b"body", counts)
        assert copy is not None
        # The body is in memory: the request may be over at once.
        copy.close()
        shadow.go.set()
        await turn()
        assert dict(counts.by_result())[result] == 1
        assert all(response.was_ended for response in shadow.responses)
        (call,) = shadow.calls
        assert (call.repeatable, call.request.target, call.request.body) == (False, b"/a?b=c", b"body")
        assert call.request.headers == HEAD.headers
        assert call.request.headers is not HEAD.headers

    run(main)


def test_copies_that_hang_are_bounded() -> None:
    async def main() -> None:
        shadow, counts, mirror = Shadow(), MirrorCounts(), Mirror("shadow", 100)
        copies = [begin(mirror, shadow, b"", counts) for _ in range(300)]
        assert sum(copy is None for copy in copies) == counts.dropped == 300 - 256
        shadow.go.set()
        await turn()
        assert counts.answered == 256
        assert begin(mirror, shadow, b"", counts) is not None

    run(main)


@pytest.mark.parametrize("percent", [1, 50, 99, 100])
def test_percent(percent: int) -> None:
    mirror = Mirror("shadow", percent)
    chosen = sum(mirror.chooses() for _ in range(20_000))
    # Seven standard deviations.
    assert chosen / 20_000 == pytest.approx(percent / 100, abs=0.025 if percent < 100 else 0)
