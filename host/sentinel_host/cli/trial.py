"""``sentinel test``: a guest's unit tests, its self-test and its case tables, without a gateway."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from time import monotonic
from typing import Any

from sentinel_host.abi.encode import encode_config
from sentinel_host.authoring.fuzz import Fuzzed, fuzz
from sentinel_host.authoring.junit import write_junit
from sentinel_host.authoring.paint import Paint
from sentinel_host.authoring.project import Project, find_project
from sentinel_host.authoring.trials import Outcome, run_trials
from sentinel_host.authoring.workbench import Workbench
from sentinel_host.errors import ConfigError
from sentinel_host.sandbox.text import one_line, readable

_STYLES = {"error": "red", "warn": "yellow"}


def test(options: argparse.Namespace) -> int:
    """Run everything, and print a tick per case with what the guest logged; 1 if anything failed.

    Raises `SentinelError` when the guest cannot be built or loaded, or a table cannot be read.
    """
    place = Path(options.place)
    project = None if place.suffix == ".wasm" else find_project(place)
    report = _Report(quiet=options.json)
    if project is not None:
        project.build()
        _unit_tests(project, report)
    file = place if project is None else project.file
    tables = [Path(name) for name in options.cases]
    if project is not None and not tables:
        tables = sorted(project.folder.glob("cases/*.json"))
    bench = Workbench(file)
    config = _config(options.guest_config)
    try:
        for outcome in run_trials(bench, tables, config):
            report.add(outcome)
        fuzzed = fuzz(bench, config, options.fuzz, options.seed) if options.fuzz else None
    finally:
        bench.close()
    if fuzzed is not None:
        report.add_fuzzed(fuzzed)
    if options.junit:
        write_junit(Path(options.junit), bench.guest.name, report.outcomes)
    return report.end(bench.guest.name)


def _config(text: str | None) -> bytes:
    try:
        config = json.loads(text or "{}")
        if not isinstance(config, dict):
            raise ValueError("expected an object")
        return encode_config(config)
    except (ValueError, TypeError, OverflowError) as error:
        raise ConfigError(f"--guest-config: {error}") from None


def _unit_tests(project: Project, report: _Report) -> None:
    began = monotonic()
    tests = project.language.test(project.folder)
    if tests is not None:
        reason = None if tests.passed else tests.output
        report.add(Outcome("unit tests", f"in {project.language.name}", reason, monotonic() - began))


class _Report:
    """Prints outcomes as they come, but for ``quiet``, which prints all of them at the end as
    JSON.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.outcomes: list[Outcome] = []
        self._quiet = quiet
        self._paint = Paint.of()
        self._fuzzed: Fuzzed | None = None

    def add(self, outcome: Outcome) -> None:
        if not self._quiet:
            if not self.outcomes or self.outcomes[-1].suite != outcome.suite:
                print(self._paint("bold", outcome.suite))
            self._print(outcome)
        self.outcomes.append(outcome)

    def add_fuzzed(self, fuzzed: Fuzzed) -> None:
        """A case for each finding, or one for none."""
        self._fuzzed = fuzzed
        suite = "fuzz"
        told = f"{fuzzed.requests:,} odd requests, with seed {fuzzed.seed}"
        if not fuzzed.findings:
            self.add(Outcome(suite, told, None, 0.0))
        for finding in fuzzed.findings:
            reason = f"{finding.reason}\n{json.dumps(finding.request)}"
            self.add(Outcome(suite, f"request {finding.number} of seed {fuzzed.seed}", reason, 0.0))

    def end(self, guest: str) -> int:
        """The exit code."""
        failed = sum(not outcome.passed for outcome in self.outcomes)
        passed = len(self.outcomes) - failed
        if self._quiet:
            found: dict[str, Any] = {"guest": guest, "passed": passed, "failed": failed}
            found["cases"] = [asdict(outcome) for outcome in self.outcomes]
            if self._fuzzed is not None:
                found["fuzz"] = asdict(self._fuzzed)
            print(json.dumps(found))
        else:
            style = "red" if failed else "green"
            print(self._paint(style, f"{guest}: {passed} passed, {failed} failed"))
            if not self.outcomes:
                print(f"{guest} brings no self-test, and there are no case tables", file=sys.stderr)
        return 1 if failed else 0

    def _print(self, outcome: Outcome) -> None:
        paint = self._paint
        mark = paint("green", "✓") if outcome.passed else paint("red", "✗")
        print(f"  {mark} {one_line(outcome.name)}")
        for line in (outcome.reason or "").splitlines():
            print(paint("red", f"      {readable(line.encode())}"))
        for level, text in outcome.logs:
            print(paint(_STYLES.get(level, "dim"), f"      {level:5} {readable(text.encode())}"))
