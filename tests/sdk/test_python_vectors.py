"""The Python SDK writes and reads exactly the bytes of tests/vectors, as the SDKs of the other
languages do.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from sentinel_sdk import ClientCertificate, Guest, Request, Response, _host
from sentinel_sdk._run import Runner
from sentinel_sdk.testing import Harness
from tests.conformance.python.guest import Conformance

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "vectors.json").read_text())
HEAD = msgpack.packb(["GET", "/a", None, [], "http", "h", "127.0.0.1", "r1", "/", "1.1"])
RESPONSE = msgpack.packb([200, [], 0])


class Log(_host.Host):
    """A host that has a log and nothing else."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []

    def log(self, level: int, text: str) -> None:
        self.lines.append((level, text))


@pytest.fixture
def log() -> Iterator[Log]:
    made = Log()
    before = _host.use(made)
    yield made
    _host.use(before)


def called(hook: str, ops: list[Any], record: bytes | None = None, context: bytes = b"") -> bytes | None:
    runner = Runner(Conformance)
    runner.configure(msgpack.packb({"hook": hook, "ops": ops}))
    match hook:
        case "on-request":
            return runner.on_request(record or HEAD)
        case "on-response":
            return runner.on_response(record or RESPONSE, context)
        case "on-request-chunk":
            return runner.on_request_chunk(b"chunk", True, context)
        case "on-response-chunk":
            return runner.on_response_chunk(b"chunk", True, context)
        case _:
            assert record is not None
            runner.on_complete(record, context)
            return None


@pytest.mark.parametrize("vector", VECTORS["answers"], ids=lambda v: f"{v['hook']}: {v['name']}")
def test_answers(vector: dict[str, Any]) -> None:
    answer = called(vector["hook"], vector["ops"])
    assert answer is not None
    assert answer.hex() == vector["bytes"]


@pytest.mark.parametrize("vector", VECTORS["records"], ids=lambda v: v["name"])
def test_records(vector: dict[str, Any], log: Log) -> None:
    answer = called(vector["hook"], [["dump"]], bytes.fromhex(vector["bytes"]), bytes.fromhex(vector["context"] or ""))
    if answer is None:
        assert log.lines == [(2, vector["dump"])]
    else:
        assert answer.endswith(vector["dump"].encode())


class Doorman(Guest):
    def on_request(self, request: Request) -> Response | None:
        shown = request.client_certificate
        return Response(403) if shown is None or not shown.verified else Response(200, body=shown.names[0])


def test_a_unit_test_shows_a_certificate() -> None:
    harness = Harness(Doorman)
    alice = ClientCertificate("CN=alice", ("URI:spiffe://example.org/alice",))
    answers = [
        harness.on_request(client_certificate=shown).response for shown in (None, alice, alice._replace(verified=False))
    ]
    assert [(answer.status, answer.body) for answer in answers if answer is not None] == [
        (403, b""),
        (200, b"URI:spiffe://example.org/alice"),
        (403, b""),
    ]
