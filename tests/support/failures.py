"""Failures, told when they happen: a run on a busy machine goes on for long behind its first."""

from __future__ import annotations

from collections.abc import Callable

import pytest


class EarlyFailures:
    """A plugin that tells each failure as soon as it is reported, with its traceback.

    ``write`` gets whole lines.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for the setup, the call and the teardown of each test."""
        if report.failed:
            self._write(f"\nFAILED in {report.when}: {report.nodeid}\n{report.longreprtext}\n")
