"""Guests that crash, loop and use up their memory: the client gets a 503, and the author's lines
are in the log.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel_host.abi.contract import GRANTS, HOOKS
from sentinel_host.abi.encode import encode_request_head
from sentinel_host.errors import GuestLoadError
from sentinel_host.messages import RequestHead
from sentinel_host.sandbox import Grants, GuestEngine, Limits, load_compiled
from sentinel_host.sandbox.instance import SLOTS
from tests.languages.conftest import LANGUAGES
from tests.support.clients import fetch
from tests.support.fixtures import shared_upstream as shared_upstream
from tests.support.gateways import GatewayProcess, sentinel_run, write_config
from tests.support.instances import compiled, run_to_end, start_instance
from tests.support.upstreams import Upstream

CALLS = 100_000
# Enough to start with, and far too little for calls of which each leaves something.
MEMORY = {"c": 512 << 10, "go": 16 << 20, "zig": 512 << 10}
ON_REQUEST = next(hook for hook in HOOKS if hook.name == "on-request")

# What the log says, by the fault.
SAID = {
    "crash": "the author says why",
    "error": "the guest failed: AuthorsOwn",
    "index": "out of bounds",
    "loop": "deadline",
    "memory": "out of memory",
    "stack": "out of bounds memory access",
}
SAID_IN = {("go", "index"): "out of range", ("go", "stack"): "out of memory"}
# C has no errors to return, and checks no index.
ONLY = {"error": ("zig",), "index": ("go", "zig")}

in_each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream, faulty_guests: dict[str, Path]
) -> Iterator[GatewayProcess]:
    lines = ["[server]", 'bind = ["127.0.0.1:0"]', 'admin = "127.0.0.1:0"']
    lines += ["[[upstream]]", 'name = "origin"', f'targets = ["{shared_upstream.url}"]']
    for name in faulty_guests:
        lines += [
            f"[guest.{name}]",
            'grants = ["clock"]',
            'deadline = "1s"',
            "[[route]]",
            f'path = "/{name}"',
            'upstream = "origin"',
        ]
        lines += [f'chain = ["{name}"]']
    with sentinel_run(write_config(tmp_path_factory.mktemp("gateway"), "\n".join(lines), faulty_guests)) as running:
        yield running


@pytest.mark.parametrize("fault", SAID)
@in_each_language
def test_a_fault_is_a_503_with_a_reason_in_the_log(gateway: GatewayProcess, language: str, fault: str) -> None:
    if language not in ONLY.get(fault, LANGUAGES):
        pytest.skip(f"{language} knows no such fault")
    for _ in range(3):
        assert fetch(gateway.public, f"/{language}").status == 200
    before = len(gateway.guest_lines(language))
    assert fetch(gateway.public, f"/{language}", headers={"x-fault": fault}).status == 503
    expected = SAID_IN.get((language, fault), SAID[fault])

    def is_said() -> bool:
        return any(expected in str(line) for line in gateway.guest_lines(language)[before:])

    gateway.wait(is_said, f"{expected!r} from {language}")
    assert fetch(gateway.public, f"/{language}").status == 200


@in_each_language
def test_many_calls_need_no_more_memory_than_one(faulty_guests: dict[str, Path], language: str) -> None:
    limits = Limits(memory=MEMORY[language])
    file = faulty_guests[language]
    guest = load_compiled(compiled(file), language, str(file), GuestEngine(), limits, Grants(GRANTS))
    instance = start_instance(guest.blueprint, b"\x80")
    headers = [(b"host", b"shop.example"), (b"x-long", b"x" * 200)]
    head = encode_request_head(RequestHead("GET", "/a", None, headers, "http", "h", "192.0.2.1", "r", "/", "1.1"))
    for _ in range(CALLS):
        answer = run_to_end(instance, instance.call(SLOTS[ON_REQUEST], head, b"", True, b"r"))
    assert answer == bytes.fromhex("92009191920092a6782d7365656ec4022f61")
    instance.close()


@in_each_language
def test_an_import_without_its_grant_is_refused_by_name(faulty_guests: dict[str, Path], language: str) -> None:
    with pytest.raises(GuestLoadError, match=r"clock.*wall.*grant|grant.*clock"):
        load_compiled(compiled(faulty_guests[language]), language, str(faulty_guests[language]), GuestEngine())
