"""Guests' lines on their way to Python's logging."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import struct
from pathlib import Path

import msgspec
import pytest

from sentinel_host.abi.contract import LOG_LEVELS
from sentinel_host.cli.logs import ProcessLog
from sentinel_host.errors import GuestTrap
from sentinel_host.native.log import DEFAULT_CAPACITY, LogBuffer
from sentinel_host.sandbox import GuestEngine, Limits, load_artefact
from sentinel_host.sandbox.artefact import parse_artefact
from sentinel_host.sandbox.logs import GuestLines, timestamp
from sentinel_host.sandbox.text import readable
from sentinel_host.supervisor.output import Output, create_lock
from tests.support.clocks import PATIENCE
from tests.support.logs import said
from tests.wat import index

from .conftest import Load, SyncGuest

UNCUT = Limits(lines=1_000_000)

MESSAGES = [
    b"",
    b"plain",
    b"x" * 8192,
    b'"' * 8192,
    b'{"path":"/a\\b","quoted":"\\""}',
    bytes(range(0x20, 0x7F)),
    b"a\r\nb\tc\0",
    b"\x1b[31mred\x7f",
    "Grüße, 世界 \u2028".encode(),
    b"\xff\xfe",
    b"\xff" * 8192,
]


def emitted(engine: GuestEngine) -> GuestLines:
    """What a sink is given."""
    taken: list[GuestLines] = []
    engine.log.emit(lambda lines, dropped: taken.append(lines))
    return taken[0]


def encoded(lines: GuestLines) -> bytes:
    """All of it as msgspec writes it."""
    return msgspec.json.Encoder().encode_lines(list(lines))


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
    for _ in range(8):
        middleware.on_request(b"x", "r")
    lines, dropped = engine.log.drain()
    assert len(lines) + dropped == 80_000
    assert len(lines) == DEFAULT_CAPACITY // (8 + len("log_flood") + len("r") + 100)
    assert {line.message for line in lines} == {"x" * 100}


def test_an_undrained_log_stays_small(load: Load, engine: GuestEngine) -> None:
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


@pytest.mark.parametrize("message", MESSAGES)
def test_json_says_what_the_line_does(load: Load, engine: GuestEngine, message: bytes) -> None:
    middleware = load("good/log").middleware()
    for level in range(len(LOG_LEVELS)):
        middleware.on_request(bytes([level]) + message, f"r-{level}")
    lines = emitted(engine)
    written = lines.json("trace")
    assert written == encoded(lines)
    assert written.isascii() or not message.isascii()
    for level, line in enumerate(written.splitlines(keepends=True)):
        fields = json.loads(line)
        assert list(fields) == ["time", "level", "guest", "request_id", "message"]
        assert (fields["level"], fields["guest"], fields["request_id"]) == (LOG_LEVELS[level], "log", f"r-{level}")
        assert fields["message"] == readable(message)


def test_json_lines_keep_their_order(load: Load, engine: GuestEngine) -> None:
    """C writes the plain lines and Python the others, in pieces."""
    middleware = load("good/log").middleware()
    chosen = random.Random(7)
    for number in range(500):
        level = chosen.randrange(len(LOG_LEVELS)).to_bytes()
        middleware.on_request(level + chosen.choice(MESSAGES)[:500], f"r{number}")
    lines = emitted(engine)
    assert lines.json("trace") == encoded(lines)
    loud = [line.request_id for line in lines if line.level not in ("trace", "debug")]
    assert [json.loads(line)["request_id"] for line in lines.json("info").splitlines()] == loud
    assert lines.json("error").count(b"\n") == sum(line.level == "error" for line in lines)


def test_json_of_generated_lines() -> None:
    """Whatever bytes texts have, whatever follows them, and wherever quotes are in them."""
    chosen = random.Random(11)
    kinds = (b"ab ~", b'a"\\', b'"', bytes(range(0x20, 0x7F)), b"a\x1f\n\x7f", "aü世".encode(), bytes(range(256)))
    texts = [bytes(chosen.choices(kind, k=size)) for kind in kinds for size in range(70)]
    buffer = LogBuffer()
    for _ in range(60):
        drained = b"".join(drained_line(chosen, texts) for _ in range(chosen.randrange(1, 40)))
        lines = GuestLines(buffer, drained)
        assert lines.json("trace") == encoded(lines)
        loud = [line for line in lines if line.level not in ("trace", "debug")]
        assert lines.json("info") == msgspec.json.Encoder().encode_lines(loud)


def drained_line(chosen: random.Random, texts: list[bytes]) -> bytes:
    """A line as a buffer gives it; most have a plain name and a plain id."""
    guest = chosen.choice([b"guest", b"guest", chosen.choice(texts)])
    label = chosen.choice([b"", b"request-1", b"request-1", chosen.choice(texts)])
    message = chosen.choice(texts)
    level = chosen.randrange(len(LOG_LEVELS))
    return struct.pack("<4H", level, len(guest), len(label), len(message)) + guest + label + message


def test_json_tells_the_time_as_python_does() -> None:
    chosen = random.Random(5)
    line = drained_line(chosen, [b"message"])
    for milliseconds in (0, 999, 951_782_400_001, 4_102_444_800_050, *(chosen.randrange(1 << 42) for _ in range(200))):
        written, end = LogBuffer(1).render(line, 0, 0, milliseconds)
        assert end == len(line)
        assert json.loads(written)["time"] == timestamp(milliseconds / 1000)


def test_json_of_many_lines(load: Load, engine: GuestEngine) -> None:
    """More than C makes at a time."""
    middleware = load("good/log").middleware()
    for number in range(100):
        middleware.on_request(b"\x02" + b'"' * 8000, f"r{number}")
    lines = emitted(engine)
    written = lines.json("info")
    assert len(written) > 100 * 16000
    assert written == encoded(lines)


def test_the_command_writes_them_in_one_piece(load: Load, engine: GuestEngine, tmp_path: Path) -> None:
    middleware = load("good/log").middleware()
    for number, level in enumerate((0, 2, 1, 3, 4)):
        middleware.on_request(bytes([level]) + b'"line"\n', f"r{number}")
    lock, told = create_lock(), []
    with open(tmp_path / "log", "wb") as file:
        output = Output(file.fileno(), lock, lambda *what: told.append(what) or b"")
        log = ProcessLog(output)
        log.write_guest_lines(emitted(engine), 7)
        output.close(PATIENCE)
    os.close(lock)
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    # What is below a guest's level never comes here.
    assert [line["level"] for line in lines] == ["trace", "info", "debug", "warn", "error"]
    assert [line["request_id"] for line in lines] == ["r0", "r1", "r2", "r3", "r4"]
    assert {line["message"] for line in lines} == {'"line"\\n'}
    assert told == [(7, "the buffer of guests' lines was full")]
    assert log.dropped == 7


def test_lines_of_a_start_have_no_request(load: Load, engine: GuestEngine) -> None:
    load("good/start_log").middleware()
    lines = emitted(engine)
    fields = json.loads(lines.json("trace").splitlines()[0])
    assert fields["guest"] == "start_log"
    assert fields["request_id"] is None
    assert lines.json("trace") == encoded(lines)


@pytest.mark.parametrize("name", ['a"b\\', "grün", "x" * 200, "line\nfeed"])
def test_any_name_is_written_safely(engine: GuestEngine, runner: asyncio.Runner, name: str) -> None:
    """The configuration allows few characters in names. Whoever else loads guests gets whole lines
    too.
    """
    guest = SyncGuest(load_artefact(parse_artefact(index.wasm("good/log"), "log"), name, engine), runner)
    guest.middleware().on_request(b"\x02m", "r")
    lines = emitted(engine)
    assert lines.json("trace") == encoded(lines)
    assert json.loads(lines.json("trace"))["guest"] == name[:128]


def test_reports_what_was_dropped(
    load: Load, engine: GuestEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    middleware = load("hostile/log_flood", UNCUT).middleware()
    for _ in range(8):
        middleware.on_request(b"x", "r")
    # pytest would keep and format every line that was not.
    monkeypatch.setattr(logging.getLogger("sentinel.guest.log_flood"), "disabled", True)
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
