"""Every block of the README, of ``docs/`` and of the SDKs' READMEs does what it says.

A ``sh`` block that no test can run says so in a comment above it, ``<!-- not run: REASON -->``. It
is parsed, and its commands and their options are looked up.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from guestbuild.places import REPOSITORY
from sentinel_host.cli.main import parser
from sentinel_host.config.load import parse_config
from sitebuild.markdown import Block, blocks
from sitebuild.places import pages
from tests.docs.walkthrough import Walkthrough

NOT_RUN = "not run: "
PAGES = {path.relative_to(REPOSITORY).as_posix(): list(blocks(path.read_text())) for path in pages()}
# Of the example guests the configurations are checked; their cases stand in tables.
EXAMPLES = {
    path.relative_to(REPOSITORY).as_posix(): list(blocks(path.read_text()))
    for path in sorted((REPOSITORY / "guest-examples").glob("*/*/README.md"))
    if "node_modules" not in path.parts
}
RUN = sorted(
    name
    for name, found in PAGES.items()
    if any(block.language in ("sh", "console") and not block.remarks for block in found)
)
# What runs needs these, beside what the tests' session brings.
TOOLS = {
    "docs/how-to/test-a-guest.md": "cargo",
    "docs/how-to/write-a-guest.md": "cargo",
    "docs/tutorials/assemblyscript-guest.md": "npm",
    "docs/tutorials/go-guest.md": "npm",
    "docs/tutorials/rust-guest.md": "cargo",
    "docs/tutorials/typescript-guest.md": "npm",
}
# The code in these is compiled elsewhere: as the documentation of a crate, by the tests of the SDK
# in TypeScript, and by tests/sdk.
COMPILED = {
    "sdk/c/README.md": ("c", "zig"),
    "sdk/go/README.md": ("go",),
    "sdk/python/README.md": ("python",),
    "sdk/rust/README.md": ("rust",),
    "sdk/typescript/README.md": ("ts",),
    "sdk/assemblyscript/README.md": ("ts", "js"),
}
SESSIONS = re.compile(r"^def (\w+)\(session", re.MULTILINE).findall((REPOSITORY / "noxfile.py").read_text())


def every(*languages: str, of: dict[str, list[Block]] = PAGES) -> list[object]:
    """All blocks in these languages, as parameters."""
    return [
        pytest.param(block, name, id=f"{name}:{block.line}")
        for name, found in of.items()
        for block in found
        if block.language in languages
    ]


@pytest.mark.parametrize("page", RUN)
def test_a_page_can_be_followed(
    page: str, tmp_path: Path, standard_guests: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", standard_guests)
    if page in TOOLS and shutil.which(TOOLS[page]) is None:
        pytest.skip(f"needs {TOOLS[page]}")
    with Walkthrough(tmp_path) as walkthrough:
        for block in PAGES[page]:
            if block.remarks:
                continue
            if block.language == "sh":
                walkthrough.run(block.text)
            elif block.language == "console":
                walkthrough.compare(block.text)
            else:
                walkthrough.write(block.text)


@pytest.mark.parametrize(("block", "page"), [*every("toml"), *every("toml", of=EXAMPLES)])
def test_a_configuration_is_accepted(block: Block, page: str) -> None:
    """A part of one is completed by an upstream and a route, where it has none."""
    text = block.text
    data = tomllib.loads(text)
    if "lib" in data or "profile" in data:
        # A crate's manifest; the tutorial builds one.
        assert page == "sdk/rust/README.md"
        return
    names = [upstream["name"] for upstream in data.get("upstream", [])]
    routes = data.get("route", [])
    wanted = {route["upstream"] for route in routes if "upstream" in route}
    wanted |= {name for route in routes for name in route.get("split", {})}
    wanted |= {route["mirror"]["upstream"] for route in routes if "mirror" in route}
    wanted |= {upstream for guest in data.get("guest", {}).values() for upstream in guest.get("upstreams", [])}
    for name in sorted((wanted or ({"origin"} - set(names))) - set(names)):
        text += f'\n[[upstream]]\nname = "{name}"\ntargets = ["http://127.0.0.1:9000"]\n'
        names.append(name)
    if "route" not in data:
        text += f'\n[[route]]\npath = "/"\nupstream = "{names[0]}"\n'
    # Variables without a default are set by whoever follows the page.
    variables = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), "what-somebody-sets")
    parse_config(text, f"{page}:{block.line}", variables)


@pytest.mark.parametrize(("block", "page"), every("sh"))
def test_a_command_can_be_run_as_it_is_written(block: Block, page: str) -> None:
    assert all(remark.startswith(NOT_RUN) and len(remark) > len(NOT_RUN) for remark in block.remarks)
    parsed = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, parsed.stderr
    for words in commands(block.text):
        check_command(words)


@pytest.mark.parametrize(("block", "page"), every("json"))
def test_json_is_json(block: Block, page: str) -> None:
    """A block is one document, or lines of the log."""
    try:
        json.loads(block.text)
    except json.JSONDecodeError:
        assert all(json.loads(line)["message"] for line in block.text.splitlines())


@pytest.mark.parametrize(("block", "page"), every("rust", "ts", "js", "python", "go", "c", "zig"))
def test_code_is_compiled_or_run(block: Block, page: str) -> None:
    """Code is compiled with its page, or written to a file there and used by the page's
    commands.
    """
    if block.language in COMPILED.get(page, ()):
        return
    if page in RUN and re.match(r"(?:#|//) \S+\.\w+\n", block.text):
        return
    elsewhere = {each.text for name in COMPILED for each in PAGES[name]}
    assert block.text in elsewhere, f"{page}:{block.line} is not what an SDK's README has, and nothing compiles it"


def test_there_is_no_block_that_nothing_checks() -> None:
    # Generated, drawn, or shown.
    others = {"wit": "docs/reference/wit.md", "": "README.md", "text": "", "yaml": "docs/how-to/acme.md"}
    # The three in the middle by `test_find_faults`.
    checked = {
        "sh",
        "console",
        "log",
        "metric",
        "state",
        "toml",
        "json",
        "rust",
        "ts",
        "js",
        "python",
        "go",
        "c",
        "zig",
    }
    unknown = [
        f"{name}:{block.line}: {block.language}"
        for name, found in PAGES.items()
        for block in found
        if block.language not in checked and block.language not in others
    ]
    assert unknown == []


def commands(script: str) -> Iterator[list[str]]:
    """The words of each simple command of ours in a script."""
    for line in script.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||[;|]", re.sub(r"(?:^|\s)#.*", "", line)):
            words = part.replace("python -m nox", "nox").split()
            if words and words[0] in ("sentinel", "nox"):
                yield words


def check_command(words: list[str]) -> None:
    """A command of ours has the name and the options that are written."""
    if words[0] == "nox":
        if "-s" in words:
            assert words[words.index("-s") + 1] in SESSIONS, words
        return
    assert words[0] == "sentinel", words
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        try:
            parser().parse_args(words[1:])
        except SystemExit:
            pytest.fail(errors.getvalue())


def test_a_wrong_command_is_found() -> None:
    check: Callable[[list[str]], None] = check_command
    with pytest.raises(pytest.fail.Exception, match="unrecognized arguments: --nope"):
        check(["sentinel", "check", "--nope"])
