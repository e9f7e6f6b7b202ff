"""A run on a busy machine tells each failure at once."""

from __future__ import annotations

from typing import Literal

import pytest

from tests.support.failures import EarlyFailures


@pytest.mark.parametrize(
    ("outcome", "said"),
    [("failed", ["\nFAILED in setup: tests/test_x.py::test_y\nbecause\n"]), ("passed", [])],
)
def test_a_failure_is_told_when_it_is_reported(outcome: Literal["passed", "failed"], said: list[str]) -> None:
    told: list[str] = []
    where = ("tests/test_x.py", 1, "test_y")
    report = pytest.TestReport("tests/test_x.py::test_y", where, {}, outcome, "because", "setup")
    EarlyFailures(told.append).pytest_runtest_logreport(report)
    assert told == said
