"""Case tables: files of JSON beside a guest that say what it must do, and what its stand-ins answer
meanwhile.

docs/how-to/test-a-guest.md is the format. No engine is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from sentinel_host.abi.encode import encode_config
from sentinel_host.authoring.workbench import START, HttpService, Setup
from sentinel_host.errors import ConfigError
from sentinel_host.messages import OutboundRequest, Response
from sentinel_host.sandbox.cases import head_record

Hook = Literal["configure", "on-request", "on-response", "on-complete", "on-request-chunk", "on-response-chunk"]
Piece = tuple[bytes, bool]
"""A chunk, and whether it is its body's last."""

# What an answer's key is where the guest said nothing of it.
_DEFAULTS: Final[dict[str, object]] = {"edits": [], "context": "", "body": "", "headers": [], "chunk": None}


class _Hex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    hex: str


class TableCase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One looked-at call of ``hook``, after ``before`` others like it, and what is expected."""

    name: str
    hook: Hook
    expect: dict[str, Any]
    config: dict[str, Any] = {}
    config_hex: str | None = None
    head: dict[str, Any] = {}
    bodies: list[list[str | _Hex]] = []
    before: int = 0
    context: str = ""
    services: dict[str, dict[str, tuple[int, str]]] = {}
    kv: dict[str, str] = {}
    kv_error: Literal["full", "too-large", "not-a-number", "unavailable"] | None = None
    clock: datetime | None = None
    advance: int = 0
    random: int = 0

    def configuration(self) -> bytes:
        """What `configure` gets."""
        return encode_config(self.config) if self.config_hex is None else bytes.fromhex(self.config_hex)

    def setup(self) -> Setup:
        """What the stand-ins begin with."""
        wall = START if self.clock is None else int(self.clock.timestamp() * 1e9)
        kv = {key.encode(): value.encode() for key, value in self.kv.items()}
        return Setup(kv, self.kv_error, _services(self.services), wall, self.random)

    def pieces(self) -> list[Piece]:
        """The calls of a chunk hook."""
        return [
            (piece.encode() if isinstance(piece, str) else bytes.fromhex(piece.hex), place == len(body))
            for body in self.bodies
            for place, piece in enumerate(body, 1)
        ]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of cases; ``defaults`` are fields of heads by hook, ``guest`` is the guest's name, for
    any without one.
    """

    cases: list[TableCase]
    guest: str | None = None
    defaults: dict[str, dict[str, Any]] = {}

    def record(self, case: TableCase) -> bytes:
        """What a head hook gets. What it raises, `read_table` has seen already."""
        return head_record(case.hook, self.defaults.get(case.hook, {}) | case.head)


def read_table(file: Path) -> Table:
    """A table from a file. Raises `ConfigError` that names the file and the case."""
    try:
        table = msgspec.json.decode(file.read_bytes(), type=Table)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise ConfigError(f"{file}: {error}") from None
    for case in table.cases:
        try:
            case.configuration()
            case.pieces()
            if case.hook in ("on-request", "on-response", "on-complete"):
                table.record(case)
        except (ValueError, TypeError, OverflowError) as error:
            raise ConfigError(f"{file}: case {case.name!r}: {error}") from None
    return table


def plain(answer: Mapping[str, object]) -> dict[str, object]:
    """An answer, or what is expected of one, without the keys that say nothing."""
    defaults = dict(_DEFAULTS)
    if answer.get("action") != "respond":
        defaults["body"] = "skip"
    return {key: value for key, value in answer.items() if value is not None and defaults.get(key, ...) != value}


def difference(expected: Mapping[str, object], told: Mapping[str, object]) -> str | None:
    """The first key in which they differ, and how; None when they are the same."""
    wanted, got = plain(expected), plain(told)
    for key in (*wanted, *got):
        if wanted.get(key) != got.get(key):
            return f"{key}: expected {_show(wanted.get(key))}, got {_show(got.get(key))}"
    return None


def chunk_difference(expected: Sequence[object], told: Sequence[Mapping[str, object]]) -> str | None:
    """The same for the answers to the chunks of bodies: null, text in place of a chunk, or a
    response.
    """
    if len(expected) != len(told):
        return f"answers: expected {len(expected)}, got {len(told)}"
    for place, (wanted, got) in enumerate(zip(expected, told, strict=True), 1):
        if wanted is None:
            wanted = {"action": "nothing"}
        elif isinstance(wanted, str):
            wanted = {"action": "replace", "chunk": wanted}
        elif isinstance(wanted, Mapping) and "action" not in wanted:
            wanted = {"action": "respond", **wanted}
        if not isinstance(wanted, Mapping):
            return f"answer {place}: {_show(wanted)} is none"
        if reason := difference(wanted, got):
            return f"answer {place}: {reason}"
    return None


def _services(services: Mapping[str, Mapping[str, tuple[int, str]]]) -> HttpService:
    def answer(request: OutboundRequest) -> Response | str:
        found = services.get(request.url, {}).get(request.body.decode(errors="replace"))
        return "unreachable" if found is None else Response(found[0], [], found[1].encode())

    return answer


def _show(value: object) -> str:
    return msgspec.json.encode(value).decode()
