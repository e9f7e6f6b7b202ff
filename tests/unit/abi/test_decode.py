from __future__ import annotations

import contextlib
import json
import random
from pathlib import Path
from typing import Any

import msgpack
import pytest

from sentinel_host.abi import rules
from sentinel_host.abi.decode import (
    decode_request_action,
    decode_request_body_action,
    decode_response_action,
    decode_response_body_action,
)
from sentinel_host.abi.rules import AbiError
from sentinel_host.messages import (
    Answer,
    BodyKind,
    BodyMode,
    Edit,
    HeldRequest,
    HeldResponse,
    RequestEdits,
    Response,
    ResponseEdits,
)

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "vectors.json").read_text())
EDITS = {"set": Edit.SET, "append": Edit.APPEND, "remove": Edit.REMOVE}


def interpret(ops: list[list[Any]], edits: RequestEdits | ResponseEdits) -> Any:
    """What the conformance guests are told to do, done to the host's own types."""
    for kind, *arguments in ops:
        if kind in EDITS:
            name, value = arguments[0], arguments[1] if len(arguments) > 1 else ""
            edits.headers.append((EDITS[kind], name.encode(), value.encode()))
        elif kind == "body":
            modes = {"skip": BodyKind.SKIP, "stream": BodyKind.STREAM, "buffer": BodyKind.BUFFER}
            edits.body = BodyMode(modes[arguments[0]], *arguments[1:])
        elif kind == "respond":
            status, headers, body = arguments
            response = Response(status, [(name.encode(), value.encode()) for name, value in headers], body.encode())
            return Answer(response, edits.context) if isinstance(edits, RequestEdits) else response
        else:
            setattr(edits, kind, arguments[0].encode() if kind == "context" else arguments[0])
    return edits


@pytest.mark.parametrize("vector", [v for v in VECTORS["answers"] if "chunk" not in v["hook"]], ids=lambda v: v["name"])
def test_decodes_what_guests_answer(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["bytes"])
    if vector["hook"] == "on-request":
        decoded: Any = decode_request_action(data)
        expected = interpret(vector["ops"], RequestEdits())
        empty: Any = RequestEdits()
    else:
        decoded = decode_response_action(data)
        expected = interpret(vector["ops"], ResponseEdits())
        empty = ResponseEdits()
    assert (decoded or empty) == expected


@pytest.mark.parametrize("vector", [v for v in VECTORS["answers"] if "chunk" in v["hook"]], ids=lambda v: v["name"])
def test_decodes_what_guests_do_with_chunks(vector: dict[str, Any]) -> None:
    is_request = vector["hook"] == "on-request-chunk"
    decode = decode_request_body_action if is_request else decode_response_body_action
    expected: Any = None
    for kind, *arguments in vector["ops"]:
        if kind == "replace":
            expected = arguments[0].encode()
        elif kind == "respond":
            expected = interpret([[kind, *arguments]], ResponseEdits())
        else:
            edits, chunk = interpret(arguments[0], RequestEdits() if is_request else ResponseEdits()), arguments[1]
            held = HeldRequest if is_request else HeldResponse
            expected = held(edits, None if chunk is None else chunk.encode())
    assert decode(bytes.fromhex(vector["bytes"])) == expected


@pytest.mark.parametrize("decode", [decode_request_body_action, decode_response_body_action])
@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        ([0], "chunk: expected bin"),
        ([0, "text"], "chunk: expected bin"),
        ([1, []], "response: 3 fields are required"),
        ([1, [700, [], b""]], "status 700"),
        ([2, []], "1 fields are required"),
        ([2, [[[[0, ["host", b"x"]]]]]], "header host: the gateway owns it"),
        ([2, [[], 1]], "chunk: expected bin"),
        ([3, b""], "unknown case 3"),
        (b"replaced", r"expected \[case, payload\]"),
    ],
)
def test_refuses_what_no_guest_may_do_with_chunks(decode: Any, action: object, complaint: str) -> None:
    with pytest.raises(AbiError, match=complaint):
        decode(msgpack.packb(action))


@pytest.mark.parametrize("vector", VECTORS["hostile"], ids=lambda v: v["name"])
def test_refuses_hostile_answers(vector: dict[str, str]) -> None:
    with pytest.raises(AbiError):
        decode_request_action(bytes.fromhex(vector["bytes"]))


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        ([0, [[[0, ["x", b"v" * 65537]]]]], "65538 bytes of headers"),
        ([0, [[], b"c" * 65537]], "context of 65537 bytes"),
        ([0, [[[0, ["transfer-encoding", b"chunked"]]]]], "transfer-encoding: the gateway owns it"),
        ([0, [[[0, ["x-a", b"\n"]]]]], "header x-a: value holds a control character"),
    ],
)
def test_says_what_is_wrong(action: object, complaint: str) -> None:
    with pytest.raises(AbiError, match=complaint):
        decode_request_action(msgpack.packb(action))


def test_random_bytes_raise_nothing_else() -> None:
    generator = random.Random(11)
    seeds = [bytes.fromhex(vector["bytes"]) for vector in VECTORS["answers"]]
    for _ in range(20_000):
        data = bytearray(generator.choice(seeds)[:400])
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(data))
            if generator.random() < 0.5:
                data[place] = generator.randrange(256)
            else:
                data[place:place] = generator.randbytes(generator.randint(1, 5))
        for decode in (
            decode_request_action,
            decode_response_action,
            decode_request_body_action,
            decode_response_body_action,
        ):
            with contextlib.suppress(AbiError):
                decode(bytes(data))


def test_many_names_do_not_grow_the_memory() -> None:
    for number in range(5000):
        decode_request_action(msgpack.packb([0, [[[0, [f"x-{number}", b""]]]]]))
    assert 0 < len(rules.header_names.known) <= 1024
