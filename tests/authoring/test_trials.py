"""`sentinel test` on built guests: their self-tests, their tables, what stand-ins answer and
record, and odd requests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from guestbuild.places import GUESTS, REPOSITORY
from sentinel_host.abi.encode import encode_config
from sentinel_host.authoring.fuzz import fuzz
from sentinel_host.authoring.trials import Outcome, run_trials
from sentinel_host.authoring.workbench import START, Setup, Workbench
from sentinel_host.errors import ConfigError, GuestProtocolError, GuestTrap
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.sandbox.cases import head_record
from tests.bench.records import CONFIGS
from tests.support import guests
from tests.support.clocks import PATIENCE
from tests.support.instances import patient_limits

TABLES = REPOSITORY / "guest-examples" / "cases"
QUOTA = GUESTS / "rust" / "daily-quota.wasm"
ANN = head_record("on-request", {"headers": [["x-principal", "ann"]]})
BROKEN = "on-request: an answer that the contract does not allow: "
SLOW = ("javascript", "python", "typescript")
BUILT = [path for path in sorted(GUESTS.glob("*/*.wasm")) if (TABLES / f"{path.stem}.json").is_file()]


def sentinel(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "sentinel_host", *map(str, arguments))
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)


def run_table(file: Path, tmp_path: Path, *cases: dict[str, Any]) -> list[Outcome]:
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"cases": cases}))
    bench = Workbench(file)
    try:
        return [outcome for outcome in run_trials(bench, [table], b"\x80") if outcome.suite == "table"]
    finally:
        bench.close()


def hostile(tmp_path: Path, data: bytes) -> Workbench:
    file = tmp_path / "hostile.wasm"
    file.write_bytes(data)
    return Workbench(file)


@pytest.mark.parametrize("file", BUILT, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_example_guests_pass_their_tables_and_stand_odd_requests(file: Path) -> None:
    bench = Workbench(file, patient_limits(file))
    outcomes = list(run_trials(bench, [TABLES / f"{file.stem}.json"], b"\x80"))
    # Interpreters take ten to a hundred times as long.
    fuzzed = fuzz(bench, encode_config(CONFIGS.get(file.stem, {})), 50 if file.parent.name in SLOW else 1000, 1)
    bench.close()
    cases = json.loads((TABLES / f"{file.stem}.json").read_text())["cases"]
    tabled = [outcome for outcome in outcomes if outcome.suite == file.stem]
    assert len(tabled) == len(cases)
    assert [outcome for outcome in tabled if not outcome.passed] == []
    assert fuzzed.findings == ()


def test_what_a_table_finds(tmp_path: Path) -> None:
    case = {"config": {"limit": 1}, "hook": "on-request", "head": {"headers": [["x-principal", "ann"]]}}
    passed, refused, wrong_log, wrong_calls = run_table(
        QUOTA,
        tmp_path,
        case | {"name": "1", "expect": {"action": "continue", "context": "0"}},
        case | {"name": "2", "before": 1, "expect": {"action": "continue"}},
        case | {"name": "3", "expect": {"action": "continue", "context": "0", "log": [["info", "?"]]}},
        case | {"name": "4", "expect": {"action": "continue", "context": "0", "calls": []}},
    )
    assert passed.passed
    assert passed.calls == (("kv.add", "principal ann", 1),)
    assert refused.reason == 'action: expected "continue", got "respond"'
    assert (wrong_log.reason or "").startswith("log: expected [")
    assert wrong_calls.reason == 'calls: expected [], got [["kv.add","principal ann",1]]'


def test_keys_fail_when_a_case_says_so(tmp_path: Path) -> None:
    case = {"name": "full", "config": {"limit": 1}, "hook": "on-request", "kv_error": "full"}
    (outcome,) = run_table(QUOTA, tmp_path, case | {"expect": {"action": "respond", "status": 503}})
    assert ("error", "cannot count: the quota is used up") in outcome.logs
    assert "status" not in (outcome.reason or "")


def test_the_clock_stands_still_until_it_is_moved() -> None:
    bench = Workbench(QUOTA)
    day = 24 * 3600 * 10**9

    started = bench.start(encode_config({"limit": 1}), Setup(wall=START))
    first = started.call("on-request", ANN)
    refused = started.call("on-request", ANN)
    started.advance(day - 10**6)
    still_refused = started.call("on-request", ANN)
    started.advance(10**6)
    assert started.call("on-request", ANN) == first
    assert first != refused
    assert refused == still_refused
    bench.close()


def test_each_start_has_keys_of_its_own() -> None:
    bench = Workbench(QUOTA)
    answers = {bench.start(encode_config({"limit": 1})).call("on-request", ANN) for _ in range(3)}
    assert len(answers) == 1
    taken = {b"principal ann": (1).to_bytes(8, "little")}
    assert bench.start(encode_config({"limit": 1}), Setup(kv=taken)).call("on-request", ANN) not in answers
    bench.close()


def test_a_service_is_asked() -> None:
    asked: list[OutboundRequest] = []

    def service(request: OutboundRequest) -> Response | str:
        asked.append(request)
        return Response(200, [], b'{"active":true,"sub":"ann"}') if len(asked) == 1 else "timeout"

    bench = Workbench(GUESTS / "rust" / "token-introspection.wasm")
    started = bench.start(encode_config({"endpoint": "http://auth.test/introspect"}), Setup(http=service))
    for token, last in (("a", "kv.set"), ("b", "http-client.send")):
        started.call("on-request", head_record("on-request", {"headers": [["authorization", f"Bearer {token}"]]}))
        calls = started.take_calls()
        assert [call for call in calls if call[0] == "http-client.send"] == [
            ("http-client.send", "POST", "http://auth.test/introspect", f"token={token}")
        ]
        assert calls[-1][0] == last
    assert [request.method for request in asked] == ["POST", "POST"]
    assert started.take_logs()[0][0] == "error"
    bench.close()


def test_an_instance_that_trapped_is_replaced(tmp_path: Path) -> None:
    bench = hostile(tmp_path, guests.trapping())
    started = bench.start(b"\x80")
    for _ in range(2):
        with pytest.raises(GuestTrap, match="unreachable"):
            started.call("on-request", ANN)
    bench.close()


def test_a_configuration_that_is_refused() -> None:
    with pytest.raises(GuestProtocolError, match="limit"):
        Workbench(QUOTA).start(b"\x80")


def test_an_odd_request_takes_the_way_that_a_gateway_leads_it() -> None:
    """Contexts that no guest had left, and bodies that it had not asked for, were found to break
    guests that are in order.
    """
    file = GUESTS / "rust" / "compress.wasm"
    bench = Workbench(file, patient_limits(file))
    fuzzed = fuzz(bench, encode_config({}), 2000, 1)
    bench.close()
    assert (fuzzed.requests, fuzzed.findings) == (2000, ())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (guests.trapping(), "on-request: wasm `unreachable` instruction executed"),
        (guests.answering(raw=b"\xc1"), BROKEN),
        (
            guests.answering(guests.respond(200, [("a b", b"")])),
            BROKEN,
        ),
    ],
    ids=["trap", "no MessagePack", "a header's name"],
)
def test_odd_requests_find_what_is_broken(tmp_path: Path, data: bytes, reason: str) -> None:
    bench = hostile(tmp_path, data)
    (finding,) = fuzz(bench, b"\x80", 20, 7).findings
    (again,) = fuzz(bench, b"\x80", 20, 7).findings
    bench.close()
    assert finding == again
    assert finding.number == 1
    assert finding.reason.startswith(reason)
    assert finding.request["hook"] == "on-request"
    assert isinstance(finding.request["head"], dict)


def test_the_command_prints_a_tick_per_case(tmp_path: Path) -> None:
    done = sentinel(
        "test", GUESTS / "assemblyscript" / "redactor.wasm", "--junit", "junit.xml", "--fuzz", "50", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "self-test"
    assert all(line.startswith("  ✓ ") for line in lines[1:3])
    assert lines[-3:] == ["fuzz", "  ✓ 50 odd requests, with seed 0", "redactor: 3 passed, 0 failed"]
    suites = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert [suite.get("name") for suite in suites] == ["redactor.self-test", "redactor.fuzz"]
    assert "\x1b" not in done.stdout


def test_the_command_says_what_failed(tmp_path: Path) -> None:
    table = tmp_path / "wrong.json"
    table.write_text('{"cases": [{"name": "never", "hook": "on-request", "expect": {"action": "continue"}}]}')
    file = tmp_path / "broken.wasm"
    file.write_bytes(guests.trapping())
    done = sentinel("test", file, "--cases", table, "--json", "--fuzz", "5", cwd=tmp_path)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert (report["passed"], report["failed"], report["fuzz"]["requests"]) == (0, 2, 5)
    assert "unreachable" in report["cases"][0]["reason"]
    plain = sentinel("test", file, "--cases", table, "--junit", "j.xml", cwd=tmp_path)
    assert "  ✗ never" in plain.stdout.splitlines()
    ((case,),) = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert [child.tag for child in case] == ["failure"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[]", "Expected `object`"),
        ('{"cases": [{"name": "x", "hook": "on-fire", "expect": {}}]}', "on-fire"),
        ('{"cases": [{"name": "x", "hook": "on-request", "expect": {}, "head": {"colour": 1}}]}', "colour"),
        ('{"cases": [{"name": "x", "hook": "on-request", "expect": {}, "config_hex": "z"}]}', "non-hexadecimal"),
    ],
)
def test_a_table_that_is_none(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "table.json"
    file.write_text(text)
    bench = Workbench(QUOTA)
    with pytest.raises(ConfigError, match=rf"table\.json.*{reason}"):
        list(run_trials(bench, [file], b"\x80"))
