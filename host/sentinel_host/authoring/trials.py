"""Runs what says how a guest must behave: the self-test in its file, and case tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic

import msgspec

from sentinel_host.abi.encode import encode_config
from sentinel_host.abi.rules import AbiError
from sentinel_host.authoring.tables import Table, TableCase, chunk_difference, difference, read_table
from sentinel_host.authoring.workbench import Call, StartedGuest, Workbench, guest_failure
from sentinel_host.errors import GuestError, SentinelError
from sentinel_host.sandbox.cases import Case, told_answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a case: ``reason`` tells why it failed, and is None for one that passed."""

    suite: str
    name: str
    reason: str | None
    seconds: float
    logs: tuple[tuple[str, str], ...] = ()
    calls: tuple[Call, ...] = ()

    @property
    def passed(self) -> bool:
        return self.reason is None


def run_trials(bench: Workbench, tables: Iterable[Path], config: bytes) -> Iterator[Outcome]:
    """The outcomes of the self-test's cases and of the tables', as they come.

    ``config`` is for self-test cases that bring none. Raises `ConfigError` for a table that cannot
    be read.
    """
    for case in bench.guest.self_test:
        yield _outcome(bench, "self-test", case.name, partial(_self_test, bench, case, config))
    for file in tables:
        table = read_table(file)
        if table.guest not in (None, bench.guest.name):
            continue
        for entry in table.cases:
            yield _outcome(bench, file.stem, entry.name, partial(_table_case, bench, table, entry))


_Trial = tuple[str | None, list[tuple[str, str]], list[Call]]


def _outcome(bench: Workbench, suite: str, name: str, trial: Callable[[], _Trial]) -> Outcome:
    began = monotonic()
    logs: list[tuple[str, str]] = []
    calls: list[Call] = []
    try:
        reason, logs, calls = trial()
    except GuestError as error:
        reason, logs = guest_failure(error), bench.take_logs()
    except SentinelError as error:
        reason = str(error)
    except AbiError as error:
        reason = f"an answer that the contract does not allow: {error}"
    return Outcome(suite, name, reason, monotonic() - began, tuple(logs), tuple(calls))


def _self_test(bench: Workbench, case: Case, config: bytes) -> _Trial:
    if case.hook not in bench.guest.hooks:
        return f"the guest exports no {case.hook}", [], []
    started = bench.start(config if case.config is None else encode_config(case.config))
    answer = started.call(case.hook, case.payload(), case.context.encode())
    reason = case.mismatch(answer, bench.guest.blueprint.limits.answers)
    return reason, started.take_logs(), started.take_calls()


def _table_case(bench: Workbench, table: Table, case: TableCase) -> _Trial:
    if case.hook != "configure" and case.hook not in bench.guest.hooks:
        return f"the guest exports no {case.hook}", [], []
    expect = dict(case.expect)
    try:
        started = bench.start(case.configuration(), case.setup())
    except GuestError as error:
        if expect.get("action") != "error":
            raise
        return _refusal_difference(expect, error), bench.take_logs(), []
    if expect.get("action") == "error":
        return "configure: expected an error, and there was none", started.take_logs(), started.take_calls()
    wanted = {key: expect.pop(key) for key in ("log", "calls") if key in expect}
    reason = _called(bench, started, table, case, expect)
    logs, calls = started.take_logs(), started.take_calls()
    got = {"log": [list(line) for line in logs], "calls": [list(call) for call in calls]}
    for key, value in wanted.items():
        if reason is None and value != got[key]:
            reason = f"{key}: expected {_show(value)}, got {_show(got[key])}"
    return reason, logs, calls


def _called(
    bench: Workbench, started: StartedGuest, table: Table, case: TableCase, expect: dict[str, object]
) -> str | None:
    if case.hook == "configure":
        return difference(expect, {"action": "nothing"})
    context, limits = case.context.encode(), bench.guest.blueprint.limits.answers
    if case.hook in ("on-request-chunk", "on-response-chunk"):
        answers = [started.call(case.hook, piece, context, last) for piece, last in case.pieces()]
        told = [{"action": "nothing"} if each is None else told_answer(case.hook, each, limits) for each in answers]
        expected = expect.get("answers", [])
        return chunk_difference(expected if isinstance(expected, list) else [], told)
    record = table.record(case)
    for _ in range(case.before):
        started.call(case.hook, record, context)
    started.advance(case.advance * 1_000_000)
    started.take_logs()
    started.take_calls()
    answer = started.call(case.hook, record, context)
    return difference(expect, {"action": "nothing"} if answer is None else told_answer(case.hook, answer, limits))


def _refusal_difference(expect: dict[str, object], error: GuestError) -> str | None:
    contains, omits = str(expect.get("error_contains", "")), expect.get("error_omits")
    if contains not in error.reason:
        return f"error: expected one with {contains!r}, got {error.reason!r}"
    if omits is not None and str(omits) in error.reason:
        return f"error: expected one without {omits!r}, got {error.reason!r}"
    return None


def _show(value: object) -> str:
    return msgspec.json.encode(value).decode()
