"""Guests in Python: CPython itself, with the guest's modules already imported, as one core
module.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import tempfile
import tomllib
import traceback
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sentinel_host.abi.contract import GRANTS, HOOKS, PACKAGE, VERSION
from sentinel_host.authoring import componentize_py, custom_sections, pypi_tools, stamps, steady
from sentinel_host.authoring.building import build_once, failure, present
from sentinel_host.authoring.cache import cache_folder, locked
from sentinel_host.authoring.flatten import Flattening, flatten
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import attempt, capture, note
from sentinel_host.authoring.sdk import LINKS, link, sdk_source, wit_source
from sentinel_host.errors import ToolchainError
from sentinel_host.sandbox.artefact import CONFIG_SCHEMA

_WORLD: Final = "python-guest"
_APP: Final = "sentinel_guest_app"
_LOCK: Final = "requirements.lock"
# Its own, and its interpreter's.
_REVISION: Final = f"4 {componentize_py.VERSION}"

_APP_TEXT: Final = """\
from sentinel_sdk._component import *
from sentinel_sdk._component import start

start({module!r})
"""

_MANIFEST: Final = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
# Packages from PyPI that are pure Python become part of the guest.
dependencies = []

[tool.sentinel]
module = "{module}"
# Functions of the host that the guest imports; its configuration has to grant them.
grants = []

[tool.mypy]
strict = true
mypy_path = ["src", "{links}/python"]

[tool.pytest.ini_options]
pythonpath = ["src", "{links}/python"]
testpaths = ["tests"]
"""

_GUEST: Final = """\
from __future__ import annotations

from sentinel_sdk import Guest, Request, Response, log


class {type}(Guest):
    def on_request(self, request: Request) -> Response | None:
        if "user-agent" not in request.headers:
            log.info(f"{{request.client}} does not say what it is")
            return Response(400, body="a user-agent is needed\\n")
        request.headers.set("x-guest", "{name}")
        return None
"""

_TESTS: Final = """\
from __future__ import annotations

from sentinel_sdk.testing import Harness

from {module} import {type}


def test_a_request_with_a_user_agent_is_marked() -> None:
    result = Harness({type}).on_request(headers={{"user-agent": "test"}})
    assert result.response is None
    assert result.header("x-guest") == "{name}"


def test_a_request_without_one_is_refused() -> None:
    harness = Harness({type})
    result = harness.on_request()
    assert result.response is not None
    assert result.response.status == 400
    assert len(harness.logs) == 1
"""


class Python:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "python"
    sources: Final = ("pyproject.toml", _LOCK, "src", *custom_sections.FILES)

    def name_of(self, folder: Path) -> str | None:
        """The project's name."""
        return None if (manifest := _manifest(folder)) is None else manifest.name

    def create(self, name: str) -> dict[str, str]:
        """Manifest, guest and unit tests."""
        module = name.replace("-", "_")
        words = {"name": name, "module": module, "type": "".join(map(str.title, name.split("-"))), "links": LINKS}
        return {
            "pyproject.toml": _MANIFEST.format(**words),
            f"src/{module}.py": _GUEST.format(**words),
            f"tests/test_{module}.py": _TESTS.format(**words),
        }

    def build(self, build: Build) -> None:
        """componentize-py, and the flattener; skipped when they would write the same once more."""
        manifest = _manifest(build.folder)
        assert manifest is not None
        packages = _packages(build.folder, manifest)
        link(build.folder / LINKS / "python", sdk_source("python"))
        roots = [*present(build.folder, self.sources), sdk_source("python") / "sentinel_sdk", wit_source()]
        inputs = stamps.tree_digest(roots, salt=f"{_REVISION} {packages and packages.name} {steady.identity()}")
        build_once(build, inputs, lambda: _built(build, manifest, packages, inputs))

    def test(self, folder: Path) -> UnitTests | None:
        """pytest, natively."""
        if not (folder / "tests").is_dir():
            return None
        if find_spec("pytest") is None:
            raise ToolchainError("pytest is not installed: python -m pip install pytest")
        manifest = _manifest(folder)
        assert manifest is not None
        link(folder / LINKS / "python", sdk_source("python"))
        packages = _packages(folder, manifest)
        paths = {"PYTHONPATH": str(packages)} if packages is not None else {}
        code, output = attempt((sys.executable, "-m", "pytest", "-q"), cwd=folder, environment=paths)
        return UnitTests(code == 0, output)


@dataclass(frozen=True, slots=True)
class _Manifest:
    """What pyproject.toml says about a guest: ``module`` is the one that defines its class."""

    name: str
    module: str
    grants: tuple[str, ...]
    dependencies: tuple[str, ...]


def _manifest(folder: Path) -> _Manifest | None:
    file = folder / "pyproject.toml"
    try:
        told = tomllib.loads(file.read_text())
    except FileNotFoundError:
        return None
    except (ValueError, OSError) as error:
        raise ToolchainError(f"{file}: cannot be read: {error}") from None
    ours = told.get("tool", {}).get("sentinel")
    if ours is None:
        return None
    try:
        name, module = told["project"]["name"], ours["module"]
    except KeyError as missing:
        raise ToolchainError(f"{file}: has no {missing}: a guest needs project.name and tool.sentinel.module") from None
    grants = tuple(ours.get("grants", ()))
    for grant in grants:
        if grant not in GRANTS:
            known = ", ".join(sorted(GRANTS))
            raise ToolchainError(f"{file}: tool.sentinel.grants: no grant is named {grant!r} (known: {known})")
    return _Manifest(name, module, grants, tuple(told["project"].get("dependencies", ())))


def _packages(folder: Path, manifest: _Manifest) -> Path | None:
    """A folder with what the guest depends on, as its lock file says; that is written by the first
    build.
    """
    if not manifest.dependencies:
        return None
    lock = folder / _LOCK
    heading = f"# {' '.join(manifest.dependencies)}\n"
    if not lock.is_file() or not lock.read_text().startswith(heading):
        lock.write_text(heading + _locked_versions(manifest))
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    packages = cache_folder("python-packages") / digest
    if not packages.is_dir():
        with locked(packages.parent / "lock"):
            if not packages.is_dir():
                note(f"installing what {manifest.name} depends on")
                arguments = (*_PURE, "--no-deps", "--require-hashes", "-r", str(lock))
                pypi_tools.pip_install(arguments, packages, f"installing what {lock} says, which needs PyPI")
    return packages


# A wheel without machine code, for the interpreter inside the guest.
_PURE: Final = (
    *("--platform", "any", "--implementation", "py", "--abi", "none"),
    *("--python-version", componentize_py.PYTHON),
)


def _locked_versions(manifest: _Manifest) -> str:
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--report", "-")
    with tempfile.TemporaryDirectory() as nowhere:
        arguments = ("--only-binary", ":all:", "--target", nowhere, *_PURE, *manifest.dependencies)
        report = json.loads(capture((*command, *arguments)))
    lines = []
    for each in report["install"]:
        told, hashes = each["metadata"], each["download_info"]["archive_info"]["hashes"]
        lines.append(f"{told['name']}=={told['version']} --hash=sha256:{hashes['sha256']}\n")
    return "".join(sorted(lines, key=str.lower))


def _built(build: Build, manifest: _Manifest, packages: Path | None, inputs: str) -> bytes:
    """The guest's core module. What it finds random follows from the digest of its ``inputs``."""
    _check_syntax(build)
    with tempfile.TemporaryDirectory(prefix="sentinel-") as name:
        work = Path(name)
        wit = work / "wit"
        shutil.copytree(wit_source(), wit, ignore=shutil.ignore_patterns("*.md"))
        (wit / "python-guest.wit").write_text(_world(manifest.grants))
        (work / f"{_APP}.py").write_text(_APP_TEXT.format(module=manifest.module))
        out = work / "component.wasm"
        paths = [work, build.folder / "src", sdk_source("python"), *([packages] if packages is not None else [])]
        try:
            componentize_py.componentize(wit, _WORLD, _APP, paths, out, inputs)
        except ToolchainError as error:
            raise failure(build.name, "\n".join(_own_lines(str(error)))) from None
        component = out.read_bytes()
    told = _told(component, build.name)
    schema = {CONFIG_SCHEMA: json.dumps(told["schema"], separators=(",", ":")).encode()}
    sections = schema | custom_sections.of_project(build.folder)
    how = Flattening(
        hooks=frozenset(told["hooks"]),
        grants=frozenset(manifest.grants),
        # What of WASI the interpreter's library could call, and a guest does not.
        unavailable=("wasi:", "wasi_snapshot_preview1"),
        # componentize-py's post-return keeps the lists that hooks return.
        frees_results=True,
        sections=sections,
        producers={"language": [("Python", componentize_py.PYTHON)], "sdk": [("sentinel-sdk", "0.1.0")]},
    )
    return flatten(component, build.name, how)


def _check_syntax(build: Build) -> None:
    """Say at once what the interpreter would say after seconds."""
    for path in sorted((build.folder / "src").rglob("*.py")):
        try:
            compile(path.read_bytes(), str(path.relative_to(build.folder)), "exec", dont_inherit=True)
        except SyntaxError as error:
            told = "".join(traceback.format_exception_only(error)).rstrip()
            raise ToolchainError(f"{build.name} does not build:\n{told}") from None


def _world(grants: tuple[str, ...]) -> str:
    """A world of every hook, so that all guests share their code, and of the functions that are
    granted.
    """
    interfaces = {hook.interface: None for hook in HOOKS}
    imports = "".join(f"    import {each};\n" for each in ("log", *sorted(grants)))
    exports = "".join(f"    export {each};\n" for each in interfaces)
    version = ".".join(map(str, VERSION))
    return f"package {PACKAGE}@{version};\n\nworld {_WORLD} {{\n{imports}{exports}}}\n"


def _own_lines(output: str) -> list[str]:
    """What the program said, without the toolchain's own backtrace behind it."""
    lines = output.splitlines()
    end = next((index for index, line in enumerate(lines) if line.startswith("Caused by:")), len(lines))
    return lines[:end] or lines


_MARK: Final = re.compile(rb"sentinel-guest:([0-9a-f]{8})([0-9a-f]{64})")


def _told(component: bytes, name: str) -> dict[str, Any]:
    """What the SDK left in memory for the build: the guest's hooks, and the schema of its
    configuration.
    """
    for found in _MARK.finditer(component):
        text = component[found.end() : found.end() + int(found[1], 16)]
        if hashlib.sha256(text).hexdigest().encode() == found[2]:
            told: dict[str, Any] = json.loads(text)
            return told
    raise ToolchainError(f"{name}: the component does not say which hooks it has: it was built with another SDK")
