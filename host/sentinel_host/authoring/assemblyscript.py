"""Guests in AssemblyScript: Node builds them, with a copy of the SDK that is installed once for
this user.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from sentinel_host.authoring import node, node_sdk, stamps
from sentinel_host.authoring.building import failure, present
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import attempt
from sentinel_host.authoring.sdk import LINKS, link
from sentinel_host.errors import ToolchainError

_PACKAGE: Final = "@sentinel-gateway/assemblyscript"

_MANIFEST: Final = """\
{{
  "name": "{name}",
  "version": "0.1.0",
  "private": true,
  "type": "module",
  "scripts": {{
    "test": "node --test test/*.test.mjs"
  }},
  "dependencies": {{
    "{package}": "file:{links}/assemblyscript"
  }}
}}
"""

_TSCONFIG: Final = """\
{
  "extends": "assemblyscript/std/assembly.json",
  "include": ["assembly"]
}
"""

_GUEST: Final = """\
import {{ Guest, Request, Response, log }} from "{package}";

export class {type} extends Guest {{
  private refusal: Response = new Response(400).body("a user-agent is needed\\n");

  onRequest(request: Request): Response | null {{
    if (!request.headers.has("user-agent")) {{
      log.info(request.client.toString() + " does not say what it is");
      return this.refusal;
    }}
    request.headers.set("x-guest", "{name}");
    return null;
  }}
}}
"""

_TESTS: Final = """\
import assert from "node:assert/strict";
import {{ before, test }} from "node:test";

import {{ Harness }} from "{package}/testing";

let module;
before(async () => {{
  module = await Harness.compile(".");
}});

test("a request with a user-agent is marked", () => {{
  const action = new Harness(module).onRequest({{ headers: [["user-agent", "test"]] }});
  assert.equal(action.response, null);
  assert.equal(action.header("x-guest"), "{name}");
}});

test("a request without one is refused", () => {{
  const harness = new Harness(module);
  assert.equal(harness.onRequest().response.status, 400);
  assert.equal(harness.logs().length, 1);
}});
"""


class AssemblyScript:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "assemblyscript"
    sources: Final = ("package.json", "assembly", "self-test.json", "config-schema.json")

    def name_of(self, folder: Path) -> str | None:
        """The package's name, or the folder's."""
        manifest = folder / "package.json"
        if not manifest.is_file() or not (folder / "assembly" / "index.ts").is_file():
            return None
        try:
            name = json.loads(manifest.read_text()).get("name", folder.resolve().name)
        except (ValueError, AttributeError, OSError) as error:
            raise ToolchainError(f"{manifest}: is no package's manifest: {error}") from None
        return str(name).rpartition("/")[2]

    def create(self, name: str) -> dict[str, str]:
        """Manifest, guest, unit tests, and what an editor needs."""
        words = {"name": name, "type": "".join(map(str.title, name.split("-"))), "links": LINKS, "package": _PACKAGE}
        return {
            "package.json": _MANIFEST.format(**words),
            "tsconfig.json": _TSCONFIG,
            "assembly/index.ts": _GUEST.format(**words),
            f"test/{name}.test.mjs": _TESTS.format(**words),
        }

    def build(self, build: Build) -> None:
        """sentinel-asc, the SDK's compiler command; skipped when it would write the same once
        more.
        """
        sdk = _prepare(build.folder)
        inputs = self._inputs(build, sdk)
        stamp = build.file.with_name(f".{build.name}.json")
        if inputs is not None and stamps.is_current(stamp, inputs, build.file.parent):
            return
        command = ["node", str(sdk / "bin" / "sentinel-asc.mjs"), "build", ".", "-o", str(build.file.resolve())]
        options = ["--source-map"] if build.debug else []
        code, output = attempt([*command, *options], cwd=build.folder)
        if code != 0:
            raise failure(build.name, output)
        if inputs is not None:
            stamps.record(stamp, inputs, {build.file.name: stamps.file_digest(build.file)})

    def _inputs(self, build: Build, sdk: Path) -> str | None:
        """A digest of all that a build depends on; None for a project with packages of its own,
        which may change.
        """
        manifest = json.loads((build.folder / "package.json").read_text())
        if set(manifest.get("dependencies", {})) - {_PACKAGE}:
            return None
        return stamps.tree_digest(present(build.folder, self.sources), salt=f"{sdk.name} {build.debug}")

    def test(self, folder: Path) -> UnitTests | None:
        """Node's own test runner."""
        tests = sorted(str(path.relative_to(folder)) for path in folder.glob("test/*.test.mjs"))
        if not tests:
            return None
        _prepare(folder)
        code, output = attempt(("node", "--test", *tests), cwd=folder)
        return UnitTests(code == 0, output)


def _prepare(folder: Path) -> Path:
    """Let the project find the SDK; returns where that is."""
    sdk = node_sdk.installed("assemblyscript", "the AssemblyScript compiler and jco-transpile", node.check())
    link(folder / LINKS / "assemblyscript", sdk)
    link(folder / "node_modules" / _PACKAGE, sdk)
    # For editors; the SDK finds its own.
    link(folder / "node_modules" / "assemblyscript", sdk / "node_modules" / "assemblyscript")
    return sdk
