"""An npm project outside the repository builds a guest with the packed SDK."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from guestbuild.components import wasm_tools
from guestbuild.places import BUILD, REPOSITORY
from sentinel_host.authoring.cache import locked
from tests.support.clocks import PATIENCE

SDK = REPOSITORY / "sdk" / "assemblyscript"
GUEST = """\
import { log, Outcome, Guest, Summary } from "@sentinel-gateway/assemblyscript";

export class Complaints extends Guest {
  onComplete(summary: Summary): void {
    if (summary.outcome != Outcome.completed) log.warn(summary.requestId + " broke off");
  }
}
"""
README_TEST = re.compile(r"```js\n// test/maintenance\.test\.mjs[^\n]*\n(.*?)```", re.DOTALL)
README_GUEST = re.compile(r"```ts\n// assembly/index\.ts\n(.*?)```", re.DOTALL)


def run(*command: str | Path, cwd: Path) -> str:
    finished = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, timeout=10 * PATIENCE, check=False
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packed SDK installed, as from a registry."""
    project = tmp_path_factory.mktemp("outside")
    # Packing puts copies into the SDK's folder and takes them away; the tutorial's test packs, too.
    with locked(BUILD / "npm-pack.lock"):
        (packed,) = json.loads(run("npm", "pack", "--json", "--pack-destination", project, cwd=SDK))
    (project / "package.json").write_text(json.dumps({"name": "complaints", "private": True}))
    run("npm", "install", "--no-audit", "--no-fund", f"./{packed['filename']}", cwd=project)
    return project


def write(project: Path, source: str) -> None:
    (project / "assembly").mkdir(exist_ok=True)
    (project / "assembly" / "index.ts").write_text(source)


def build(project: Path, source: str) -> Path:
    write(project, source)
    component = project / "guest.wasm"
    run("npx", "--no", "sentinel-asc", "build", ".", "-o", component, cwd=project)
    return component


def interfaces(component: Path) -> list[str]:
    """What the component's world imports and exports, by ``wasm-tools``."""
    run(wasm_tools(), "validate", component, cwd=component.parent)
    world = run(wasm_tools(), "component", "wit", component, cwd=component.parent).partition("world root {")[2]
    return re.findall(r"(?:import|export) [^;]+", world.partition("}")[0])


def test_a_guest_exports_the_hook_it_has(project: Path) -> None:
    assert interfaces(build(project, GUEST)) == [
        "import sentinel:gateway/log@0.1.0",
        "export sentinel:gateway/completion-handler@0.1.0",
    ]


def test_the_guest_in_the_readme_builds(project: Path) -> None:
    examples = README_GUEST.findall((SDK / "README.md").read_text())
    assert len(examples) == 1
    assert interfaces(build(project, examples[0])) == [
        "import sentinel:gateway/log@0.1.0",
        "export sentinel:gateway/lifecycle@0.1.0",
        "export sentinel:gateway/request-handler@0.1.0",
    ]


def test_the_unit_test_in_the_readme_passes(project: Path) -> None:
    """With the packed SDK: the harness finds all it needs there."""
    readme = (SDK / "README.md").read_text()
    (test,) = README_TEST.findall(readme)
    write(project, README_GUEST.findall(readme)[0])
    (project / "test").mkdir()
    (project / "test" / "maintenance.test.mjs").write_text(test)
    assert "# pass 1" in run("node", "--test", "--test-reporter=tap", "test/maintenance.test.mjs", cwd=project)


def test_nothing_but_the_package_is_installed(project: Path) -> None:
    installed = project / "node_modules" / "@sentinel-gateway" / "assemblyscript"
    assert not installed.is_symlink()
    assert sorted(path.name for path in installed.iterdir() if path.name != "node_modules") == [
        "LICENSE",
        "README.md",
        "assembly",
        "bin",
        "index.ts",
        "lib",
        "package.json",
        "wit",
    ]


def test_the_project_can_be_installed_from_its_lock_file(project: Path) -> None:
    """``npm ci`` once failed in every checkout, where ``npm install`` had passed.

    Newer releases of jco depend, optionally, on packages for other platforms that were never
    published. ``npm install`` leaves those out of the lock file, and ``npm ci`` then finds the lock
    file incomplete.
    """
    run("npm", "ci", "--no-audit", "--no-fund", cwd=project)
    run("npm", "ci", "--no-audit", "--no-fund", "--dry-run", cwd=SDK)
