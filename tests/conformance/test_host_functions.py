"""Both SDKs call the functions of the host by the same rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_host.abi.codec import encode_config, encode_request_head
from sentinel_host.messages import RequestHead, Response
from sentinel_host.sandbox import GuestEngine, load_guest
from sentinel_host.sandbox.grants import ALL

HEAD = encode_request_head(RequestHead("GET", "/", None, [], "http", "h", "192.0.2.1", "r", "/", "1.1"))

Calls = Callable[..., list[str]]


@pytest.fixture
def engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture
def calls(calling_guest: Path, engine: GuestEngine) -> Calls:
    """Lets the guest call some functions, each a line of words; returns a line for each."""
    guest = load_guest(calling_guest, "host-functions", engine, grants=ALL)

    def answers(*lines: str) -> list[str]:
        middleware = guest.middleware(encode_config({"calls": lines}))

        async def main() -> Response:
            answer = middleware.on_request(HEAD, "r")
            found = await answer if asyncio.iscoroutine(answer) else answer
            middleware.close()
            return found.response  # type: ignore[union-attr]

        return asyncio.run(main()).body.decode().split("\n")

    return answers


def test_clock(calls: Calls) -> None:
    before = time.time_ns(), time.monotonic_ns()
    wall, monotonic = map(int, calls("clock")[0].split())
    assert before[0] <= wall <= time.time_ns()
    assert before[1] <= monotonic <= time.monotonic_ns()


def test_random(calls: Calls) -> None:
    lines = calls("random 0", "random 16", "random 16", "random 1000", "number", "number")
    assert [len(line) for line in lines[:4]] == [0, 32, 32, 2000]
    assert len(set(lines)) == 6


def test_metrics(calls: Calls, engine: GuestEngine) -> None:
    calls("add logins 2", "add logins 3 result=ok", "add logins 5 result=ok", "observe age 0.3 a=1 b= c=ü d=4")
    assert engine.metrics() == {
        "host-functions": [
            ("logins", (), False, (2,)),
            ("logins", ("result", "ok"), False, (8,)),
            ("age", ("a", "1", "b", "", "c", "ü", "d", "4"), True, (*[0] * 8, 1, *[0] * 8, 0.3)),
        ]
    }
    calls("add Logins 1", "add logins 1 a=1 b=2 c=3 d=4 e=5", "observe age NaN", "add logins_total 1", "add x 1 le=1")
    counts = engine.snapshot()["host-functions"]
    assert (counts["metrics_invalid"], counts["metrics_full"]) == (5, 0)
