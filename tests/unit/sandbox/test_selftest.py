"""Self-tests: a guest that fails a case of its own is not taken into service, and the case is
named.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from sentinel_host.abi.encode import encode_config
from sentinel_host.errors import GuestLoadError
from sentinel_host.sandbox import Grants, GuestEngine, Limits, LoadedGuest, load_artefact
from sentinel_host.sandbox.artefact import SELF_TEST, parse_artefact
from sentinel_host.sandbox.binary import custom_section
from sentinel_host.sandbox.grants import ALL
from tests.support.clocks import PATIENCE
from tests.support.gateways import ARTEFACTS
from tests.support.instances import started
from tests.support.logs import said
from tests.wat import index

CONFIG = encode_config({"keys": {"demo-key": "demo"}})
AUTH = (ARTEFACTS / "assemblyscript" / "api-key-auth.wasm").read_bytes()
NO_KEY = {"name": "no key", "hook": "on-request", "expect": {"action": "respond", "status": 401}}
KEY = {
    "name": "a key",
    "config": {"keys": {"own": "me"}},
    "hook": "on-request",
    "head": {"path": "/a", "headers": [["x-api-key", "own"]]},
    "expect": {
        "action": "continue",
        "edits": [["remove", "x-api-key"], ["set", "x-principal", "me"]],
        "path": None,
        "body": "skip",
    },
}


def with_cases(data: bytes, *cases: dict[str, Any]) -> bytes:
    return data + custom_section(SELF_TEST, json.dumps(cases).encode())


def without_own_cases(data: bytes) -> bytes:
    """The section has another name of the same length, which says nothing to the host."""
    return data.replace(SELF_TEST.encode(), SELF_TEST.upper().encode())


def load(
    data: bytes, limits: Limits | None = None, engine: GuestEngine | None = None, grants: Grants = ALL
) -> LoadedGuest:
    artefact = parse_artefact(data, "guest.wasm")
    return load_artefact(artefact, "guest", engine or GuestEngine(), limits or Limits(), grants)


def refusal(data: bytes, config: bytes = b"\x80", deadline: float = PATIENCE) -> str:
    with pytest.raises(GuestLoadError) as refused:
        started(load(data, Limits(start_deadline=PATIENCE, deadline=deadline)), config)
    return str(refused.value)


async def start_on_the_loop(guest: LoadedGuest, config: bytes) -> None:
    (await guest.start_middleware(config)).close()


def test_cases_run_with_their_own_configuration_or_that_of_the_place() -> None:
    guest = load(with_cases(AUTH, NO_KEY, KEY))
    assert [case.name for case in guest.self_test] == ["no key", "a key"]
    started(guest, CONFIG).close()


def test_cases_run_on_the_loop() -> None:
    asyncio.run(start_on_the_loop(load(with_cases(AUTH, NO_KEY, KEY)), CONFIG))
    with pytest.raises(GuestLoadError, match="'no key': status: expected 402, got 401"):
        asyncio.run(start_on_the_loop(load(with_cases(AUTH, expecting(NO_KEY, status=402))), CONFIG))
    looping = {"name": "n", "hook": "on-request", "expect": {"action": "continue"}}
    with pytest.raises(GuestLoadError, match=r"'n': on-request: .*deadline"):
        asyncio.run(start_on_the_loop(load(with_cases(index.wasm("hostile/realloc_loops"), looping)), b"\x80"))


def starts(guest: LoadedGuest, config: bytes, on_loop: bool) -> None:
    if on_loop:
        asyncio.run(start_on_the_loop(guest, config))
    else:
        started(guest, config).close()


@pytest.mark.parametrize("on_loop", [False, True])
def test_nothing_that_a_case_does_is_counted(on_loop: bool) -> None:
    """A new version once began with the calls, running time, instances and own metrics of its
    self-test.
    """
    engine = GuestEngine()
    starts(load(with_cases(AUTH, NO_KEY, KEY), engine=engine), CONFIG, on_loop)
    counts = engine.snapshot()["guest"]
    assert (counts["calls"], counts["instances_started"], counts["instances"]) == (0, 1, 0)

    engine = GuestEngine()
    passes = {"name": "n", "hook": "on-request", "expect": {"action": "continue"}}
    data = with_cases(index.wasm("granted/metrics_flood"), passes)
    starts(load(data, Limits(deadline=PATIENCE), engine), b"\x80", on_loop)
    counts = engine.snapshot()["guest"]
    assert engine.metrics() == {"guest": []}
    assert [counts[name] for name in ("calls", "suspensions", "metrics_full", "instances", "memory_bytes")] == [0] * 5


@pytest.mark.parametrize("on_loop", [False, True])
def test_a_case_that_fails_shows_its_lines_and_one_that_passes_does_not(on_loop: bool) -> None:
    """The instance that serves starts first, and says what any other does."""
    passes = {"name": "passes", "hook": "on-request", "expect": {"action": "continue"}}
    served = ("guest", None, "debug", "starting")
    engine = GuestEngine()
    starts(load(with_cases(index.wasm("good/start_log"), passes, passes), engine=engine), b"\x80", on_loop)
    assert said(engine) == [served]
    fails = {"name": "fails", "hook": "on-request", "expect": {"action": "respond"}}
    with pytest.raises(GuestLoadError, match="'fails'"):
        starts(load(with_cases(index.wasm("good/start_log"), passes, fails), engine=engine), b"\x80", on_loop)
    assert said(engine) == [served, ("guest", "self-test", "debug", "starting")]


def expecting(case: dict[str, Any], **more: Any) -> dict[str, Any]:
    return case | {"expect": case["expect"] | more}


MISMATCHES = [
    (expecting(NO_KEY, status=403), "'no key': status: expected 403, got 401"),
    (expecting(NO_KEY, action="continue"), '\'no key\': action: expected "continue", got "respond"'),
    (expecting(NO_KEY, body="no"), "'no key': body: expected \"no\", got "),
    (expecting(NO_KEY, headers=[]), "'no key': headers: expected [], got [["),
    (
        expecting(KEY, edits=[]),
        '\'a key\': edits: expected [], got [["remove","x-api-key"],["set","x-principal","me"]]',
    ),
    (expecting(KEY, path="/b"), "'a key': path: expected \"/b\", got null"),
    (KEY | {"config": {}}, "'a key': configure: refused its configuration: "),
    (KEY | {"hook": "on-response", "head": {}}, "'a key': the guest exports no on-response"),
]


@pytest.mark.parametrize(("case", "reason"), MISMATCHES)
def test_a_mismatch_names_the_case_what_was_expected_and_what_came(case: dict[str, Any], reason: str) -> None:
    assert refusal(with_cases(AUTH, KEY, case), CONFIG).startswith(f"guest.wasm: self-test {reason}")


def test_all_hooks_can_be_tested() -> None:
    """The redactor has chunk hooks and a response hook, the access log a completion hook."""
    chunk = {"name": "c", "hook": "on-response-chunk", "chunk": "4111111111111", "context": ""}
    head = {"name": "h", "hook": "on-response", "head": {"status": 200, "headers": [["content-type", "text/plain"]]}}
    redactor = without_own_cases((ARTEFACTS / "rust" / "redactor.wasm").read_bytes())
    cases = [
        chunk | {"expect": {"action": "replace", "chunk": "*" * 13}},
        chunk | {"chunk": "", "expect": {"action": "continue"}},
        head | {"expect": {"action": "continue", "body": "stream", "edits": [], "status": None}},
    ]
    started(load(with_cases(redactor, *cases))).close()
    log = without_own_cases((ARTEFACTS / "rust" / "access-log.wasm").read_bytes())
    summary = {"status": 499, "outcome": "client-aborted", "origin": "gateway", "upstream": "blue"}
    case = {"name": "s", "hook": "on-complete", "head": summary, "expect": {"action": "continue"}}
    started(load(with_cases(log, case))).close()


@pytest.mark.parametrize(
    ("guest", "reason"),
    [
        ("hostile/unreachable", "on-request: wasm `unreachable` instruction executed"),
        # On a busy machine the clock's bound may come first.
        ("hostile/realloc_loops", "on-request: deadline exceeded in cabi_realloc"),
        ("good/echo", r"request-action: expected \[case, payload\]"),
    ],
)
def test_a_case_that_fails_otherwise_says_how(guest: str, reason: str) -> None:
    case = {"name": "n", "hook": "on-request", "expect": {"action": "continue"}}
    # On a busy machine, one that is short could come before what the others fail by.
    deadline = 0.005 if "loops" in guest else PATIENCE
    said = refusal(with_cases(index.wasm(guest), case), deadline=deadline)
    assert re.match(rf"guest\.wasm: self-test 'n': {reason}", said)


BROKEN = {
    "no JSON": (b"[", "self-test: "),
    "no array": (b"{}", "self-test: Expected `array`"),
    "an unknown key": (json.dumps([NO_KEY | {"hooks": 1}]).encode(), "unknown field `hooks`"),
    "an unknown hook": (json.dumps([NO_KEY | {"hook": "on-reqest"}]).encode(), "on-reqest"),
    "an unknown field of a head": (json.dumps([NO_KEY | {"head": {"pth": "/"}}]).encode(), "'no key': "),
    "a number beyond records": (
        json.dumps([{**NO_KEY, "hook": "on-complete", "head": {"duration": 1 << 70}}]).encode(),
        "'no key': ",
    ),
    "a number beyond configurations": (json.dumps([NO_KEY | {"config": {"n": 1 << 70}}]).encode(), "'no key': "),
    "too many": (json.dumps([NO_KEY] * 300).encode(), "300 cases, at most 256"),
}


@pytest.mark.parametrize(("section", "reason"), BROKEN.values(), ids=list(BROKEN))
def test_a_section_that_cannot_be_read_is_refused_at_load(section: bytes, reason: str) -> None:
    with pytest.raises(GuestLoadError) as refused:
        load(AUTH + custom_section(SELF_TEST, section))
    assert str(refused.value).startswith("guest.wasm: self-test")
    assert reason in str(refused.value)


def test_two_sections_are_refused() -> None:
    with pytest.raises(GuestLoadError, match="2 sections sentinel:self-test"):
        load(with_cases(with_cases(AUTH, NO_KEY), KEY))


@pytest.mark.parametrize("guest", ["rust/api-key-auth", "assemblyscript/redactor"])
def test_the_sdks_put_the_authors_file_into_the_guest(guest: str) -> None:
    language, name = guest.split("/")
    artefact = parse_artefact((ARTEFACTS / f"{guest}.wasm").read_bytes(), name)
    source = ARTEFACTS.parents[1] / "guest-examples" / language / name / "self-test.json"
    assert artefact.self_test == source.read_bytes()
