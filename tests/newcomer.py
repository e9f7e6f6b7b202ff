"""How long a newcomer waits, from the wheels to the first request that a guest of their own
answers.

``python tests/newcomer.py WHEEL ... [--json FILE] [--language NAME]`` installs the wheels into an
empty environment, with empty caches of its own, and does what the tutorials say: `sentinel new`,
`build`, `test`, `dev`, one request. Then it runs the new guest in a gateway, behind a standard
guest. The toolchains are those of the machine. The times of the installation and of that gateway
are not in the sum.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LANGUAGES = ("rust", "assemblyscript", "typescript", "python", "go", "c", "zig")
# The others have tools to fetch, which takes as long as the network does.
BARS = {"rust": 60.0, "assemblyscript": 20.0}
ANNOUNCED = re.compile(r"sentinel: public on http://(\S+)")
GATEWAY = """
[server]
bind = ["127.0.0.1:0"]

[guests]
directory = "build"

[[route]]
path = "/"
chain = ["access-log", "first"]
respond = { body = "hello" }
"""
# Only a hang takes longer.
PATIENCE = 900


def main() -> int:
    """Returns 1 when a figure is above its bar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("wheels", type=Path, nargs="+", metavar="WHEEL")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--language", choices=LANGUAGES, action="append")
    options = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="newcomer-") as scratch:
        began = time.monotonic()
        commands = install([wheel.resolve() for wheel in options.wheels], Path(scratch, "environment"))
        print(f"installed in {time.monotonic() - began:.1f} s", flush=True)
        figures["install"] = {"seconds": round(time.monotonic() - began, 1)}
        for language in options.language or LANGUAGES:
            # On a machine with other work the processor's time says more than the clock's.
            before = children()
            steps = follow(language, commands, Path(scratch, language))
            cpu = round(children() - before, 1)
            serve_behind_a_standard_guest(commands, Path(scratch, language))
            seconds = round(sum(steps.values()), 1)
            figures[language] = {"seconds": seconds, "cpu_seconds": cpu, "steps": steps}
            if language in BARS:
                figures[language]["bar"] = BARS[language]
            told = ", ".join(f"{name} {step:.1f}" for name, step in steps.items())
            bar = f" of at most {BARS[language]:g}" if language in BARS else ""
            print(f"{language}: {seconds} s{bar} ({told}; {cpu} s of the processor)", flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps({"newcomer": figures}, indent=2) + "\n")
    slow = [name for name, bar in BARS.items() if name in figures and figures[name]["seconds"] > bar]
    return 1 if slow else 0


def children() -> float:
    """Seconds of the processor that ended children have used."""
    used = os.times()
    return used.children_user + used.children_system


def install(wheels: Sequence[Path], environment: Path) -> Path:
    """The folder of commands of an empty environment with the wheels, and what they depend on, in
    it; and pytest, which authors in Python have.
    """
    subprocess.run((sys.executable, "-m", "virtualenv", "--quiet", environment), check=True)
    pip = (environment / "bin" / "python", "-m", "pip", "--quiet", "--disable-pip-version-check", "install")
    subprocess.run((*pip, *wheels, "pytest"), check=True)
    return environment / "bin"


def follow(language: str, commands: Path, folder: Path) -> dict[str, float]:
    """What the tutorial of a language says; the seconds of each step."""
    folder.mkdir()
    environment = environment_of(commands, folder)
    sentinel = str(commands / "sentinel")
    project = folder / "first"
    steps: dict[str, float] = {}

    def step(name: str, *arguments: str, cwd: Path) -> None:
        began = time.monotonic()
        subprocess.run((sentinel, *arguments), cwd=cwd, env=environment, check=True, timeout=PATIENCE)
        steps[name] = round(time.monotonic() - began, 2)

    step("new", "new", "first", "--language", language, cwd=folder)
    step("build", "build", cwd=project)
    step("test", "test", cwd=project)
    began = time.monotonic()
    command = (sentinel, "dev", "--json", "--bind", "127.0.0.1:0")
    with subprocess.Popen(command, cwd=project, env=environment, stdout=subprocess.PIPE, text=True) as dev:
        try:
            answer = first_request(dev)
            steps["dev"] = round(time.monotonic() - began, 2)
        finally:
            dev.terminate()
            # To its end: what it still tells goes somewhere.
            dev.communicate(timeout=PATIENCE)
    if "\nx-guest: first\n" not in answer:
        raise SystemExit(f"the new guest did not see the first request: {answer}")
    return steps


def environment_of(commands: Path, folder: Path) -> dict[str, str]:
    """The variables of a newcomer, without those of the caller's tools."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CARGO_TARGET", "VIRTUAL_ENV"))}
    own = {"PATH": f"{commands}:{kept['PATH']}", "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": ""}
    return kept | own


def serve_behind_a_standard_guest(commands: Path, folder: Path) -> None:
    """One request to a gateway with the new guest, which the guest `access-log` of the package
    logs.
    """
    project = folder / "first"
    (project / "sentinel.toml").write_text(GATEWAY)
    with subprocess.Popen(
        (str(commands / "sentinel"), "run"),
        cwd=project,
        env=environment_of(commands, folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as gateway:
        try:
            assert gateway.stdout is not None
            told = []
            for line in gateway.stdout:
                told.append(line)
                if announced := ANNOUNCED.match(line):
                    answer = get(announced[1])
                    if answer != "hello":
                        raise SystemExit(f"the gateway answered {answer!r}:\n{''.join(told)}")
                if line.startswith("{") and json.loads(line).get("guest") == "access-log":
                    return
            raise SystemExit(f"the gateway ended:\n{''.join(told)}")
        finally:
            gateway.terminate()
            gateway.communicate(timeout=PATIENCE)


def get(address: str) -> str:
    """What a GET is answered."""
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    connection.request("GET", "/", headers={"user-agent": "newcomer"})
    return connection.getresponse().read().decode()


def first_request(dev: subprocess.Popen[str]) -> str:
    """What the echo behind the new guest was sent."""
    assert dev.stdout is not None
    for line in dev.stdout:
        event = json.loads(line)
        if event["event"] == "failed":
            raise SystemExit(event["reason"])
        if event["event"] == "serving":
            return get(event["url"].removeprefix("http://"))
    raise SystemExit("sentinel dev ended before it served")


if __name__ == "__main__":
    sys.exit(main())
