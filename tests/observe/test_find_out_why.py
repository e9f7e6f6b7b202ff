"""Each section of docs/how-to/find-out-why.md happens, and says what the page says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from sitebuild.markdown import blocks
from tests.hotload.failing import ALWAYS, version
from tests.supervisor.support import wait_until
from tests.support.clients import fetch
from tests.support.gateways import ROOT, GatewayProcess, sentinel_run, write_config
from tests.support.upstreams import Upstream
from tests.wat import index

PAGE = ROOT / "docs" / "how-to" / "find-out-why.md"
CONFIG = """
[server]
bind = ["127.0.0.1:0"]
admin = "127.0.0.1:0"
trusted_proxies = ["127.0.0.1"]

[guest.endless]
deadline = "5ms"

[[upstream]]
name = "orders"
targets = ["http://127.0.0.1:9"]

[[upstream]]
name = "origin"
targets = ["{upstream}"]

[[route]]
path = "/orders"
upstream = "orders"

[[route]]
path = "/trap"
upstream = "origin"
chain = ["broken"]

[[route]]
path = "/deadline"
upstream = "origin"
chain = ["endless"]

[[route]]
path = "/version"
upstream = "origin"
chain = ["renewed"]
"""
ENDLESS = """
(module
  (memory (export "memory") 17)
{allocator}
  (func $search (param i32) (loop $again (br $again)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $search (local.get 0))
    (i32.const 0)))
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared_upstream: Upstream) -> Iterator[GatewayProcess]:
    guests: dict[str, Path | bytes] = {
        "broken": index.wasm("hostile/unreachable"),
        "endless": bytes(wat2wasm(ENDLESS.format(allocator=index.text("allocator")))),
        "renewed": version("one"),
    }
    config = write_config(tmp_path_factory.mktemp("why"), CONFIG.format(upstream=shared_upstream.url), guests)
    with sentinel_run(config) as running:
        yield running


def ask(gateway: GatewayProcess, path: str, times: int = 1, clients: int = 1) -> None:
    for number in range(times):
        fetch(gateway.public, path, headers={"x-forwarded-for": f"192.0.2.{number % clients + 1}"})


def roll_back(gateway: GatewayProcess) -> None:
    (gateway.folder / "guests" / "renewed.wasm").write_bytes(version("two", ALWAYS))

    def is_back() -> bool:
        ask(gateway, "/version", 10, 5)
        return any("was rolled back" in line for line in gateway.log)

    wait_until(is_back, "the version before")


def misspell(gateway: GatewayProcess) -> None:
    file = gateway.folder / "sentinel.toml"
    file.write_text(file.read_text().replace('upstream = "orders"', 'upstraem = "orders"'))


# What happens, by the heading of its section.
HAPPENS: dict[str, Callable[[GatewayProcess], None]] = {
    "A guest traps": lambda gateway: ask(gateway, "/trap"),
    "A guest uses up its deadline": lambda gateway: ask(gateway, "/deadline"),
    "A guest is in quarantine": lambda gateway: ask(gateway, "/trap", 210, 6),
    "A new version was rolled back": roll_back,
    "An endpoint is dead": lambda gateway: ask(gateway, "/orders", 3),
    "No route matches": lambda gateway: ask(gateway, "/elsewhere"),
    "The new configuration is refused": misspell,
}


def sections() -> dict[str, list[tuple[str, str]]]:
    """The blocks of the page that say what is seen, by heading."""
    text = PAGE.read_text()
    parts = re.split(r"^## (.*)\n", text, flags=re.MULTILINE)[1:]
    return {
        title: [(block.language, block.text) for block in blocks(body) if block.language in ("json", "text")]
        for title, body in zip(parts[::2], parts[1::2], strict=True)
    }


def test_every_section_happens() -> None:
    assert [title for title, found in sections().items() if found] == list(HAPPENS)


@pytest.mark.parametrize("title", HAPPENS)
def test_an_operator_sees_what_the_page_says(gateway: GatewayProcess, title: str) -> None:
    HAPPENS[title](gateway)
    for language, text in sections()[title]:
        for line in text.strip().splitlines():
            wait_until(partial(is_logged if language == "json" else is_counted, gateway, line), line, 30)


def is_counted(gateway: GatewayProcess, line: str) -> bool:
    name, _, least = line.rpartition(" ")
    return gateway.metric(name) >= float(least)


def is_logged(gateway: GatewayProcess, line: str) -> bool:
    wanted = json.loads(line)
    records = [json.loads(line) for line in gateway.log if line.startswith("{")]
    return any(all(matches(str(record.get(key, "")), value) for key, value in wanted.items()) for record in records)


def matches(found: str, wanted: str) -> bool:
    return re.fullmatch(re.escape(wanted).replace("…", ".*"), found, re.DOTALL) is not None
