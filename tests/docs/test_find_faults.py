"""What `docs/how-to/find-faults.md` says that an operator sees is there, once everything has
happened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.faults import TOKEN, troubled
from tests.support.clients import fetch
from tests.support.gateways import ROOT, GatewayProcess

PAGE = ROOT / "docs" / "how-to" / "find-faults.md"
BLOCK = re.compile(r"^```(log|metric|state)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTIONS = {section.partition("\n")[0]: BLOCK.findall(section) for section in PAGE.read_text().split("\n## ")[1:]}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with troubled(tmp_path_factory.mktemp("gateway")) as running:
        yield running


def pattern(written: str) -> re.Pattern[str]:
    """What a line of the page stands for."""
    return re.compile(".*".join(re.escape(part) for part in written.split("…")), re.DOTALL)


def logged(gateway: GatewayProcess) -> list[str]:
    return [json.loads(line)["message"] for line in list(gateway.log) if line.startswith("{")]


def metrics(gateway: GatewayProcess) -> list[str]:
    told = fetch(gateway.admin, "/metrics").body.decode().splitlines()
    return [name for name, _, value in (line.rpartition(" ") for line in told) if value not in ("0.0", "")]


def state(gateway: GatewayProcess) -> list[str]:
    told: dict[str, Any] = fetch(gateway.admin, "/state", headers={"authorization": f"Bearer {TOKEN}"}).json()
    lines = [f"{key} = {value if isinstance(value, str) else json.dumps(value)}" for key, value in told.items()]
    lines += [f"guest {guest['name']}: {key} = {value}" for guest in told["guests"] for key, value in guest.items()]
    for upstream in told["upstreams"]:
        lines += [f"endpoint of {upstream['name']}: state = {each['state']}" for each in upstream["endpoints"]]
    return lines


SEEN: dict[str, Callable[[GatewayProcess], list[str]]] = {"log": logged, "metric": metrics, "state": state}


@pytest.mark.parametrize("section", SECTIONS)
def test_an_operator_sees_what_the_page_says(section: str, gateway: GatewayProcess) -> None:
    assert {kind for kind, _ in SECTIONS[section]} == set(SEEN)
    for kind, text in SECTIONS[section]:
        seen = SEEN[kind](gateway)
        for line in text.splitlines():
            start = pattern(line)
            assert any(start.match(each) for each in seen), f"{line}\n{seen}"


def test_the_page_tells_of_everything() -> None:
    assert len(SECTIONS) == 7
    assert Path(PAGE).read_text().count("```log") == 7
