"""`sentinel new` and `sentinel build` with the real toolchains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from guestbuild.places import BUILD
from sentinel_host.authoring.cache import cache_directory
from sentinel_host.authoring.project import LANGUAGES, create_project, find_project
from sentinel_host.cli.main import parser
from sentinel_host.errors import ConfigError, ToolchainError
from tests.support.clocks import PATIENCE

SOURCES = (
    "src/lib.rs",
    "assembly/index.ts",
    "src/index.ts",
    "src/index.js",
    "src/broken.py",
    "guest.go",
    "src/guest.c",
    "src/guest.zig",
)

# A cold machine compiles the SDK first.
COMPILING = 600 + PATIENCE


@pytest.fixture(autouse=True)
def shared_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crates share what they compile."""
    monkeypatch.setenv("CARGO_TARGET_DIR", str(BUILD / "cargo" / "external"))


def sentinel(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "sentinel_host", *arguments)
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=COMPILING, check=False)


@pytest.fixture(params=sorted(LANGUAGES))
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_a_new_project_builds(language: str, tmp_path: Path) -> None:
    created = sentinel("new", "first-guest", "--language", language, cwd=tmp_path)
    assert created.returncode == 0, created.stderr
    project = tmp_path / "first-guest"
    built = sentinel("build", "--json", cwd=project)
    assert built.returncode == 0, built.stdout + built.stderr
    report = json.loads(built.stdout)
    assert (report["file"], report["grants"]) == ("build/first-guest.wasm", [])
    # QuickJS's guests export it whether or not they read their configuration.
    configured = ["configure"] if language in ("javascript", "typescript") else []
    assert report["hooks"] == [*configured, "on-request"]
    assert (report["self_test"], report["signed"]) == (2, None)
    assert report["size"] == (project / report["file"]).stat().st_size
    assert sentinel("check", cwd=project).stdout.startswith("first-guest: ok")


def test_a_guest_that_does_not_compile(language: str, tmp_path: Path) -> None:
    project = create_project(tmp_path / "broken", LANGUAGES[language])
    source = next(project.folder / path for path in SOURCES if (project.folder / path).exists())
    source.write_text(source.read_text() + "\nthis is no program;\n")
    failed = sentinel("build", cwd=project.folder)
    assert failed.returncode == 1
    assert "broken does not build" in failed.stderr
    assert source.name in failed.stderr
    assert not project.file.exists()


def test_a_build_that_is_signed(tmp_path: Path) -> None:
    create_project(tmp_path / "signed", LANGUAGES["rust"])
    assert sentinel("keygen", "author", cwd=tmp_path).returncode == 0
    built = sentinel("build", "signed", "--sign", "author.key", "--version", "7", cwd=tmp_path)
    assert "as signed, version 7, by key " in built.stdout, built.stderr
    assert "as signed, version 7" in sentinel("inspect", "signed/build/signed.wasm", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("language", "advice"),
    [
        ("rust", r"rustup\.rs"),
        ("assemblyscript", r"nodejs\.org"),
        ("go", "needs PyPI"),
        ("c", "needs PyPI"),
        ("zig", "needs PyPI"),
        ("python", "needs PyPI"),
        ("typescript", r"nodejs\.org"),
    ],
)
def test_what_is_missing_is_named(language: str, advice: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = create_project(tmp_path / "guest", LANGUAGES[language])
    monkeypatch.setenv("PATH", str(tmp_path))
    if language in ("go", "c", "zig", "python"):
        # These are fetched where they are missing: here from nowhere.
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ToolchainError, match=advice):
        project.build()


def test_a_build_of_the_same_sources_is_skipped(tmp_path: Path) -> None:
    """Node compiles everything anew each time; `sentinel test` builds what `sentinel build` has
    built.
    """
    project = create_project(tmp_path / "same", LANGUAGES["assemblyscript"])
    project.build()
    built = project.file.stat().st_ino
    project.build()
    assert project.file.stat().st_ino == built
    source = project.folder / "assembly" / "index.ts"
    source.write_text(source.read_text().replace("a user-agent is needed", "who are you?"))
    project.build()
    assert b"w\0h\0o\0" in project.file.read_bytes()
    project.file.write_bytes(b"damaged")
    project.build()
    assert b"w\0h\0o\0" in project.file.read_bytes()


def test_guests_of_one_interpreter_share_its_merged_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each build of a guest in JavaScript merged QuickJS anew, at ten seconds of CPU time."""
    create_project(tmp_path / "one", LANGUAGES["javascript"]).build()
    cache = tmp_path / "cache" / "sentinel"
    cache.mkdir(parents=True)
    for kept in ("sdk", "flattened"):
        (cache / kept).symlink_to(cache_directory() / kept)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parent))
    # What merges code would be installed now, from nowhere.
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9")
    project = create_project(tmp_path / "two", LANGUAGES["javascript"])
    source = project.folder / "src" / "index.js"
    source.write_text(source.read_text().replace("a user-agent is needed", "who are you?"))
    project.build()
    assert b"who are you?" in project.file.read_bytes()


@pytest.mark.parametrize(("language", "source"), [("c", "src/guest.c"), ("zig", "src/guest.zig")])
def test_a_build_is_the_same_wherever_it_is_made(language: str, source: str, tmp_path: Path) -> None:
    """Byte for byte, and with the sections that the project's files ask for."""
    built = []
    for folder in ("one", "another/place"):
        project = create_project(tmp_path / folder / "same", LANGUAGES[language])
        (project.folder / "config-schema.json").write_text('{"type": "object"}')
        project.build()
        built.append(project.file.read_bytes())
    assert built[0] == built[1]
    assert b"sentinel:config-schema" in built[0]
    assert b"a request without one is refused" in built[0]
    assert b".debug_" not in built[0]
    stamped = project.file.stat().st_ino
    project.build()
    assert project.file.stat().st_ino == stamped
    (project.folder / source).write_text((project.folder / source).read_text() + "\n// changed\n")
    project.build(debug=True)
    assert project.file.stat().st_ino != stamped
    assert b".debug_line" in project.file.read_bytes()


@pytest.mark.parametrize("name", ["Upper", "a--b", "-a", "1a", "a_b", "a b"])
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot name a guest"):
        create_project(tmp_path / name, LANGUAGES["rust"])


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    folder = tmp_path.parent / "taken"
    tmp_path.rename(folder)
    with pytest.raises(ConfigError, match="not empty"):
        create_project(folder, LANGUAGES["rust"])
    assert [path.name for path in folder.iterdir()] == ["notes"]


def test_a_folder_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sentinel new"):
        find_project(tmp_path)
    (tmp_path / "Cargo.toml").write_text("[workspace]\n")
    with pytest.raises(ToolchainError, match=r"Cargo\.toml"):
        find_project(tmp_path)


def test_the_languages_of_the_command_are_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    for name in LANGUAGES:
        assert parser().parse_args(["new", "x", "--language", name]).language == name
    with pytest.raises(SystemExit):
        parser().parse_args(["new", "x", "--language", "cobol"])
    refusal = capsys.readouterr().err
    assert all(name in refusal for name in LANGUAGES)
