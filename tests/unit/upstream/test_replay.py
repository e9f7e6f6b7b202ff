"""Bodies that are read again from the beginning, or say that they cannot be."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from sentinel_host.http.relay import RelaySource
from sentinel_host.upstream.replay import ReplayableBody


class Source:
    """Pieces, then the end; counts how many were asked for."""

    def __init__(self, *pieces: bytes) -> None:
        self.trailers: list[tuple[bytes, bytes]] = []
        self.asked = 0
        self._pieces = list(pieces)

    async def read(self) -> bytes:
        self.asked += 1
        if self._pieces:
            return self._pieces.pop(0)
        self.trailers = [(b"checksum", b"1")]
        return b""


async def rest(body: ReplayableBody) -> bytes:
    read = b""
    while data := await body.read():
        read += data
    return read


@pytest.mark.parametrize("before", range(4), ids="after {} pieces".format)
def test_a_small_body_is_read_again_from_wherever_the_first_try_ended(before: int) -> None:
    async def scenario() -> None:
        source = Source(b"ab", b"c", b"def")
        body = ReplayableBody(source)
        for _ in range(before):
            await body.read()
        assert source.asked == before, "nothing is read ahead"
        assert body.rewind()
        assert await rest(body) == b"abcdef"
        assert body.rewind()
        assert await rest(body) == b"abcdef"
        assert source.asked == 4
        assert body.trailers == [(b"checksum", b"1")]

    asyncio.run(scenario())


def test_no_relay_takes_what_may_have_to_be_read_again() -> None:
    class Relayed(Source):
        """Says where a relay may read, which nobody does here."""

        relayed = 0

        def relay_source(self) -> RelaySource | None:
            return cast(RelaySource, self)

        def on_relayed(self, size: int) -> None:
            self.relayed += size

    async def scenario() -> None:
        source = Relayed(b"x" * 10, b"y" * 10, b"z")
        body = ReplayableBody(source, limit=20, relayable=source)
        for _ in range(2):
            assert body.relay_source() is None
            await body.read()
        assert body.relay_source() is None
        await body.read()
        assert body.relay_source() is source
        assert not body.rewind()
        body.on_relayed(7)
        assert source.relayed == 7

    asyncio.run(scenario())


def test_a_body_as_long_as_the_limit_is_kept_and_a_longer_one_is_not() -> None:
    async def scenario() -> None:
        body = ReplayableBody(Source(b"x" * 10, b"y" * 10), limit=20)
        assert await rest(body) == b"x" * 10 + b"y" * 10
        assert body.rewind()
        long = ReplayableBody(Source(b"x" * 10, b"y" * 11), limit=20)
        await long.read()
        assert long.rewind()
        assert await rest(long) == b"x" * 10 + b"y" * 11
        assert not long.rewind()

    asyncio.run(scenario())


def test_what_the_source_raises_comes_out_and_can_be_tried_again() -> None:
    class Failing(Source):
        async def read(self) -> bytes:
            if self.asked == 1:
                self.asked += 1
                raise ValueError("the client is slow")
            return await super().read()

    async def scenario() -> None:
        body = ReplayableBody(Failing(b"a", b"b"))
        assert await body.read() == b"a"
        with pytest.raises(ValueError, match="slow"):
            await body.read()
        assert body.rewind()
        assert await rest(body) == b"ab"

    asyncio.run(scenario())
