"""Why a request went where it went: `sentinel route` and `sentinel diff`, and the log of the
gateway.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sentinel_host.cli import main
from tests.support.clients import fetch
from tests.support.gateways import ARTEFACTS, ROOT, sentinel_run, write_config

CONFIG = """
[server]
bind = ["127.0.0.1:0"]

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9"]

[[route]]
name = "api"
path = "/api"
upstream = "origin"
methods = ["GET"]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(write_config(tmp_path, CONFIG))


def test_a_route_is_explained_to_people_and_programs(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "GET", "https://a.example/api/x", "--config", file]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "GET https://a.example/api/x",
        "  ✓ api (/api)",
        "goes to   upstream origin (http://127.0.0.1:9)",
    ]
    assert main(["route", "POST", "/api", "-H", "Host: b.example", "--config", file, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["explanation"]
    assert (told["status"], told["host"]) == (404, "b.example")
    assert told["verdicts"][0]["reasons"] == ["the method POST is not GET"]


RUN = """
[guest.api-key-auth]
config = { keys = { "demo-key" = "demo" } }

[guest.header-injection.config]
request = { set = { x-gateway = "sentinel", x-other = "new" } }
response = { set = { x-served-by = "sentinel" } }

[[upstream]]
name = "origin"
targets = ["http://127.0.0.1:9"]

[[route]]
name = "api"
path = "/api"
upstream = "origin"
chain = ["access-log", "api-key-auth", "header-injection"]
"""


def test_the_guests_of_a_request_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("access-log", "api-key-auth", "header-injection")
    guests: dict[str, Path | bytes] = {name: ARTEFACTS / "rust" / f"{name}.wasm" for name in names}
    file = str(write_config(tmp_path, f'[guests]\ncache = "{ROOT / "build" / "cache" / "sentinel"}"\n{RUN}', guests))
    asked = ["route", "GET", "/api/x?a", "--config", file, "--run", "-H", "x-other: old"]
    assert main([*asked, "-H", "x-api-key: demo-key"]) == 0
    told = capsys.readouterr().out
    for line in (
        "api-key-auth on-request: edited",
        "    - x-api-key: (8 bytes)",
        "    + x-principal: demo",
        "    ~ x-other: old → new",
        "header-injection on-response: edited",
        "    + x-served-by: sentinel",
        "upstream origin gets GET /api/x?a",
    ):
        assert line in told.splitlines()
    assert "access-log logs, info: " in told
    assert "demo-key" not in told
    assert main([*asked, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["run"]
    assert (run["sent"], run["status"], run["origin"]) == (None, 401, "guest")
    assert [(hook["guest"], hook["outcome"]) for hook in run["hooks"]] == [
        ("api-key-auth", "answered"),
        ("access-log", "passed"),
    ]


def test_a_field_that_is_none_is_named(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["route", "GET", "/", "-H", "nothing", "--config", file]) == 1
    assert capsys.readouterr().err == "sentinel: --header: expected NAME: VALUE, got 'nothing'\n"


def test_a_new_configuration_is_compared(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = tmp_path / "new.toml"
    new.write_text(CONFIG.replace('methods = ["GET"]', 'methods = ["GET", "PUT"]'))
    assert main(["diff", str(new), "--config", file]) == 0
    assert capsys.readouterr().out == '~ route[api].methods: ["GET"] → ["GET", "PUT"]\n'
    assert main(["diff", file, "--config", file]) == 0
    assert capsys.readouterr().out == "nothing changes\n"
    assert main(["diff", str(new), "--config", file, "--json"]) == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert change["kind"] == "changed"
    new.write_text("[sever]")
    assert main(["diff", str(new), "--config", file]) == 1
    assert "new.toml: sever: unknown section" in capsys.readouterr().err


def test_a_request_that_no_route_matches_is_logged_with_its_id(tmp_path: Path) -> None:
    with sentinel_run(write_config(tmp_path, CONFIG)) as gateway:
        assert fetch(gateway.public, "/elsewhere?token=secret").status == 404
        line = json.loads(gateway.wait_for_log("no route matches"))
        assert line["message"] == f"no route matches GET http://127.0.0.1:{gateway.public[1]}/elsewhere"
        assert len(line["request_id"]) == 32
        # Nobody fills the log with what is not there.
        for _ in range(40):
            fetch(gateway.public, "/elsewhere")
    assert sum("no route matches" in line for line in gateway.log) <= 40
