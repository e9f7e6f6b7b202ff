"""The image and the compose file, against what the product and the checkout have."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from guestbuild.places import REPOSITORY
from sentinel_host.cli.main import parser
from tests.deploy.examples import DEPLOY, IMAGE, block_of, configuration, ports, served, stop_time
from tests.packaging.sources import SOURCES
from tests.support.clients import fetch

FILE = DEPLOY / "docker" / "Dockerfile"
SERVICES = yaml.safe_load((DEPLOY / "docker" / "compose.yaml").read_text())["services"]
COMPOSE = SERVICES["sentinel"]
CONFIGURATION = (DEPLOY / "docker" / "sentinel" / "sentinel.toml").read_text()


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Dockerfile, with their arguments in one line."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(word, rest.strip()) for word, _, rest in (line.partition(" ") for line in text.splitlines() if line)]


def only(word: str) -> str:
    """The arguments of the last instruction of this name: the last stage is what runs."""
    return [rest for name, rest in instructions() if name == word][-1]


def test_what_is_copied_is_there_and_suffices_to_build_the_wheel() -> None:
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    wheels = {source for source in copied if source.startswith("dist/")}
    assert wheels == {"dist/sentinel_guests-*.whl"}
    assert all(list(REPOSITORY.glob(source)) for source in copied - wheels)
    assert copied - wheels - {"deploy/*requirements.txt"} == set(SOURCES)
    ignored = (REPOSITORY / ".dockerignore").read_text().split()
    assert not {source.split("/")[0] for source in copied} & set(ignored)


def test_the_image_runs_a_command_that_there_is_as_a_user_without_rights() -> None:
    entry, command = json.loads(only("ENTRYPOINT")), json.loads(only("CMD"))
    assert entry == ["sentinel"]
    assert parser().parse_args(command).config == "/etc/sentinel/sentinel.toml"
    user, _, group = only("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert only("STOPSIGNAL") == "SIGTERM"


def test_the_compose_file_agrees_with_the_image_and_its_configuration() -> None:
    config = configuration(CONFIGURATION)
    assert {int(each) for each in only("EXPOSE").split()} == ports(config)
    assert COMPOSE["ports"] == ["80:8080"]
    assert float(COMPOSE["stop_grace_period"].removesuffix("s")) > stop_time(config)
    cache, _, options = COMPOSE["tmpfs"][0].partition(":")
    assert f"XDG_CACHE_HOME={cache}" in only("ENV").split()
    assert options == "uid={},gid={},mode=0700".format(*only("USER").split(":"))
    assert COMPOSE["read_only"] is True
    assert COMPOSE["cap_drop"] == ["ALL"]
    (volume,) = COMPOSE["volumes"]
    assert volume == f"./sentinel:{Path(json.loads(only('CMD'))[-1]).parent}:ro"
    assert (DEPLOY / "docker" / COMPOSE["build"]["context"]).resolve() == REPOSITORY
    assert REPOSITORY / COMPOSE["build"]["dockerfile"] == FILE
    assert COMPOSE["image"] == IMAGE
    assert f"--tag {IMAGE} " in (REPOSITORY / "docs" / "how-to" / "docker.md").read_text()
    assert dict(instructions())["ARG"] == f"BASE={SERVICES['origin']['image']}"
    assert SERVICES["origin"]["user"] == only("USER")


def test_the_page_shows_the_configuration_that_is_used() -> None:
    assert block_of("docker.md") == CONFIGURATION


def test_the_health_check_fails_once_the_container_is_told_to_stop(
    tmp_path: Path, standard_guests: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    assert command[0] == "python3"
    with served(CONFIGURATION, tmp_path, standard_guests, monkeypatch) as gateway:

        def is_healthy() -> bool:
            code = (
                command[2].replace("127.0.0.1:8081", "{}:{}".format(*gateway.admin)).replace("timeout=2", "timeout=60")
            )
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
            assert done.returncode == 0 or "503" in done.stderr, done.stderr
            return done.returncode == 0

        assert is_healthy()
        assert fetch(gateway.public).status == 200
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait(lambda: fetch(gateway.admin, "/readyz").status == 503, "lame duck")
        assert not is_healthy()
        assert fetch(gateway.public).status == 200
