from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import pytest

from sentinel_host.abi.encode import encode_summary
from sentinel_host.errors import GuestBusy, GuestError, GuestQuarantined, GuestTrap
from sentinel_host.messages import (
    Answer,
    Edit,
    Origin,
    Outcome,
    RequestAction,
    RequestEdits,
    RequestHead,
    Response,
    ResponseAction,
    ResponseEdits,
    ResponseHead,
    Summary,
)
from sentinel_host.pipeline import Chain, ChainRun


@dataclass
class Fake:
    """A guest in plain Python: answers what it is given, and writes down what it saw."""

    name: str
    seen: list[tuple[str, str, list[Any], bytes]]
    request: RequestAction | GuestError | None = None
    response: ResponseAction | GuestError | None = None
    complete: GuestError | None = None
    on_failure: str = "closed"
    waits_for: asyncio.Event | None = None
    direct: None = None
    handles_request: bool = True
    handles_response: bool = True
    handles_completion: bool = True
    records: list[bytes] = field(default_factory=list)

    def on_request(
        self, record: bytes, request_id: bytes, client: str
    ) -> RequestAction | Awaitable[RequestAction | None] | None:
        assert client == "::1"
        self.records.append(record)
        self.seen.append((self.name, "request", msgpack.unpackb(record), b""))
        return self._answer(self.request)

    def on_response(
        self, record: bytes, context: bytes, request_id: bytes, client: str
    ) -> ResponseAction | Awaitable[ResponseAction | None] | None:
        self.records.append(record)
        self.seen.append((self.name, "response", msgpack.unpackb(record), context))
        return self._answer(self.response)

    def on_complete(self, record: bytes, context: bytes, request_id: bytes, client: str) -> Awaitable[None] | None:
        self.seen.append((self.name, "complete", msgpack.unpackb(record), context))
        return self._answer(self.complete)

    def _answer(self, answer: Any) -> Any:
        if self.waits_for is not None:
            return self._wait(self.waits_for, answer)
        if isinstance(answer, GuestError):
            raise answer
        return answer

    async def _wait(self, event: asyncio.Event, answer: Any) -> Any:
        await event.wait()
        if isinstance(answer, GuestError):
            raise answer
        return answer


TRAP = GuestTrap("b", "on-request", "unreachable")
Seen = list[tuple[str, str, list[Any], bytes]]


def chain(seen: Seen, **guests: dict[str, Any]) -> Chain:
    return Chain(
        [Fake(name, seen, **options) for name, options in guests.items()],
        lambda error: Response(error.status, [(b"x-refused", b"1")], b"refused"),
    )


class Way:
    """A run whose waiting hooks are waited for."""

    def __init__(self, guests: Chain) -> None:
        self.run = ChainRun(guests, "r1", "::1")

    @property
    def upstream(self) -> str | None:
        return self.run.upstream

    def on_request(self, head: RequestHead) -> tuple[ResponseHead, bytes] | None:
        waits = self.run.on_request(head)
        return None if waits is None else asyncio.run(waits)

    def on_response(self, head: ResponseHead) -> bytes | None:
        waits = self.run.on_response(head)
        return None if waits is None else asyncio.run(waits)

    def on_complete(self, told: Summary) -> None:
        self.run.on_complete(told)


def run_of(chain_: Chain) -> Way:
    return Way(chain_)


def request_head() -> RequestHead:
    return RequestHead("GET", "/a", None, [(b"x", b"1")], "http", "h", "::1", "r1", "/", "1.1")


def response_head() -> ResponseHead:
    return ResponseHead(200, [(b"y", b"1")], Origin.UPSTREAM)


def summary() -> Summary:
    return Summary("r1", "GET", "/a", None, "/", "h", "::1", "1.1", 0)


def test_completion_hooks_get_the_whole_summary() -> None:
    seen: Seen = []
    told = Summary(
        "id", "PUT", "/p", "q=1", "/r", "host", "::2", "2", 1 << 50, 7, 404, 1 << 40, 300,
        Outcome.UPSTREAM_ABORTED, Origin.UPSTREAM, "blue", 5, "[::1]:80", 3,
    )  # fmt: skip
    run_of(chain(seen, a={})).on_complete(told)
    assert [record for _, _, record, _ in seen] == [msgpack.unpackb(encode_summary(told))]
    assert len(set(map(repr, seen[0][2]))) == 19


def order(seen: Seen) -> list[str]:
    return [f"{hook} {name}" for name, hook, _, _ in seen]


def test_hooks_run_in_order_and_in_reverse() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={}, b={}, c={}))
    assert way.on_request(request_head()) is None
    assert way.on_response(response_head()) is None
    way.on_complete(summary())
    assert order(seen) == [f"request {n}" for n in "abc"] + [f"response {n}" for n in "cba"] + [
        f"complete {n}" for n in "cba"
    ]


def test_a_hook_that_is_not_there_is_not_called() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={"handles_request": False}, b={"handles_response": False, "handles_completion": False}))
    way.on_request(request_head())
    way.on_response(response_head())
    way.on_complete(summary())
    assert order(seen) == ["request b", "response a", "complete a"]


def test_the_next_guest_sees_the_edits_and_equal_heads_are_encoded_once() -> None:
    seen: Seen = []
    edits = RequestEdits([(Edit.SET, b"x", b"2"), (Edit.APPEND, b"x", b"3")], path="/b", query="q", method="PUT")
    guests = chain(seen, a={}, b={"request": edits}, c={}, d={})
    head = request_head()
    run_of(guests).on_request(head)
    assert (head.path, head.query, head.method) == ("/b", "q", "PUT")
    assert [entry[2][1] for entry in seen] == ["/a", "/a", "/b", "/b"]
    assert seen[2][2][3] == [["x", b"2"], ["x", b"3"]]
    records = [guest.records[0] for guest in guests.guests if isinstance(guest, Fake)]
    assert records[0] is records[1]
    assert records[2] is records[3]


def test_removing_a_header_and_the_query() -> None:
    head = request_head()
    head.query = "q"
    way = run_of(chain([], a={"request": RequestEdits([(Edit.REMOVE, b"x", b"")], query="")}))
    way.on_request(head)
    assert head.headers == []
    assert head.query is None


def test_an_answer_stops_the_chain_and_passes_the_response_hooks_of_the_guests_before() -> None:
    seen: Seen = []
    answer = Answer(Response(401, [], b"no"), b"b's context")
    way = run_of(chain(seen, a={"request": RequestEdits(context=b"a's context")}, b={"request": answer}, c={}))
    made = way.on_request(request_head())
    assert made is not None
    head, body = made
    assert (head.status, head.origin, body) == (401, Origin.GUEST, b"no")
    way.on_response(head)
    way.on_complete(summary())
    assert order(seen) == ["request a", "request b", "response a", "complete c", "complete b", "complete a"]
    assert {entry[0]: entry[3] for entry in seen if entry[1] == "complete"} == {
        "a": b"a's context",
        "b": b"b's context",
        "c": b"",
    }


def test_a_guest_that_fails_closed_stops_the_chain() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={}, b={"request": TRAP}, c={}))
    made = way.on_request(request_head())
    assert made is not None
    assert (made[0].status, made[0].origin, made[1]) == (503, Origin.GATEWAY, b"refused")
    way.on_response(made[0])
    assert order(seen) == ["request a", "request b", "response a"]


def test_a_guest_that_fails_open_is_skipped() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={"request": TRAP, "on_failure": "open"}, b={}))
    assert way.on_request(request_head()) is None
    assert order(seen) == ["request a", "request b"]


def test_a_guest_chooses_the_upstream() -> None:
    way = run_of(chain([], a={"request": RequestEdits(upstream="blue")}, b={"request": RequestEdits(upstream="green")}))
    way.on_request(request_head())
    assert way.upstream == "green"


def test_response_edits_are_seen_up_the_chain() -> None:
    seen: Seen = []
    edits = ResponseEdits([(Edit.SET, b"y", b"2")], status=418)
    way = run_of(chain(seen, a={}, b={"response": edits}))
    way.on_request(request_head())
    head = response_head()
    assert way.on_response(head) is None
    assert (head.status, head.headers) == (418, [(b"y", b"2")])
    assert seen[-1][2][0] == 418


def test_a_guest_replaces_the_response() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={}, b={"response": Response(500, [], b"new")}))
    way.on_request(request_head())
    head = response_head()
    assert way.on_response(head) == b"new"
    assert (head.status, head.headers, head.origin) == (500, [], Origin.GUEST)
    assert seen[-1][2] == [500, [], Origin.GUEST]


def test_a_response_hook_that_fails_closed_replaces_the_response() -> None:
    way = run_of(chain([], a={}, b={"response": TRAP}))
    way.on_request(request_head())
    head = response_head()
    assert way.on_response(head) == b"refused"
    assert (head.status, head.origin) == (503, Origin.GATEWAY)


def test_a_response_hook_that_fails_open_changes_nothing() -> None:
    way = run_of(chain([], a={"response": TRAP, "on_failure": "open"}))
    way.on_request(request_head())
    head = response_head()
    assert way.on_response(head) is None
    assert head == response_head()


def test_completion_goes_on_after_a_failure() -> None:
    seen: Seen = []
    way = run_of(chain(seen, a={}, b={"complete": TRAP}))
    way.on_complete(summary())
    assert order(seen) == ["complete b", "complete a"]


def test_hooks_that_need_time_are_awaited_in_their_turn() -> None:
    async def main() -> None:
        seen: Seen = []
        events = {name: asyncio.Event() for name in "ac"}
        edits = RequestEdits([(Edit.SET, b"x", b"2")])
        guests = chain(
            seen,
            a={"waits_for": events["a"], "request": edits, "response": ResponseEdits(status=404)},
            b={},
            c={"waits_for": events["c"]},
        )
        way = ChainRun(guests, "r1", "::1")
        head = request_head()
        asked = asyncio.ensure_future(way.on_request(head))
        await asyncio.sleep(0)
        assert order(seen) == ["request a"]
        assert not asked.done()
        for event in events.values():
            event.set()
        assert await asked is None
        assert order(seen) == ["request a", "request b", "request c"]
        assert seen[1][2][3] == [["x", b"2"]]
        answer = response_head()
        assert await way.on_response(answer) is None
        assert answer.status == 404
        assert order(seen)[3:] == ["response c", "response b", "response a"]

    asyncio.run(main())


def test_a_failure_after_a_while_is_a_failure() -> None:
    async def main() -> None:
        event = asyncio.Event()
        event.set()
        guests = chain([], a={"waits_for": event, "request": TRAP, "response": TRAP})
        way = ChainRun(guests, "r1", "::1")
        made = await way.on_request(request_head())
        assert made is not None
        assert made[0].status == 503
        assert await ChainRun(guests, "r1", "::1").on_response(response_head()) == b"refused"

    asyncio.run(main())


def test_completion_goes_on_without_the_request_and_in_order() -> None:
    """The exchange may have been cancelled: nobody is left who would wait for a guest that needs
    time.
    """

    async def main() -> None:
        seen: Seen = []
        event = asyncio.Event()
        guests = chain(seen, a={}, b={"waits_for": event, "complete": TRAP}, c={}, d={"complete": TRAP})
        ChainRun(guests, "r1", "::1").on_complete(summary())
        await asyncio.sleep(0)
        assert order(seen) == ["complete d", "complete c", "complete b"]
        assert len(guests.unfinished) == 1
        event.set()
        await asyncio.wait(guests.unfinished)
        assert order(seen)[3:] == ["complete a"]
        assert not guests.unfinished

    asyncio.run(main())


@pytest.mark.parametrize("error", [GuestBusy("a", "all busy"), GuestQuarantined("a", "on-request", 5)])
def test_a_guest_that_is_not_called_fails_closed_whatever_its_configuration_says(error: GuestError) -> None:
    """Otherwise whoever floods the gateway switches its optional guests off for everybody."""
    way = run_of(chain([], a={"request": error, "response": error, "on_failure": "open"}))
    made = way.on_request(request_head())
    assert made is not None
    assert made[0].status == 503
    assert run_of(chain([], a={"response": error, "on_failure": "open"})).on_response(response_head()) == b"refused"


def test_a_chain_in_the_place_of_another_has_its_guests_at_the_same_places() -> None:
    seen: Seen = []
    answers = {"a": {"handles_response": False}, "b": {"handles_request": False}, "c": {"handles_completion": False}}
    original = chain(seen, **answers)
    watching = [Fake(name.upper(), seen) for name in answers]
    watched = Chain(watching, original.refuse, original)
    assert watched.unfinished is original.unfinished
    run = run_of(watched)
    assert run.on_request(request_head()) is None
    assert run.on_response(response_head()) is None
    run.on_complete(summary())
    # What its own guests say of themselves is not asked.
    assert order(seen) == ["request A", "request C", "response C", "response B", "complete B", "complete A"]
