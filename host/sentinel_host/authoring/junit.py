"""Outcomes of cases as JUnit's XML, which CI systems read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from sentinel_host.authoring.trials import Outcome
from sentinel_host.errors import ConfigError

# What XML 1.0 cannot hold, section 2.2.
_NOT_XML: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_junit(file: Path, guest: str, outcomes: Sequence[Outcome]) -> None:
    """Write one test suite for each kind of case. Raises `ConfigError` when the file cannot be
    written.
    """
    root = ElementTree.Element("testsuites")
    for suite in dict.fromkeys(outcome.suite for outcome in outcomes):
        cases = [outcome for outcome in outcomes if outcome.suite == suite]
        failures = sum(not outcome.passed for outcome in cases)
        counts = {"tests": str(len(cases)), "failures": str(failures), "errors": "0"}
        element = ElementTree.SubElement(root, "testsuite", {"name": f"{guest}.{suite}", **counts})
        for outcome in cases:
            _add(element, f"{guest}.{suite}", outcome)
    try:
        ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from None


def _add(suite: ElementTree.Element, group: str, outcome: Outcome) -> None:
    words = {"classname": group, "name": _printable(outcome.name), "time": f"{outcome.seconds:.6f}"}
    case = ElementTree.SubElement(suite, "testcase", words)
    if outcome.reason is not None:
        failure = ElementTree.SubElement(case, "failure", {"message": _printable(outcome.reason.splitlines()[0])})
        failure.text = _printable(outcome.reason)
    if outcome.logs:
        lines = "\n".join(f"{level:5} {text}" for level, text in outcome.logs)
        ElementTree.SubElement(case, "system-out").text = _printable(lines)


def _printable(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
