"""Starting instances: order of the steps, limits, and what a guest says against its
configuration.
"""

from __future__ import annotations

import pytest

from sentinel_host.errors import GuestLoadError, GuestTrap
from sentinel_host.sandbox import GuestEngine, Limits
from tests.support.logs import said
from tests.wat import index

from .conftest import Load


def test_initialize_then_configure_then_hooks(load: Load, engine: GuestEngine) -> None:
    middleware = load("good/lifecycle").middleware(b"\x81\xa1a\x01")
    assert middleware.on_request(b"x", "r1") is None
    lines, dropped = engine.log.drain()
    assert [(line.request_id, line.message) for line in lines] == [(None, "initialized"), (None, "\ufffd\ufffda\\x01")]
    assert dropped == 0


def test_each_middleware_has_its_own_instance(load: Load) -> None:
    guest = load("good/counter")
    first, second = guest.middleware(), guest.middleware()
    contexts = [middleware.on_request(b"x", "r").context for middleware in (first, first, second, first)]  # type: ignore[union-attr]
    assert contexts == [b"\x01", b"\x02", b"\x01", b"\x03"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("start_traps", "start: wasm `unreachable` instruction executed"),
        ("initialize_traps", "_initialize: wasm `unreachable` instruction executed"),
        ("configure", "configure: wasm `unreachable` instruction executed"),
        ("memory_4gib", "start: memory minimum size of 65536 pages exceeds memory limits"),
        ("table_huge", "start: table minimum size of 100000000 elements exceeds table limits"),
        ("tables_many", "start: resource limit exceeded: table count too high at 3"),
    ],
)
def test_a_guest_that_cannot_start_is_not_taken(load: Load, name: str, reason: str) -> None:
    guest = load(f"hostile/{name}")
    with pytest.raises(GuestLoadError) as caught:
        guest.middleware()
    assert str(caught.value) == f"hostile/{name}.wasm: {reason}"


def test_a_trap_at_start_keeps_its_backtrace(load: Load) -> None:
    with pytest.raises(GuestLoadError) as caught:
        load("hostile/start_traps").middleware()
    assert isinstance(caught.value.__cause__, GuestTrap)
    assert caught.value.__cause__.backtrace == ("start_traps!start",)


def test_a_refused_configuration_gives_the_guests_message(load: Load) -> None:
    with pytest.raises(GuestLoadError) as caught:
        load("hostile/configure").middleware(b"\x81\x01no key \xff\n")
    assert str(caught.value) == (
        "hostile/configure.wasm: configure: refused its configuration: \ufffd\\x01no key \ufffd\\n"
    )


def test_configure_answers_ok_or_err_and_nothing_else(load: Load) -> None:
    guest = load("hostile/configure")
    guest.middleware(b"\x81\x00")
    with pytest.raises(GuestLoadError, match="configure: the result is neither ok nor err"):
        guest.middleware(b"\x81\x02")


def test_configuration_for_a_guest_that_takes_none(load: Load) -> None:
    with pytest.raises(GuestLoadError, match="is configured, but exports no configure"):
        load("good/echo").middleware(b"\x81\xa1a\x01")


def test_memory_grows_to_the_limit_and_no_further(load: Load) -> None:
    for pages in (256, 16):
        action = load("hostile/memory_hog", Limits(memory=pages * 65536)).middleware().on_request(b"x", "r")
        assert action is not None
        assert int.from_bytes(action.context, "big") == pages


def test_bases_may_move_in_every_call(load: Load) -> None:
    middleware = load("good/grows").middleware()
    for size in (1, 100, 60_000):
        answer = b"\x92\x00\x92\x90\xc5" + size.to_bytes(2, "big") + b"x" * size
        action = middleware.on_request(answer, "r")
        assert action is not None
        assert action.context == b"x" * size


def test_a_start_function_can_log(load: Load, engine: GuestEngine) -> None:
    load("good/start_log").middleware()
    assert said(engine) == [("start_log", None, "debug", "starting")]


def test_every_hostile_guest_is_in_a_test() -> None:
    """A guest that no test names would be a row of the abuse table that looks covered."""
    folders = (index.HERE.parent / "unit" / "sandbox", index.HERE.parent / "sandbox")
    sources = "".join(path.read_text() for folder in folders for path in sorted(folder.glob("test_*.py")))
    guests = [*index.names("hostile"), *index.names("granted")]
    unused = [name for name in guests if name not in sources and f'"{name.partition("/")[2]}"' not in sources]
    assert unused == []
