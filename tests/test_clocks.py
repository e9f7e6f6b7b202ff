"""No test depends on how fast a machine is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "process_time", "thread_time", "time"}


def elapsed(tree: ast.AST) -> Iterator[int]:
    """The lines of assertions about the difference between a clock's time and an earlier one."""
    for statement in ast.walk(tree):
        if not isinstance(statement, ast.Assert):
            continue
        for part in ast.walk(statement.test):
            if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Sub) and isinstance(part.left, ast.Call):
                function = part.left.func
                name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
                if name in CLOCKS:
                    yield statement.lineno


def test_elapsed_time_is_found() -> None:
    found = "assert time.monotonic() - begun < 5\nassert 1 < loop.time() - begun"
    assert list(elapsed(ast.parse(found))) == [1, 2]
    assert not list(elapsed(ast.parse("assert time.monotonic() < end, 'it hangs'")))


def test_nothing_asserts_how_long_something_took() -> None:
    """A machine may be too slow for a bound, and too fast for one from below: both have made the
    suite red.

    What must come is waited for until a time that only a hang reaches; what is about time has a
    clock of its own.
    """
    paths = [path for path in TESTS.rglob("*.py") if path.name != "test_clocks.py" and "bench" not in path.parts]
    found = [f"{path.relative_to(TESTS)}:{line}" for path in paths for line in elapsed(ast.parse(path.read_text()))]
    assert found == []
