"""A hundred thousand calls of an interpreter's guest need no more memory than the first ones.

Those of compiled guests are in `test_faults`, where little memory is all that they get.
"""

from __future__ import annotations

import functools

import pytest

from guestbuild.places import GUESTS
from sentinel_host.abi.contract import ON_REQUEST
from sentinel_host.abi.encode import encode_config, encode_request_head
from sentinel_host.authoring.loading import load
from sentinel_host.messages import RequestHead
from sentinel_host.sandbox import GuestEngine
from sentinel_host.sandbox.grants import ALL
from sentinel_host.sandbox.instance import SLOTS
from tests.support.gateways import CACHED
from tests.support.instances import run_to_end, start_instance

CALLS = 100_000
# Until the interpreter has the memory that it needs in the long run.
FIRST_CALLS = 2_000
CONFIG = encode_config({"request": {"set": {"x-gateway": "sentinel"}}})
HEADERS = [(b"host", b"shop.example"), (b"x-long", b"x" * 200)]
HEAD = RequestHead("GET", "/a", None, HEADERS, "http", "shop.example", "192.0.2.1", "r-1", "main", "1.1")


@pytest.mark.parametrize("language", ["python", "typescript"])
def test_many_calls_need_no_more_memory_than_the_first(language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What gateways of other tests have compiled of the same guests, too.
    monkeypatch.setenv("XDG_CACHE_HOME", CACHED["XDG_CACHE_HOME"])
    engine = GuestEngine()
    guest = load(GUESTS / language / "header-injection.wasm", engine, ALL)
    instance = start_instance(guest.blueprint, CONFIG)
    call = functools.partial(instance.call, SLOTS[ON_REQUEST], encode_request_head(HEAD), b"", True, b"r")
    for _ in range(FIRST_CALLS):
        first = run_to_end(instance, call())
    before = engine.snapshot()[guest.name]["memory_bytes"]
    for _ in range(CALLS - FIRST_CALLS):
        answer = run_to_end(instance, call())
    assert first is not None
    assert b"x-gateway" in first
    assert answer == first
    assert engine.snapshot()[guest.name]["memory_bytes"] == before
    instance.close()
