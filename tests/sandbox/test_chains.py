"""A chain's hooks called by C, one after the other, against the same chain with Python between
them, which says how it is to be.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
import uvloop

from sentinel_host.abi.encode import encode_request_head, encode_summary
from sentinel_host.errors import GuestError
from sentinel_host.messages import Origin, RequestHead, Response, ResponseHead, Summary
from sentinel_host.pipeline import Chain, ChainRun
from sentinel_host.sandbox import GuestEngine, GuestMiddleware
from sentinel_host.sandbox.text import readable
from tests.support.clocks import PATIENCE
from tests.support.logs import said

from .conftest import Load
from .support import Run, both_loops, settled

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())
ANSWERS = [bytes.fromhex(vector["bytes"]) for kind in ("answers", "hostile") for vector in VECTORS[kind]]
CLIENT = "192.0.2.1"
GENERATED = {"request": 60_000, "response": 40_000}
HOSTILE = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "X-Upper",
    "x y",
    "x-ä",
    "",
]
NAMES = ["x", "x-a", "x-b", "x-api-key", "cookie", "x.dotted_name", "n" * 40]
VALUES = [b"", b"1", b"value", b"\t padded \t", b"\xff\xfe", b"bad\r\nline", b"nul\0", b"\x7f", b"v" * 300]
PATHS = [
    "/",
    "/a/b",
    "/a//b",
    "/./a",
    "/a/..",
    "/a.b",
    "/%61",
    "/%2F",
    "/%C3%A4",
    "a",
    "",
    "/a b",
    "/a?b",
    "/\u00e4",
    "/[a]",
]
QUERIES = ["", "a=1", "a=b&c", "a b", "a#b", 'a"b', "%zz", "\u00e4"]
METHODS = ["GET", "POST", "CONNECT", "get", "G T", "", "PURGE"]
STATUSES = [None, 199, 200, 204, 255, 256, 404, 599, 600, -1, 1 << 40, True, "200"]
MODES = [[0], [0, None], [0, []], [0, 5], [1], [2, 100], [3], [], None, 0]


class PythonOnly:
    """A guest that C does not call."""

    direct = None

    def __init__(self, guest: GuestMiddleware) -> None:
        self._guest = guest

    def __getattr__(self, name: str) -> Any:
        return getattr(self._guest, name)


@dataclass
class Watcher:
    """The guest behind them: keeps what it was shown, and answers nothing."""

    name = "watcher"
    on_failure = "closed"
    direct = None
    handles_request = handles_response = True
    handles_completion = False
    records: list[bytes]

    def on_request(self, record: bytes, request_id: bytes, client: str) -> None:
        self.records.append(record)

    def on_response(self, record: bytes, context: bytes, request_id: bytes, client: str) -> None:
        self.records.append(record)

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> None: ...

    def request_body(self, context: bytes, request_id: bytes, client: str) -> Any: ...

    def response_body(self, context: bytes, request_id: bytes, client: str) -> Any: ...


def refuse(error: GuestError) -> Response:
    return Response(error.status, [(b"x-refused", b"1")], str(error).encode())


def head_with(answer: bytes) -> RequestHead:
    return RequestHead("GET", "/", None, [(b"x", answer)], "http", "a", CLIENT, "r", "route", "1.1")


class Pair:
    """Two chains of the same guests, with a watcher at the end: by C, and by Python alone."""

    def __init__(self, engine: GuestEngine, direct: list[GuestMiddleware], others: list[GuestMiddleware]) -> None:
        self._engine = engine
        self._seen: list[bytes] = []
        watcher = Watcher(self._seen)
        self._chains = [
            Chain([*direct, watcher], refuse),
            Chain([*(PythonOnly(guest) for guest in others), watcher], refuse),
        ]

    async def request(self, answer: bytes) -> Any:
        """What becomes of a request to which the first guest answers so; it is the same on both
        ways.
        """
        native, python = [await self._requested(ChainRun(chain, "r", CLIENT), answer) for chain in self._chains]
        assert native == python, answer
        return native

    async def response(self, answer: bytes, context: bytes = b"") -> Any:
        """What becomes of a response to which the first guest answers so, after a request that left
        a context.
        """
        left = msgpack.packb([0, [[], context]])
        native, python = [await self._responded(chain, left, answer) for chain in self._chains]
        assert native == python, answer
        return native

    async def counted(self, answer: bytes, context: bytes) -> Any:
        """As `response`, and the counts of all guests grow alike."""
        grown = []
        for chain in self._chains:
            before = self._engine.snapshot()
            outcome = await self._responded(chain, msgpack.packb([0, [[], context]]), answer)
            after = self._engine.snapshot()
            grown.append((outcome, {name: _grown(before[name], after[name]) for name in after}))
        assert grown[0] == grown[1]
        return grown[0]

    async def _requested(self, run: ChainRun, answer: bytes) -> Any:
        head = head_with(answer)
        answered = await settled(run.on_request(head))
        shown = None if answered is None else (_shown(answered[0]), answered[1])
        line = head.method, head.path, head.query
        return shown, line, head.headers, run.upstream, _modes(run.asked_request), self._taken()

    async def _responded(self, chain: Chain, left: bytes, answer: bytes) -> Any:
        run = ChainRun(chain, "r", CLIENT)
        requested = await self._requested(run, left)
        head = ResponseHead(200, [(b"x", answer)], Origin.UPSTREAM)
        body = await settled(run.on_response(head))
        run.on_complete(Summary("r", "GET", "/", None, "route", "a", CLIENT, "1.1", 0))
        # On a busy machine any call may outlast its tick.
        while chain.unfinished:
            await asyncio.wait(chain.unfinished)
        return body, _shown(head), _modes(run.asked_response), requested, self._taken(), said(self._engine)

    def _taken(self) -> list[bytes]:
        seen = list(self._seen)
        self._seen.clear()
        return seen


def _shown(head: ResponseHead) -> Any:
    return head.status, head.headers, head.origin


def _grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """What does not depend on the time."""
    return {key: after[key] - before[key] for key in after if key not in ("cpu_ns", "suspensions", "memory_bytes")}


def _modes(asked: Any) -> Any:
    return None if asked is None else [(place, mode) for place, _, mode in asked]


@pytest.fixture
def quiet() -> Iterator[None]:
    """No line for each of thousands of failures."""
    logger = logging.getLogger("sentinel.pipeline")
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(logging.NOTSET)


class Answers:
    """Answers at random: most are plain, many nearly so."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def request(self) -> bytes:
        """One of ``on-request``."""
        chance = self._random
        fields = [
            self._edits(),
            chance.choice([b"", b"", b"kept", b"c" * 70000, None, "text"])
            if self._rarely()
            else chance.choice([b"", b"k"]),
            chance.choice(PATHS) if self._rarely() else None,
            chance.choice(QUERIES) if self._rarely() else None,
            chance.choice(METHODS) if self._rarely() else None,
            chance.choice(["blue", "green", 1]) if self._rarely() else None,
            chance.choice(MODES) if self._rarely() else [0],
            1,
        ]
        return self._packed(fields, 7)

    def response(self) -> bytes:
        """One of ``on-response``."""
        chance = self._random
        fields = [
            self._edits(),
            chance.choice(STATUSES) if chance.random() < 0.5 else None,
            chance.choice(MODES) if self._rarely() else [0],
            1,
        ]
        return self._packed(fields, 3)

    def _packed(self, fields: list[Any], most: int) -> bytes:
        chance = self._random
        action: Any = [0, fields[: chance.randint(0, most + self._rarely())]]
        if self._rarely():
            action = chance.choice(
                [
                    [0],
                    [],
                    [1, []],
                    [2, fields],
                    0,
                    [0, None],
                    {0: 1},
                    [*action, 1],
                    [0.0, fields],
                    [1, [[200, [], b"x"]]],
                ]
            )
        data = bytearray(msgpack.packb(action))
        for _ in range(chance.randint(1, 3) if self._rarely() else 0):
            place = chance.randint(0, len(data))
            data[place : place + chance.randint(0, 1)] = chance.randbytes(chance.randint(0, 2))
        return bytes(data[:-1]) if self._rarely() else bytes(data)

    def _edits(self) -> Any:
        chance = self._random
        count = chance.choice([31, 32, 33, 128, 129]) if chance.random() < 0.01 else chance.randint(0, 3)
        return [self._edit() for _ in range(count)]

    def _edit(self) -> Any:
        chance = self._random
        name = chance.choice(HOSTILE) if self._rarely() else chance.choice(NAMES)
        value: Any = chance.choice(VALUES[5:]) if self._rarely() else chance.choice(VALUES[:5])
        if self._rarely():
            return chance.choice(
                [[0, name], [2, [name, value]], [3, [name, value]], [0, [name]], [1, [name, "text"]], name, []]
            )
        return chance.choice([[0, [name, value]], [1, [name, value]], [2, name]])

    def _rarely(self) -> bool:
        return self._random.random() < 0.04


async def first_header(load: Load, engine: GuestEngine) -> Pair:
    # A call that a busy machine makes late, on one way only, is no difference.
    loaded = load("good/first_header", deadline=10.0)
    first, second = [await loaded.start_middleware(upstreams=frozenset({"blue"})) for _ in range(2)]
    return Pair(engine, [first], [second])


@both_loops
def test_answers_of_the_vectors(run: Run, load: Load, engine: GuestEngine, quiet: None) -> None:
    async def scenario() -> None:
        pair = await first_header(load, engine)
        for answer in ANSWERS:
            for _ in range(3):
                await pair.request(answer)
                await pair.response(answer, b"kept")

    run(scenario())


@pytest.mark.parametrize("hook", GENERATED)
def test_generated_answers(hook: str, load: Load, engine: GuestEngine, quiet: None) -> None:
    async def scenario() -> None:
        pair = await first_header(load, engine)
        answers = Answers(2026)
        let_through = 0
        answer = b""
        for index in range(GENERATED[hook]):
            # Every third one is given twice: C knows the last one.
            if index % 4 != 3:
                answer = answers.request() if hook == "request" else answers.response()
            outcome = await (pair.request(answer) if hook == "request" else pair.response(answer))
            let_through += outcome[0] is None
        # Neither plain ones nor others are all that there were.
        assert 0.3 < let_through / GENERATED[hook] < 0.95

    uvloop.run(scenario())


def test_generated_answers_of_several_guests(load: Load, engine: GuestEngine, quiet: None) -> None:
    """Each guest gets the record as those before it have left it."""

    async def scenario() -> None:
        loaded = load("good/first_header", deadline=10.0)
        pair = Pair(engine, *[[await loaded.start_middleware() for _ in range(4)] for _ in range(2)])
        answers = Answers(2027)
        for _ in range(400):
            await pair.request(answers.request())
            await pair.response(answers.response())

    uvloop.run(scenario())


EDIT = msgpack.packb([0, [[[1, ["x-a", b"1"]]], 201]])


@both_loops
@pytest.mark.parametrize(
    ("name", "on_failure", "limits"),
    [
        ("good/slow_edit", "closed", {}),
        ("good/slow_complete", "closed", {}),
        ("hostile/unreachable", "closed", {}),
        ("hostile/unreachable", "open", {}),
        ("hostile/complete_traps", "closed", {}),
        ("hostile/post_traps", "open", {}),
        ("good/nil", "closed", {"isolation": "request"}),
        ("good/nil", "closed", {"retire_calls": 1}),
        ("good/slow_edit", "closed", {"retire_calls": 1}),
        ("hostile/loop_always", "open", {"deadline": 0.001}),
    ],
)
def test_what_stops_c_in_the_middle(
    run: Run, load: Load, engine: GuestEngine, quiet: None, name: str, on_failure: str, limits: dict[str, Any]
) -> None:
    """The guests before and behind it see and do the same, and what each counts is the same."""

    async def scenario() -> None:
        around = load("good/first_header")
        amid = load(name, **{"deadline": PATIENCE} | limits)

        async def guests() -> list[GuestMiddleware]:
            between = await amid.start_middleware(on_failure=on_failure)
            return [await around.start_middleware(), between, await around.start_middleware()]

        pair = Pair(engine, await guests(), await guests())
        outcome, counts = await pair.counted(EDIT, b"kept")
        for _ in range(3):
            assert (await pair.counted(EDIT, b"kept"))[0] == outcome
        # Both hooks and the completion, of each that the request came by.
        came_by = on_failure == "open" or outcome[3][0] is None
        assert counts["first_header"]["calls"] == (6 if came_by else 4)

    run(scenario())


def test_a_call_that_is_left_before_it_has_its_record_gets_that_one(load: Load, engine: GuestEngine) -> None:
    """Other requests are served before it goes on."""

    async def scenario() -> None:
        slow = Chain([await load("good/slow_realloc", deadline=PATIENCE).start_middleware()], refuse)
        quick = Chain([await load("good/nil").start_middleware()], refuse)
        summary = Summary("r", "GET", "/", None, "route", "a", CLIENT, "1.1", 0)
        run = ChainRun(slow, "r", CLIENT)

        async def serve_others() -> None:
            for _ in range(3):
                await settled(ChainRun(quick, "r", CLIENT).on_request(head_with(b"other")))

        hooks = run.on_request(head_with(b"first"))
        await serve_others()
        await settled(hooks)
        run.on_complete(summary)
        await serve_others()
        while slow.unfinished:
            await asyncio.wait(slow.unfinished)
        records = encode_request_head(head_with(b"first")), encode_summary(summary)
        assert [message for *_, message in said(engine)] == [readable(record) for record in records]

    uvloop.run(scenario())


def test_a_guest_in_quarantine(load: Load, engine: GuestEngine, quiet: None) -> None:
    """C finds no instance, and Python refuses the call."""

    async def scenario() -> None:
        guest = await load("hostile/unreachable").start_middleware()
        chain = Chain([guest], refuse)
        for number in range(200):
            await settled(ChainRun(chain, "r", f"192.0.2.{number}").on_request(head_with(b"")))
        assert engine.snapshot()["unreachable"]["quarantined"] == 1
        answered = await settled(ChainRun(chain, "r", CLIENT).on_request(head_with(b"")))
        assert answered is not None
        assert b"quarantine" in answered[1]

    uvloop.run(scenario())


def test_an_answer_that_is_given_again_edits_another_head(load: Load, engine: GuestEngine) -> None:
    """Heads share the fields that one answer sets, not their lists."""

    async def scenario() -> None:
        chain = Chain([await load("good/first_header").start_middleware()], refuse)
        answers = [msgpack.packb([0, [[[0, ["x-a", value]], [1, ["x-b", b"2"]]]]]) for value in (b"1", b"3")]
        lists = []
        for answer in (answers[0], answers[0], answers[1], answers[0], answers[0]):
            head = head_with(answer)
            await settled(ChainRun(chain, "r", CLIENT).on_request(head))
            lists.append(head.headers)
            assert head.headers[1:] == [(b"x-a", b"3" if answer is answers[1] else b"1"), (b"x-b", b"2")]
            head.headers.clear()
        assert lists == [[]] * 5

    uvloop.run(scenario())
