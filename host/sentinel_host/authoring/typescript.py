"""Guests in TypeScript and JavaScript: one file of all that they use, in QuickJS, as one core
module.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

from sentinel_host.authoring import custom_sections, node, node_sdk, stamps, steady
from sentinel_host.authoring.building import build_once, failure, present
from sentinel_host.authoring.flatten import Flattening, flatten
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import attempt, run
from sentinel_host.authoring.sdk import link
from sentinel_host.errors import ToolchainError
from sentinel_host.sandbox.artefact import CONFIG_SCHEMA

_PACKAGE: Final = "@sentinel-gateway/sdk"
_LOCK: Final = "package-lock.json"
# By the names of the SDK's hooks.
_HOOKS: Final = {
    "configure": "configure",
    "onRequest": "on-request",
    "onResponse": "on-response",
    "onComplete": "on-complete",
    "onRequestChunk": "on-request-chunk",
    "onResponseChunk": "on-response-chunk",
}
# Another number for every change of what this module makes of a component.
_REVISION: Final = "2"

_MANIFEST: Final = """\
{{
  "name": "{name}",
  "version": "0.1.0",
  "private": true,
  "type": "module",
  "sentinel": {{
    "main": "{main}"
  }}
}}
"""

_TSCONFIG: Final = """\
{
  "extends": "@sentinel-gateway/sdk/tsconfig.guest.json",
  "include": ["src"]
}
"""

_TYPESCRIPT: Final = """\
import {{ Guest, log, type Request, Response }} from "@sentinel-gateway/sdk";

export default class {type} extends Guest {{
  onRequest(request: Request): Response | null {{
    if (!request.headers.has("user-agent")) {{
      log.info(`${{request.client}} does not say what it is`);
      return new Response(400, {{}}, "a user-agent is needed\\n");
    }}
    request.headers.set("x-guest", "{name}");
    return null;
  }}
}}
"""

_JAVASCRIPT: Final = """\
import {{ Guest, log, Response }} from "@sentinel-gateway/sdk";

export default class {type} extends Guest {{
  onRequest(request) {{
    if (!request.headers.has("user-agent")) {{
      log.info(`${{request.client}} does not say what it is`);
      return new Response(400, {{}}, "a user-agent is needed\\n");
    }}
    request.headers.set("x-guest", "{name}");
    return null;
  }}
}}
"""

_TESTS: Final = """\
import assert from "node:assert/strict";
import {{ test }} from "node:test";

import {{ Harness }} from "@sentinel-gateway/sdk/testing";
import {type} from "../{main}";

test("a request with a user-agent is marked", async () => {{
  const result = await new Harness({type}).onRequest({{ headers: {{ "user-agent": "test" }} }});
  assert.equal(result.response, null);
  assert.equal(result.header("x-guest"), "{name}");
}});

test("a request without one is refused", async () => {{
  const harness = new Harness({type});
  const {{ response }} = await harness.onRequest();
  assert.equal(response?.status, 400);
  assert.equal(harness.logs.length, 1);
}});
"""


class TypeScript:
    """See `sentinel_host.authoring.language.Language`. JavaScript is built alike, without types."""

    sources: Final = ("package.json", _LOCK, "tsconfig.json", "src", *custom_sections.FILES)

    def __init__(self, name: str = "typescript", suffix: str = "ts") -> None:
        self.name = name
        self._suffix = suffix

    def name_of(self, folder: Path) -> str | None:
        """The package's name, or the folder's."""
        file = folder / "package.json"
        try:
            manifest = json.loads(file.read_text())
            ours = manifest.get("sentinel")
            if ours is None or not str(ours.get("main", "")).endswith(f".{self._suffix}"):
                return None
            name = str(manifest.get("name", folder.resolve().name))
        except FileNotFoundError:
            return None
        except (ValueError, AttributeError, OSError) as error:
            raise ToolchainError(f"{file}: is no package's manifest: {error}") from None
        return name.rpartition("/")[2]

    def create(self, name: str) -> dict[str, str]:
        """Manifest, guest, unit tests, and what an editor needs."""
        main = f"src/index.{self._suffix}"
        words = {"name": name, "type": "".join(map(str.title, name.split("-"))), "main": main}
        is_typed = self._suffix == "ts"
        return {
            "package.json": _MANIFEST.format(**words),
            **({"tsconfig.json": _TSCONFIG} if is_typed else {}),
            main: (_TYPESCRIPT if is_typed else _JAVASCRIPT).format(**words),
            f"test/{name}.test.{self._suffix}": _TESTS.format(**words),
        }

    def build(self, build: Build) -> None:
        """sentinel-ts, the SDK's command, and the flattener; skipped when they would write the same
        once more.
        """
        sdk = _prepare(build.folder)
        salt = f"{_REVISION} {sdk.name} {steady.identity()}"
        inputs = stamps.tree_digest(present(build.folder, self.sources), salt)
        build_once(build, inputs, lambda: _built(build, sdk, inputs))

    def test(self, folder: Path) -> UnitTests | None:
        """Node's own test runner."""
        if not any((folder / "test").glob("*.test.*")):
            return None
        sdk = _prepare(folder)
        code, output = attempt(("node", str(sdk / "bin" / "sentinel-ts.mjs"), "test", "."), cwd=folder)
        return UnitTests(code == 0, output)


def _prepare(folder: Path) -> Path:
    """Let the project find the SDK, and install the packages of its own; returns where the SDK
    is.
    """
    sdk = node_sdk.installed("typescript", "QuickJS, esbuild and TypeScript", node.check())
    if json.loads((folder / "package.json").read_text()).get("dependencies"):
        _install_packages(folder)
    link(folder / "node_modules" / _PACKAGE, sdk)
    return sdk


def _install_packages(folder: Path) -> None:
    """What the lock file says; the first build writes it."""
    manifest, lock = folder / "package.json", folder / _LOCK
    stamp = folder / "node_modules" / ".sentinel-installed"
    if lock.is_file() and stamps.recorded(stamp, stamps.tree_digest([manifest, lock])) is not None:
        return
    # A package's scripts would run on this machine, not in the guest.
    command = ("npm", "ci" if lock.is_file() else "install", "--no-audit", "--no-fund", "--ignore-scripts")
    run(command, f"installing what {manifest} depends on with npm, which needs its registry", cwd=folder)
    stamps.record(stamp, stamps.tree_digest([manifest, lock]), {})


def _built(build: Build, sdk: Path, inputs: str) -> bytes:
    """The guest's core module. What it finds random follows from the digest of its ``inputs``."""
    with tempfile.TemporaryDirectory(prefix="sentinel-") as name:
        out = Path(name)
        command = ("node", str(sdk / "bin" / "sentinel-ts.mjs"), "build", ".", str(out))
        code, output = attempt(command, cwd=build.folder, environment=steady.environment(inputs))
        if code != 0:
            raise failure(build.name, output)
        told: dict[str, Any] = json.loads((out / "guest.json").read_text())
        component = (out / "component.wasm").read_bytes()
    schema = {CONFIG_SCHEMA: json.dumps(told["schema"], separators=(",", ":"), ensure_ascii=False).encode()}
    manifest = json.loads((sdk / "package.json").read_text())
    how = Flattening(
        # A guest without `configure` refuses settings all the same.
        hooks=frozenset(_HOOKS[hook] for hook in {*told["hooks"], "configure"}),
        grants=frozenset(told["grants"]),
        # What the interpreter's library could call, and a guest does not.
        unavailable=("wasi:", "local:init/"),
        sections=schema | custom_sections.of_project(build.folder),
        producers={
            "language": [("JavaScript", "QuickJS")],
            "sdk": [(_PACKAGE, manifest["version"])],
        },
    )
    return flatten(component, build.name, how)
