"""What comes back from guests: actions from good ones, typed errors from hostile ones, and never a
crash.
"""

from __future__ import annotations

import random
import resource
import struct

import msgpack
import pytest

from sentinel_host.errors import GuestError, GuestLoadError, GuestProtocolError, GuestTrap
from sentinel_host.messages import Answer, RequestEdits, ResponseEdits
from sentinel_host.sandbox import GuestEngine, GuestMiddleware, Limits
from tests.support.logs import said

from .conftest import Load

PAGE = 65536


def pack(value: object) -> bytes:
    data: bytes = msgpack.packb(value)
    return data


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.fixture
def echo(load: Load) -> GuestMiddleware:
    return load("good/echo").middleware(upstreams=frozenset({"blue"}))


def test_tells_which_hooks_it_handles(load: Load, echo: GuestMiddleware) -> None:
    assert (echo.name, echo.on_failure) == ("echo", "closed")
    assert (echo.handles_request, echo.handles_response, echo.handles_completion) == (True, True, True)
    context = load("good/context").middleware(on_failure="open")
    assert (context.on_failure, context.handles_request, context.handles_response) == ("open", False, True)


def test_hooks_that_a_guest_has_no_use_for(load: Load) -> None:
    needed = load("good/needed_hooks").middleware()
    assert (needed.handles_request, needed.handles_response, needed.handles_completion) == (False, True, False)
    assert needed.on_response(b"head", b"", "r") is None
    with pytest.raises(GuestLoadError, match=r"^hostile.*: sentinel_needed_hooks: wasm `unreachable`"):
        load("hostile/needed_hooks_traps").middleware()


def test_arguments_lie_where_the_guest_lends_a_place(load: Load) -> None:
    lending = load("good/argument_area").middleware()
    least = len(pack([0, [[], b"", "/" * 32]])) - 32
    for length in (32, 64 - least, 65 - least, 200, 5000, 32):
        path = f"/{'a' * (length - 1)}"
        assert lending.on_request(pack([0, [[], b"", path]]), "r") == RequestEdits(path=path)
    context = pack([0, [[], 404]])
    for length in (64 - len(context), 65 - len(context), 64):
        assert lending.on_response(b"h" * length, context, "r") == ResponseEdits(status=404)
    assert lending.on_response(b"head", b"", "r") is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("argument_area_outside", "the argument area lies outside of memory"),
        ("argument_area_traps", "wasm `unreachable` instruction executed"),
    ],
)
def test_an_area_that_cannot_be_lent_is_refused(load: Load, name: str, reason: str) -> None:
    with pytest.raises(GuestLoadError, match=f"^hostile.*: sentinel_argument_area: {reason}"):
        load(f"hostile/{name}").middleware()


def test_nil_and_empty_answers_mean_go_on(load: Load, echo: GuestMiddleware) -> None:
    assert load("good/nil").middleware().on_request(b"head", "r") is None
    assert echo.on_request(b"\xc0", "r") is None
    assert echo.on_request(b"", "r") is None


def test_actions_are_decoded(echo: GuestMiddleware) -> None:
    assert echo.on_request(pack([0, [[[0, ["x-a", b"1"]]]]]), "r") == RequestEdits(headers=[(0, b"x-a", b"1")])
    answer = echo.on_request(pack([1, [[401, [], b"no"]]]), "r")
    assert isinstance(answer, Answer)
    assert (answer.response.status, answer.response.body) == (401, b"no")
    assert echo.on_response(pack([0, [[], 404]]), b"context", "r") == ResponseEdits(status=404)
    echo.on_complete(b"summary", b"context", "r")


def test_context_reaches_the_later_hooks(load: Load, engine: GuestEngine) -> None:
    middleware = load("good/context").middleware()
    assert middleware.on_response(b"head", pack([0, [[], 201]]), "r1") == ResponseEdits(status=201)
    assert middleware.on_response(b"", b"", "r1") is None
    middleware.on_complete(b"summary", b"kept", "r1")
    assert said(engine) == [("context", "r1", "info", "kept")]


def test_empty_lists_are_allocated_and_on_complete_may_have_a_post_return(load: Load, engine: GuestEngine) -> None:
    """CPython's guests free every list that they get, and have a post-return for on-complete."""
    middleware = load("good/frees_all").middleware()
    middleware.on_complete(b"summary", b"", "r1")
    middleware.on_complete(b"", b"context", "r2")
    assert said(engine) == [("frees_all", "r1", "info", "summary"), ("frees_all", "r2", "info", "")]


def test_only_granted_upstreams_may_be_chosen(echo: GuestMiddleware) -> None:
    def chooses(name: str) -> bytes:
        return pack([0, [[], b"", None, None, None, name]])

    action = echo.on_request(chooses("blue"), "r")
    assert isinstance(action, RequestEdits)
    assert action.upstream == "blue"
    with pytest.raises(GuestProtocolError, match="chose the upstream 'green', which is not granted to it"):
        echo.on_request(chooses("green"), "r")


@pytest.mark.parametrize(
    ("name", "reason", "innermost"),
    [
        ("unreachable", "wasm `unreachable` instruction executed", "unreachable!inner"),
        ("recursion", "call stack exhausted", "recursion!deeper"),
        ("load_outside", "out of bounds memory access", "load_outside!"),
        ("divide_by_zero", "integer divide by zero", "divide_by_zero!"),
        ("bad_indirect", "uninitialized element", "bad_indirect!"),
        ("realloc_traps", "wasm `unreachable` instruction executed in cabi_realloc", "realloc_traps!"),
        ("post_traps", "wasm `unreachable` instruction executed in cabi_post", "post_traps!"),
    ],
)
def test_traps_are_typed_and_carry_frames(load: Load, name: str, reason: str, innermost: str) -> None:
    middleware = load(f"hostile/{name}").middleware()
    for _ in range(3):
        with pytest.raises(GuestTrap) as caught:
            middleware.on_request(b"\xc1\xc1", "r")
        assert (caught.value.guest, caught.value.hook, caught.value.reason) == (name, "on-request", reason)
        assert caught.value.backtrace[0].startswith(innermost)
        assert caught.value.status == 503
        assert "\n" not in str(caught.value)


def test_the_backtrace_names_functions_innermost_first(load: Load) -> None:
    with pytest.raises(GuestTrap) as caught:
        load("hostile/unreachable").middleware().on_request(b"x", "r")
    assert caught.value.backtrace[:2] == ("unreachable!inner", "unreachable!outer")
    assert all(frame.startswith("unreachable!") for frame in caught.value.backtrace)


def test_a_trap_in_on_complete(load: Load) -> None:
    with pytest.raises(GuestTrap, match="guest complete_traps: on-complete: "):
        load("hostile/complete_traps").middleware().on_complete(b"summary", b"", "r")


def test_a_trap_brings_a_fresh_instance(load: Load) -> None:
    middleware = load("good/counter").middleware()
    contexts = []
    for record in (b"x", b"x", b"", b"x"):
        try:
            action = middleware.on_request(record, "r")
            contexts.append(action.context if action else None)
        except GuestTrap:
            contexts.append(b"trap")
    assert contexts == [b"\x01", b"\x02", b"trap", b"\x01"]


@pytest.mark.parametrize("name", ["unreachable", "recursion"])
def test_a_thousand_traps(load: Load, name: str) -> None:
    """Row 9: clean errors on fresh instances, and memory is flat."""
    middleware = load(f"hostile/{name}").middleware()

    def trap(times: int) -> None:
        for _ in range(times):
            with pytest.raises(GuestTrap):
                middleware.on_request(b"x", "r")

    trap(100)
    before = resident_bytes()
    trap(1000)
    assert resident_bytes() < before * 1.05


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("realloc_outside", "cabi_realloc returned memory out of bounds"),
        ("realloc_negative", "cabi_realloc returned memory out of bounds"),
    ],
)
def test_realloc_outside_of_memory(load: Load, name: str, reason: str) -> None:
    middleware = load(f"hostile/{name}").middleware()
    for _ in range(2):
        with pytest.raises(GuestProtocolError) as caught:
            middleware.on_request(b"x", "r")
        assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("area", "start", "length", "reason"),
    [
        (0, 0, 0, None),
        (PAGE - 12, PAGE, 0, None),
        (PAGE - 4, 0, 0, "the return area lies outside of memory"),
        (PAGE, 0, 0, "the return area lies outside of memory"),
        (0xFFFFFFFC, 0, 0, "the return area lies outside of memory"),
        (0x80000000, 0, 0, "the return area lies outside of memory"),
        (17, 0, 0, "the return area is not aligned to 4 bytes"),
        (0xFFFFFFFF, 0, 0, "the return area is not aligned to 4 bytes"),
        (16, PAGE - 1, 2, "the result lies outside of memory"),
        (16, PAGE + 1, 0, "the result lies outside of memory"),
        (16, 0xFFFFFFFF, 0xFFFFFFFF, "the result lies outside of memory"),
        (16, 1, 0xFFFFFFFF, "the result lies outside of memory"),
        (16, 0, 0x7FFFFFFF, "the result lies outside of memory"),
    ],
)
def test_pointers_are_checked(load: Load, area: int, start: int, length: int, reason: str | None) -> None:
    middleware = load("hostile/pointers").middleware()
    record = struct.pack("<4I", area, start, length, 0)
    if reason is None:
        assert middleware.on_request(record, "r") is None
        return
    with pytest.raises(GuestProtocolError) as caught:
        middleware.on_request(record, "r")
    assert caught.value.reason == reason


def test_2000_random_pointers(load: Load) -> None:
    """Row 13: whatever a guest points at, the answer is its own memory or a clean error."""
    chance = random.Random(13)
    edges = (0, 1, 4, 8, 16, PAGE - 12, PAGE - 8, PAGE - 4, PAGE - 1, PAGE, PAGE + 4, 1 << 31, (1 << 32) - 4)
    middleware = load("hostile/pointers").middleware()
    errors = 0
    for _ in range(2000):
        numbers = [
            chance.choice(edges) + chance.choice((0, 0, 0, 1, 2, 3))
            if chance.random() < 0.7
            else chance.getrandbits(32)
            for _ in range(4)
        ]
        try:
            middleware.on_request(struct.pack("<4I", *(number & 0xFFFFFFFF for number in numbers)), "r")
        except GuestProtocolError:
            errors += 1
    assert errors > 1000


@pytest.mark.parametrize("limit", [1024 * 1024, 1000])
def test_results_are_capped(load: Load, limit: int) -> None:
    """Row 16, before anything is decoded."""
    middleware = load("hostile/long_answer", Limits(result=limit)).middleware()
    with pytest.raises(GuestProtocolError, match="answer is not MessagePack"):
        middleware.on_request(struct.pack("<I", limit), "r")
    for length in (limit + 1, 200 * PAGE):
        with pytest.raises(GuestProtocolError) as caught:
            middleware.on_request(struct.pack("<I", length), "r")
        assert caught.value.reason == "the result is longer than allowed"


GARBAGE = {
    "not an array": b"\x01",
    "truncated": pack([0, [[[0, ["x-a", b"1"]]]]])[:-1],
    "array of four billion": b"\xdd\xff\xff\xff\xff",
    "map of four billion": b"\xdf\xff\xff\xff\xff",
    "bin of four GiB": b"\x92\x00\x92\x90\xc6\xff\xff\xff\xff",
    "str of four GiB": b"\xdb\xff\xff\xff\xff",
    "never used byte": b"\xc1",
    "100,000 deep": b"\x91" * 100_000,
    "100,000 deep maps": b"\x81\x00" * 50_000,
    "extension": b"\xd4\x00\x00",
    "timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "unknown case": b"\x92\x07\x90",
    "two values": b"\xc0\xc0",
    "not UTF-8": b"\xa1\xff",
    "header of the gateway": pack([0, [[[0, ["content-length", b"1"]]]]]),
    "line end in a value": pack([0, [[[0, ["x-a", b"1\r\nx-b: 2"]]]]]),
    "status 99": pack([1, [[99, [], b""]]]),
    "129 edits": pack([0, [[[2, "x"]] * 129]]),
    "a million edits": pack([0, [[0] * 100_000]]),
}


@pytest.mark.parametrize("answer", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_is_a_protocol_error(echo: GuestMiddleware, answer: bytes) -> None:
    with pytest.raises(GuestProtocolError) as caught:
        echo.on_request(answer, "r")
    assert caught.value.hook == "on-request"
    assert "\n" not in str(caught.value)
    with pytest.raises(GuestProtocolError):
        echo.on_response(answer, b"", "r")
    assert echo.on_request(b"\xc0", "r") is None


def test_10000_fuzzed_answers(echo: GuestMiddleware) -> None:
    """Row 11: typed errors, and memory that does not grow. `bench -- sandbox` times the slowest
    answers.
    """
    chance = random.Random(11)
    seeds = [
        pack([0, [[[0, ["x-a", b"1"]], [2, "x-b"]], b"context", "/a", "b=1", "PUT", "blue", [2, 1024]]]),
        pack([1, [[401, [["www-authenticate", b"Bearer"]], b"no"], b"context"]]),
        *GARBAGE.values(),
    ]
    decoded = 0
    before = 0
    for count in range(10_100):
        if count == 100:
            before = resident_bytes()
        answer = bytearray(chance.choice(seeds))
        for _ in range(chance.randrange(4)):
            at = chance.randrange(len(answer))
            answer[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(4))
            answer = answer or bytearray(b"\xc1")
        try:
            echo.on_request(bytes(answer), "r")
            decoded += 1
        except GuestProtocolError:
            pass
    assert 100 < decoded < 7500
    assert resident_bytes() - before < 1024 * 1024


def test_every_error_is_a_guest_error(load: Load) -> None:
    """Whatever a started guest does, the pipeline has one class to catch."""
    middleware = load("good/echo").middleware()
    with pytest.raises(GuestError):
        middleware.on_request(b"x" * 65 * PAGE, "r")
    assert middleware.on_request(b"\xc0", "r") is None
