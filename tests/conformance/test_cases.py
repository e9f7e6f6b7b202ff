"""One case table for all languages, and for both ways of calling a guest: they are components, and
they agree.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgpack
import pytest

from guestbuild.places import GUESTS, REPOSITORY
from tests.conformance.conftest import BY_NAME, NIL, Refused, Start
from tests.vectors.generate import ENUMS, REQUEST_FIELDS, RESPONSE_FIELDS, SUMMARY_FIELDS

FIELDS = {"on-request": REQUEST_FIELDS, "on-response": RESPONSE_FIELDS, "on-complete": SUMMARY_FIELDS}
KINDS = {"set": 0, "append": 1, "remove": 2}


def cases() -> list[Any]:
    params = []
    for table in sorted((REPOSITORY / "guest-examples" / "cases").glob("*.json")):
        data = json.loads(table.read_text())
        for file in sorted(GUESTS.glob(f"*/{data['guest']}.wasm")):
            for case in data["cases"]:
                head = data["defaults"].get(case["hook"], {}) | case.get("head", {})
                params.append(pytest.param(file, case, head, id=f"{file.parent.name}/{file.stem}: {case['name']}"))
    return params


def record(hook: str, head: dict[str, Any]) -> bytes:
    fields = [_field(name, head[name]) for name in FIELDS[hook]]
    return bytes(msgpack.packb(fields))


def _field(name: str, value: Any) -> Any:
    if name == "headers":
        return [[key, text.encode()] for key, text in value]
    return ENUMS[name].index(value) if name in ENUMS else value


def pieces(case: dict[str, Any]) -> list[tuple[bytes, bool]]:
    """The calls of a chunk hook: each chunk of each body, and whether it is the body's last."""
    return [
        (bytes.fromhex(chunk["hex"]) if isinstance(chunk, dict) else chunk.encode(), index == len(body))
        for body in case["bodies"]
        for index, chunk in enumerate(body, 1)
    ]


def expected_piece(answer: dict[str, Any] | str | None) -> bytes:
    if answer is None:
        return NIL
    if isinstance(answer, str):
        return bytes(msgpack.packb([0, answer.encode()]))
    return bytes(msgpack.packb([1, _response(answer)]))


def _response(expect: dict[str, Any]) -> list[Any]:
    headers = [[name, value.encode()] for name, value in expect.get("headers", [])]
    return [expect["status"], headers, expect.get("body", "").encode()]


def _body_mode(mode: Any) -> list[Any] | None:
    if mode is None:
        return None
    return [1] if mode == "stream" else [2, mode[1]]


def expected_answer(hook: str, expect: dict[str, Any]) -> bytes:
    if expect["action"] == "nothing":
        return NIL
    if expect["action"] == "respond":
        response = _response(expect)
        if hook == "on-response":
            return bytes(msgpack.packb([1, response]))
        context = expect.get("context", "").encode()
        return bytes(msgpack.packb([1, [response, context] if context else [response]]))
    edits = [
        [KINDS[kind], rest[0] if kind == "remove" else [rest[0], rest[1].encode()]]
        for kind, *rest in expect.get("edits", [])
    ]
    fields = [edits, expect.get("status")]
    if hook == "on-request":
        fields = [edits, expect.get("context", "").encode()]
        fields += [expect.get(name) for name in ("path", "query", "method", "upstream")]
    fields.append(_body_mode(expect.get("body")))
    while len(fields) > 1 and fields[-1] in (None, b""):
        fields.pop()
    return bytes(msgpack.packb([0, fields]))


@pytest.mark.parametrize(("file", "case", "head"), cases())
def test_case(file: Path, case: dict[str, Any], head: dict[str, Any], native: Start, as_component: Start) -> None:
    expect = case["expect"]
    config = bytes.fromhex(case["config_hex"]) if "config_hex" in case else case.get("config", {})
    # What the component API would show of an interpreter's guest is not worth a second compilation.
    for begin in (native,) if file.parent.name in ("python", "typescript") else (native, as_component):
        if expect["action"] == "error":
            with pytest.raises(Refused) as refused:
                begin(file, config)
            assert expect["error_contains"] in str(refused.value)
            assert "error_omits" not in expect or expect["error_omits"] not in str(refused.value)
            continue
        guest = begin(file, config, case.get("services", {}))
        if case["hook"] != "configure":
            hook, context = BY_NAME[case["hook"]], case.get("context", "").encode()
            for _ in range(case.get("before", 0)):
                guest.call(hook, record(case["hook"], head), context)
            guest.lines()
            if expect["action"] == "chunks":
                answers = [guest.call(hook, chunk, context, last) for chunk, last in pieces(case)]
                assert answers == [expected_piece(answer) for answer in expect["answers"]]
            else:
                answer = guest.call(hook, record(case["hook"], head), context)
                assert answer == expected_answer(case["hook"], expect)
        assert guest.lines() == expect.get("log", [])


def test_every_table_has_a_guest_and_every_guest_a_table() -> None:
    tables = {table.stem for table in (REPOSITORY / "guest-examples" / "cases").glob("*.json")}
    assert {file.stem for file in GUESTS.glob("*/*.wasm")} == tables
