"""The SDKs call the functions of the host by the same rules."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel_host.abi.contract import GRANTS, HTTP_ERRORS, LOG_LEVELS
from sentinel_host.abi.decode import decode_outbound_request
from sentinel_host.abi.encode import encode_config, encode_request_head, encode_response
from sentinel_host.errors import GuestTrap
from sentinel_host.messages import OutboundRequest, RequestHead, Response
from sentinel_host.native.log import lines_of
from sentinel_host.native.plan import Fetch
from sentinel_host.sandbox import Grants, GuestEngine, HttpGrant, LoadedGuest, load_compiled
from sentinel_host.sandbox.grants import ALL
from tests.sandbox.support import settled
from tests.support.instances import compiled, started

HERE = Path(__file__).parent
SOURCES = {
    "rust": HERE / "rust/host-functions/src/lib.rs",
    "assemblyscript": HERE / "assemblyscript-host/assembly/index.ts",
    "c": HERE / "c/host-functions/src/guest.c",
    "go": HERE / "go/host-functions/guest.go",
}
HEAD = encode_request_head(RequestHead("GET", "/", None, [], "http", "h", "192.0.2.1", "r", "/", "1.1"))

# Of a histogram that nobody describes.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100)

Calls = Callable[..., list[str]]


def loaded(path: Path, engine: GuestEngine, grants: Grants) -> LoadedGuest:
    return load_compiled(compiled(path), "host-functions", "host-functions.wasm", engine, grants=grants)


@pytest.fixture
def engine() -> GuestEngine:
    return GuestEngine()


@pytest.fixture
def calls(calling_guest: Path, engine: GuestEngine) -> Calls:
    """Lets the guest call some functions, each a line of words; returns a line for each."""
    guest = loaded(calling_guest, engine, ALL)

    def answers(*lines: str, fetch: Fetch | None = None) -> list[str]:
        used = guest
        if fetch is not None:
            grants = Grants(GRANTS, http=HttpGrant(fetch, calls=3, request_bytes=100))
            used = loaded(calling_guest, engine, grants)
        middleware = started(used, encode_config({"calls": lines}))

        async def main() -> Response:
            found = await settled(middleware.on_request(HEAD, b"r"))
            middleware.close()
            return found.response  # type: ignore[union-attr]

        return asyncio.run(main()).body.decode().split("\n")

    return answers


def test_what_is_printed_goes_to_the_log(calls: Calls, engine: GuestEngine) -> None:
    """`println!` once went nowhere, and `console.log` was an import that the contract does not
    have.
    """
    assert calls("print") == ["5"]
    lines = [(LOG_LEVELS[line.level], line.message.decode()) for line in lines_of(engine.log.buffer.drain()[0])]
    assert lines[:3] == [("info", "called"), ("info", "printed 1"), ("warn", "complained")]
    ((level, text),) = lines[3:]
    assert level == "debug"
    assert text.endswith("2 + 3 = 5")


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
            ("logins", (), False, (2,), ()),
            ("logins", ("result", "ok"), False, (8,), ()),
            ("age", ("a", "1", "b", "", "c", "ü", "d", "4"), True, (*[0] * 8, 1, *[0] * 8, 0.3), BOUNDS),
        ]
    }
    calls("add Logins 1", "add logins 1 a=1 b=2 c=3 d=4 e=5", "observe age NaN", "add logins_total 1", "add x 1 le=1")
    counts = engine.snapshot()["host-functions"]
    assert (counts["metrics_invalid"], counts["metrics_full"]) == (5, 0)


def test_descriptions(calls: Calls, engine: GuestEngine) -> None:
    calls(
        "observe age_seconds 0.3",
        "describe logins counter Logins. -",
        "describe age_seconds histogram - seconds 1 60 3600",
        "observe age_seconds 0.3",
    )
    (logins, age) = engine.descriptions()["host-functions"]
    assert logins[:-1] == ("logins", False, "Logins.", "", ())
    assert age[:-1] == ("age_seconds", True, "", "seconds", (1, 60, 3600))
    assert engine.metrics()["host-functions"] == [("age_seconds", (), True, (1, 0, 0, 0, 0.3), (1, 60, 3600))]
    assert list(lines_of(engine.log.buffer.drain()[0])) == []


def test_descriptions_that_are_refused(calls: Calls, engine: GuestEngine) -> None:
    """Each is told once, in the line's name the guest's."""
    calls(
        "describe a counter One. -",
        "describe a counter Other. -",
        "describe a counter Another. -",
        "describe A counter - -",
        "describe b counter - seconds",
        "describe c counter - - 1",
    )
    lines = [(line.guest, LOG_LEVELS[line.level], line.message) for line in lines_of(engine.log.buffer.drain()[0])]
    assert lines == [
        (b"host-functions", "warn", b"metrics.describe: " + reason)
        for reason in (
            b"a: it is described already, and otherwise",
            b"A: that is no name of a metric",
            b"b: the name has to end in its unit",
            b"c: only a histogram has bounds",
        )
    ]
    assert [each.name for each in engine.descriptions()["host-functions"]] == ["a"]


def test_keys(calls: Calls, engine: GuestEngine) -> None:
    assert calls(
        "get a", "set a 12345678 0", "get a", "count a 1 0", "delete a", "delete a",
        "count n 5 60000", "count n -7 1", "get n", "set e  0", "get e", "count e 1 0",
        f"get {'k' * 1025}", f"set {'k' * 1025} x 0", "fill large 65537", "fill large 65536", "get large",
        f"set {'k' * 1024} x 0", "delete large",
    ) == [
        "absent", "done", "8 bytes 3132333435363738", "4050765991979987506", "true", "false",
        "5", "-2", "8 bytes feffffffffffffff", "done", "0 bytes ", "NotANumber",
        "TooLarge", "TooLarge", "TooLarge", "done", "65536 bytes 7878787878787878",
        "done", "true",
    ]  # fmt: skip
    assert calls("get n")[0] == "8 bytes feffffffffffffff"
    assert engine.snapshot()["host-functions"]["kv_calls"] == 20


def test_keys_run_out(calls: Calls) -> None:
    assert calls("set a x 1", "count n 1 1") == ["done", "1"]
    time.sleep(0.002)
    assert calls("get a", "count n 1 0", "delete a") == ["absent", "1", "false"]


def test_a_quota_that_is_used_up(calls: Calls, engine: GuestEngine) -> None:
    fills = [f"fill {number} 65536" for number in range(17)]
    assert calls(*fills, "count n 1 0", "get 15", "delete 3", "fill 15 65536", "count n 1 0") == [
        *["done"] * 15,
        *["Full"] * 2,
        *["1", "absent", "true", "done", "2"],
    ]
    assert engine.snapshot()["host-functions"]["kv_full"] == 2


def test_http(calls: Calls, engine: GuestEngine) -> None:
    seen: list[tuple[OutboundRequest, str]] = []

    async def fetch(request: bytes, label: str) -> tuple[int, bytes]:
        await asyncio.sleep(0.001)
        seen.append((decode_outbound_request(request), label))
        body = b"x" * 3000 if len(seen) == 2 else b""
        return -1, encode_response(200 + len(seen), [(b"x-answer", b"a")] * len(seen), body)

    lines = calls(
        "http POST http://a/b?c body 0", "http GET http://a  250", "http GET x y 0", "http GET x y 0", fetch=fetch
    )
    assert lines == ["201 a ", f"202 a {'x' * 3000}", "203 a ", "TooMany"]
    assert seen == [
        (OutboundRequest("POST", "http://a/b?c", [(b"x-test", b"yes")], b"body", None), "r"),
        (OutboundRequest("GET", "http://a", [(b"x-test", b"yes")], b"", 250), "r"),
        (OutboundRequest("GET", "x", [(b"x-test", b"yes")], b"y", None), "r"),
    ]
    assert calls(f"http GET http://a/{'a' * 100} b 0", fetch=fetch) == ["TooLarge"]
    assert engine.snapshot()["host-functions"]["http_answered"] == 3


def test_http_errors(calls: Calls, engine: GuestEngine) -> None:
    errors = iter(range(len(HTTP_ERRORS)))

    async def fetch(request: bytes, label: str) -> tuple[int, bytes]:
        return next(errors), b""

    ask = "http GET http://a b 0"
    lines = calls(ask, ask, ask, fetch=fetch) + calls(ask, ask, ask, fetch=fetch)
    assert lines == [name.title().replace("-", "") for name in HTTP_ERRORS]
    assert [engine.snapshot()["host-functions"][f"http_{name}"] for name in HTTP_ERRORS] == [1] * len(HTTP_ERRORS)


def test_http_without_targets(calls: Calls) -> None:
    assert calls("http GET http://a b 0") == ["Denied"]


def test_the_backtrace_of_a_trap_names_lines(calling_guest: Path, engine: GuestEngine) -> None:
    """By DWARF or a source map, read where the guest is compiled; the worker only looks an offset
    up.
    """
    if calling_guest.parent.name == "go":
        pytest.skip("Go tells its lines in the log")
    frames = backtrace(calling_guest, engine, "trap now")
    source, wanted = line_of(calling_guest, "tests look for this line")
    assert any(f"/{source}:{wanted})" in frame for frame in frames), frames


INDEXES = ("texts", "numbers", "bytes", "fixed")


def test_an_index_out_of_bounds_names_the_authors_line(calling_guest: Path, engine: GuestEngine) -> None:
    """An accessor that was inlined left only lines of AssemblyScript's own library in the frame, or
    none.
    """
    if calling_guest.parent.name in ("c", "go"):
        pytest.skip("C checks no index, and Go tells it in the log")
    rust = calling_guest.parent.name == "rust"
    for kind in INDEXES[: 1 if rust else None]:
        frames = backtrace(calling_guest, engine, f"item {kind} 3")
        source, wanted = line_of(calling_guest, "tests look for this call" if rust else f"this index of {kind}")
        assert any(re.search(rf"!.*\bitem \(.*/{source}:{wanted}\)$", frame) for frame in frames), frames


def test_a_thrown_error_names_a_line_close_by(calling_guest: Path, engine: GuestEngine) -> None:
    """AssemblyScript's compiler gives no line to the call that ends the guest, Rust's does."""
    if calling_guest.parent.name == "go":
        pytest.skip("Go tells its lines in the log")
    frames = backtrace(calling_guest, engine, "nothing")
    source, wanted = line_of(calling_guest, "no function ")
    assert any(re.search(rf"\bcall \(.*/{source}:{wanted}[,)]", frame) for frame in frames), frames


def test_names_of_rust_are_demangled_and_inlined_calls_expanded(engine: GuestEngine, rust_calling_guest: Path) -> None:
    frames = backtrace(rust_calling_guest, engine, "item texts 3")
    assert not [frame for frame in frames if re.search(r"_R[NIC]|_ZN|17h[0-9a-f]{16}", frame)], frames
    assert any("!core::panicking::panic_bounds_check (" in frame for frame in frames)
    source, index = line_of(rust_calling_guest, "tests look for this index")
    _, call = line_of(rust_calling_guest, "tests look for this call")
    at = next(at for at, frame in enumerate(frames) if frame.startswith("host_functions.wasm!host_functions::item"))
    assert re.fullmatch(rf".*!(\w+::)*picked \(.*/{source}:{index}, inlined\)", frames[at - 1]), frames
    assert frames[at].endswith(f"/{source}:{call})"), frames


def backtrace(path: Path, engine: GuestEngine, call: str) -> tuple[str, ...]:
    guest = loaded(path, engine, ALL)
    middleware = started(guest, encode_config({"calls": [call]}))

    async def main() -> None:
        # On a busy machine any call may outlast its tick.
        await settled(middleware.on_request(HEAD, b"r"))

    with pytest.raises(GuestTrap) as caught:
        asyncio.run(main())
    return caught.value.backtrace


def line_of(path: Path, text: str) -> tuple[str, int]:
    """The name of a guest's source, and the line that holds a text in it."""
    source = SOURCES[path.parent.name]
    return source.name, 1 + next(at for at, line in enumerate(source.read_text().splitlines()) if text in line)
