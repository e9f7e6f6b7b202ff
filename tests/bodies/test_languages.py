"""Both SDKs' body guests on a whole gateway: what the vectors hold byte by byte, seen from a client
and an upstream.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.conftest import conformance_guest
from tests.support.clients import fetch
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream

__all__ = ["conformance_guest"]

_EDITS = [["set", "x-held", "yes"]]
CASES: dict[str, tuple[str, list[Any], list[Any]]] = {
    "request-unchanged": ("on-request-chunk", ["stream"], []),
    "request-replace": ("on-request-chunk", ["stream"], [["replace", "new"]]),
    "request-answer": ("on-request-chunk", ["buffer", 100], [["respond", 422, [["x-why", "json"]], "no"]]),
    "request-edit": ("on-request-chunk", ["buffer", 100], [["edit-head", [*_EDITS, ["path", "/edited"]], "new"]]),
    "request-small": ("on-request-chunk", ["buffer", 2], []),
    "response-unchanged": ("on-response-chunk", ["stream"], []),
    "response-replace": ("on-response-chunk", ["stream"], [["replace", "new"]]),
    "response-answer": ("on-response-chunk", ["buffer", 100], [["respond", 500, [["x-why", "json"]], "no"]]),
    "response-edit": ("on-response-chunk", ["buffer", 100], [["edit-head", [*_EDITS, ["status", 201]], "new"]]),
    "response-small": ("on-response-chunk", ["buffer", 2], []),
}


@pytest.fixture(scope="module")
def gateways(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Starts a gateway for a guest's file, once."""
    with ExitStack() as stack:

        @functools.cache
        def start(guest: Path) -> GatewayProcess:
            lines = ["[server]", 'bind = ["127.0.0.1:0"]']
            lines += ["[[upstream]]", 'name = "origin"', f'targets = ["{shared_upstream.url}"]']
            for name, (hook, body, ops) in CASES.items():
                # What JSON and TOML write alike.
                config = f"{{ hook = {json.dumps(hook)}, body = {json.dumps(body)}, ops = {json.dumps(ops)} }}"
                lines += ["[[route]]", f'path = "/{name}"', 'upstream = "origin"']
                lines += ["[[route.chain]]", 'guest = "conformance"', f"config = {config}"]
            folder = tmp_path_factory.mktemp("gateway")
            return stack.enter_context(sentinel_run(write_config(folder, "\n".join(lines), {"conformance": guest})))

        yield start


@pytest.fixture
def asked(gateways: Any, conformance_guest: Path, origin: Upstream) -> Any:
    """Posts ``hello`` to a case of the guest."""
    return lambda case: fetch(gateways(conformance_guest).public, f"/{case}", method="POST", body=b"hello")


def test_requests(asked: Any, origin: Upstream) -> None:
    assert asked("request-unchanged").status == asked("request-replace").status == asked("request-edit").status == 200
    unchanged, replaced, edited = origin.requests
    assert (unchanged.body, replaced.body, edited.body) == (b"hello", b"new", b"new")
    assert (edited.target, edited.values("x-held")) == ("/edited", ["yes"])
    origin.reset()
    answer = asked("request-answer")
    assert (answer.status, answer.header("x-why"), answer.body) == (422, "json", b"no")
    assert asked("request-small").status == 413
    assert origin.requests == []


def test_responses(asked: Any) -> None:
    assert asked("response-unchanged").body == b"hello"
    assert asked("response-replace").body == b"new"
    edited = asked("response-edit")
    assert (edited.status, edited.header("x-held"), edited.body) == (201, "yes", b"new")
    answer = asked("response-answer")
    assert (answer.status, answer.header("x-why"), answer.body) == (500, "json", b"no")
    assert asked("response-small").status == 502
