"""Guests' lines on their way to Python's logging."""

from __future__ import annotations

import logging
import struct

import pytest

from sentinel_host.abi.contract import LOG_LEVELS
from sentinel_host.errors import GuestTrap
from sentinel_host.native.log import DEFAULT_CAPACITY
from sentinel_host.sandbox import GuestEngine, Limits
from sentinel_host.sandbox.text import readable
from tests.support.logs import said

from .conftest import Load

UNCUT = Limits(lines=1_000_000)


def test_levels_and_request_ids(load: Load, engine: GuestEngine) -> None:
    middleware = load("good/log").middleware()
    for level in range(len(LOG_LEVELS)):
        assert middleware.on_request(bytes([level]) + b"line", f"r{level}") is None
    assert said(engine) == [("log", f"r{index}", level, "line") for index, level in enumerate(LOG_LEVELS)]
    assert engine.log.drain() == ([], 0)


def test_a_trapping_call_keeps_its_lines(load: Load, engine: GuestEngine) -> None:
    """An AssemblyScript guest says where it aborted just before it traps."""
    middleware = load("good/log").middleware()
    middleware.on_request(b"\x02fine", "r1")
    with pytest.raises(GuestTrap):
        middleware.on_request(b"\x09unknown level", "r2")
    middleware.on_request(b"\x02after", "r3")
    assert [line.request_id for line in engine.log.drain()[0]] == ["r1", "r3"]


def test_long_messages_are_cut(load: Load, engine: GuestEngine) -> None:
    load("good/log").middleware().on_request(b"\x02" + b"x" * 9000, "r")
    assert engine.log.drain()[0][0].message == "x" * 8192


@pytest.mark.parametrize(
    ("level", "start", "length", "reason"),
    [
        (5, 0, 1, "log.write: unknown level"),
        (0xFFFFFFFF, 0, 1, "log.write: unknown level"),
        (2, 65536, 1, "log.write: the message lies outside of memory"),
        (2, 65535, 2, "log.write: the message lies outside of memory"),
        (2, 0xFFFFFFFF, 0xFFFFFFFF, "log.write: the message lies outside of memory"),
        (2, 1, 0xFFFFFFFF, "log.write: the message lies outside of memory"),
    ],
)
def test_bad_calls_trap(load: Load, level: int, start: int, length: int, reason: str) -> None:
    with pytest.raises(GuestTrap) as caught:
        load("hostile/log").middleware().on_request(struct.pack("<3I", level, start, length), "r")
    assert caught.value.reason == reason
    assert caught.value.backtrace[0].startswith("log!")


def test_a_flood_is_bounded_and_counted(load: Load, engine: GuestEngine) -> None:
    middleware = load("hostile/log_flood", UNCUT).middleware()
    for _ in range(2):
        middleware.on_request(b"x", "r")
    lines, dropped = engine.log.drain()
    assert len(lines) + dropped == 20_000
    assert len(lines) == DEFAULT_CAPACITY // (8 + len("log_flood") + len("r") + 100)
    assert {line.message for line in lines} == {"\\x00" * 100}


def test_a_log_that_nobody_drains_stays_small(load: Load, engine: GuestEngine) -> None:
    """The labels of the calls that wrote lines are part of the lines, and as bounded."""
    middleware = load("hostile/log_flood", UNCUT).middleware()
    for _ in range(50):
        middleware.on_request(b"x", "r" * 128)
    lines, dropped = engine.log.drain()
    assert len(lines) == DEFAULT_CAPACITY // (8 + len("log_flood") + 128 + 100)
    assert len(lines) + dropped == 500_000
    assert {line.request_id for line in lines} == {"r" * 128}


def test_emits_records(load: Load, engine: GuestEngine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1, logger="sentinel.guest")
    load("good/log").middleware().on_request(b"\x03100 % sure\n", "r7")
    load("good/log").middleware().on_request(b"\x00fine", "r8")
    engine.log.emit()
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("sentinel.guest.log", logging.WARNING, "100 % sure\\n"),
        ("sentinel.guest.log", 5, "fine"),
    ]
    assert [(vars(record)["guest"], vars(record)["request_id"]) for record in caplog.records] == [
        ("log", "r7"),
        ("log", "r8"),
    ]


def test_reports_what_was_dropped(load: Load, engine: GuestEngine, caplog: pytest.LogCaptureFixture) -> None:
    load("hostile/log_flood", UNCUT).middleware().on_request(b"x", "r")
    engine.log.emit()
    assert caplog.records[-1].name == "sentinel.guest"
    assert "lines of guests were dropped" in caplog.records[-1].getMessage()


def test_one_call_writes_so_many_lines(load: Load, engine: GuestEngine) -> None:
    """Otherwise one request could push every other guest's lines out of the buffer."""
    middleware = load("hostile/log_flood").middleware()
    before = engine.snapshot()["log_flood"]["log_lines_cut"]
    for request in ("r1", "r2"):
        middleware.on_request(b"x", request)
    lines, dropped = engine.log.drain()
    assert [line.request_id for line in lines] == ["r1"] * 64 + ["r2"] * 64
    assert dropped == 0
    assert engine.snapshot()["log_flood"]["log_lines_cut"] - before == 2 * (10_000 - 64)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"plain", "plain"),
        ("Grüße, 世界".encode(), "Grüße, 世界"),
        (b"a\r\nb\tc\0", "a\\r\\nb\\tc\\x00"),
        (b"\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("\u2028\u202e\x85".encode(), "\\u2028\\u202e\\x85"),
    ],
)
def test_text_is_made_harmless(message: bytes, text: str) -> None:
    assert readable(message) == text
