from __future__ import annotations

import asyncio

from sentinel_host.http.upstream import UpstreamRequest, UpstreamResponse
from sentinel_host.http.upstream.response import BUFFER_LIMIT


class Line:
    """The connection as its response sees it."""

    resumed = 0

    def resume_reading(self):
        self.resumed += 1

    def abort(self):
        raise AssertionError("nobody aborts")


def run(test):
    async def main():
        line = Line()
        head = asyncio.get_running_loop().create_future()
        await test(line, UpstreamResponse(line, UpstreamRequest(b"GET", b"/", [], b"a"), head))

    asyncio.run(main())


def test_one_read_answers_a_complete_body():
    """Whoever sees ``complete`` sends one last piece: pieces left behind would cut the body short."""

    async def test(line, response):
        for _ in range(3):
            response.add(bytes(BUFFER_LIMIT))
        response.finish()
        assert len(await response.read()) == 3 * BUFFER_LIMIT == response.bytes_received
        assert await response.read() == b""

    run(test)


def test_reading_resumes_once_little_is_left():
    async def test(line, response):
        for size in (BUFFER_LIMIT, 10, 10):
            response.add(bytes(size))
        assert len(await response.read()) == BUFFER_LIMIT
        assert line.resumed == 1
        assert len(await response.read()) == 20
        assert response.buffered == 0

    run(test)


def test_a_piece_is_passed_on_itself():
    async def test(line, response):
        piece = bytes(1000)
        response.add(piece)
        assert await response.read() is piece

    run(test)
