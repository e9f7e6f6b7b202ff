"""Guests in Go: the project's package main is built for WASI, with exports for the hooks that it
has.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sentinel_host.authoring import custom_sections, go_toolchain, stamps
from sentinel_host.authoring.building import build_once, failure
from sentinel_host.authoring.flatten import binaryen
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import shortened
from sentinel_host.authoring.sdk import LINKS, link, sdk_source
from sentinel_host.authoring.wasi import without_wasi
from sentinel_host.errors import ToolchainError

_SDK: Final = f"{LINKS}/go"
_MODULE: Final = "sentinel-gateway/sentinel"

_MANIFEST: Final = f"""\
module {{name}}

go {go_toolchain.LANGUAGE}

require {_MODULE} v0.0.0

replace {_MODULE} => ./{_SDK}
"""

_GUEST: Final = """\
package main

import (
	"log/slog"

	"{module}"
)

// OnRequest refuses requests that do not say what they are, and marks the others.
func OnRequest(request *sentinel.Request) *sentinel.Response {{
	if !request.Headers.Has("user-agent") {{
		slog.Info(request.Client + " does not say what it is")
		return sentinel.NewResponse(400, "a user-agent is needed\\n")
	}}
	request.SetHeader("x-guest", "{name}")
	return nil
}}

func main() {{}}
"""

_TESTS: Final = """\
package main

import (
	"testing"

	"{module}"
	"{module}/sentineltest"
)

func TestARequestWithAUserAgentIsMarked(t *testing.T) {{
	request := sentineltest.Request("GET", "/", sentinel.Header{{Name: "user-agent", Value: "test"}})
	if response := OnRequest(request); response != nil {{
		t.Fatalf("refused with %d", response.Status)
	}}
	if mark, _ := request.Edits.Headers.Get("x-guest"); mark != "{name}" {{
		t.Errorf("marked %q", mark)
	}}
}}

func TestARequestWithoutOneIsRefused(t *testing.T) {{
	if response := OnRequest(sentineltest.Request("GET", "/")); response == nil || response.Status != 400 {{
		t.Error("not refused")
	}}
	if lines := sentineltest.Lines(); len(lines) != 1 {{
		t.Errorf("logged %q", lines)
	}}
}}
"""

# Each hook: the interface, the contract's name, and the function that calls it with these
# parameters.
_HOOKS: Final[Mapping[str, tuple[str, str, str, int, bool]]] = {
    "Configure": ("lifecycle", "configure", "RunConfigure", 2, True),
    "OnRequest": ("request-handler", "on-request", "RunRequest", 2, True),
    "OnResponse": ("response-handler", "on-response", "RunResponse", 4, True),
    "OnComplete": ("completion-handler", "on-complete", "RunComplete", 4, False),
    "OnRequestChunk": ("request-body-handler", "on-request-chunk", "RunRequestChunk", 5, True),
    "OnResponseChunk": ("response-body-handler", "on-response-chunk", "RunResponseChunk", 5, True),
}
_HOOK: Final = re.compile(r"^func ((?:On[A-Z]\w*)|Configure)\(", re.MULTILINE)

_SCHEMA_TEST: Final = f"""\
package main

import (
	"encoding/json"
	"os"
	"testing"

	"{_MODULE}"
)

func TestSentinelSchema(t *testing.T) {{
	text, err := json.MarshalIndent(sentinel.Schema(Configure), "", "  ")
	if err == nil {{
		err = os.WriteFile(os.Getenv("SENTINEL_SCHEMA"), text, 0o644)
	}}
	if err != nil {{
		t.Fatal(err)
	}}
}}
"""

# Another number for every change of what comes out of a build.
_REVISION: Final = 1

_BUILD: Final = ("-buildmode=c-shared", "-trimpath", "-buildvcs=false")


class Go:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "go"
    sources: Final = ("go.mod", "go.sum", ".", *custom_sections.FILES)

    def name_of(self, folder: Path) -> str | None:
        """The last part of the module's path."""
        manifest = folder / "go.mod"
        if not manifest.is_file():
            return None
        found = re.search(r"^module\s+(\S+)", manifest.read_text(), re.MULTILINE)
        if found is None:
            raise ToolchainError(f"{manifest}: names no module")
        return found[1].rpartition("/")[2]

    def create(self, name: str) -> dict[str, str]:
        """Manifest, guest and unit tests."""
        words = {"name": name, "module": _MODULE}
        return {
            "go.mod": _MANIFEST.format(**words),
            "guest.go": _GUEST.format(**words),
            "guest_test.go": _TESTS.format(**words),
        }

    def build(self, build: Build) -> None:
        """go's module without WASI, and with the sections that the project asks for; skipped if
        nothing has changed.
        """
        sdk = sdk_source("go")
        toolchain = go_toolchain.find()
        inputs = stamps.tree_digest(
            [*_files(build.folder), sdk], salt=f"{toolchain.version} {binaryen.VERSION} {_REVISION}"
        )
        build_once(build, inputs, lambda: _built(build, sdk, toolchain))

    def test(self, folder: Path) -> UnitTests | None:
        """go test, natively."""
        if not any(folder.rglob("*_test.go")):
            return None
        link(folder / _SDK, sdk_source("go"))
        code, output = go_toolchain.find().run(("test", "./..."), folder)
        return UnitTests(code == 0, output)


def _built(build: Build, sdk: Path, toolchain: go_toolchain.Toolchain) -> bytes:
    """The guest's core module."""
    link(build.folder / _SDK, sdk)
    hooks = _hooks(build.folder, build.name)
    with tempfile.TemporaryDirectory() as scratch:
        module = _compile(toolchain, build, hooks, Path(scratch))
        sections = custom_sections.of_project(build.folder)
        if "Configure" in hooks and "sentinel:config-schema" not in sections:
            sections["sentinel:config-schema"] = _schema(toolchain, build, Path(scratch))
    return custom_sections.extended(without_wasi(module), sections)


def _files(folder: Path) -> list[Path]:
    """What a build reads of a project: all of its Go, wherever it is, and what may be embedded in
    it.
    """
    left_out = {"build", LINKS, ".git"}
    return sorted(path for path in folder.iterdir() if path.name not in left_out and not path.name.endswith("_test.go"))


def _hooks(folder: Path, name: str) -> list[str]:
    sources = [path for path in sorted(folder.glob("*.go")) if not path.name.endswith("_test.go")]
    found = [hook for path in sources for hook in _HOOK.findall(path.read_text())]
    unknown = [hook for hook in found if hook not in _HOOKS]
    if unknown:
        raise ToolchainError(f"{name} does not build:\n{unknown[0]} is no hook; those are {', '.join(_HOOKS)}")
    return found


def _exports(hooks: list[str]) -> str:
    """A file of package main that exports the hooks by the names of the contract."""
    lines = ["package main", "", f'import "{_MODULE}"', ""]
    for hook in hooks:
        interface, name, runner, count, answers = _HOOKS[hook]
        params = ", ".join(f"p{place}" for place in range(count))
        result, returned = (" uint32", "return ") if answers else ("", "")
        lines += [
            f"//go:wasmexport sentinel:gateway/{interface}@0.1.0#{name}",
            f"func sentinelExported{hook}({params} uint32){result} {{ {returned}sentinel.{runner}({hook}, {params}) }}",
            "",
        ]
    return "\n".join(lines)


def _overlay(folder: Path, scratch: Path, name: str, content: str) -> str:
    """The option that adds a file to the project without writing it there."""
    (scratch / name).write_text(content)
    overlay = scratch / f"{name}.json"
    overlay.write_text(json.dumps({"Replace": {str(folder.resolve() / name): str(scratch / name)}}))
    return f"-overlay={overlay}"


def _compile(toolchain: go_toolchain.Toolchain, build: Build, hooks: list[str], scratch: Path) -> bytes:
    output = scratch / "guest.wasm"
    overlay = _overlay(build.folder, scratch, "sentinel_exports.go", _exports(hooks))
    flags = "-ldflags=-w -buildid="
    target = {"GOOS": "wasip1", "GOARCH": "wasm"}
    code, text = toolchain.run(("build", *_BUILD, flags, overlay, "-o", str(output), "."), build.folder, target)
    if code != 0:
        raise failure(build.name, text)
    return output.read_bytes()


def _schema(toolchain: go_toolchain.Toolchain, build: Build, scratch: Path) -> bytes:
    output = scratch / "schema.json"
    overlay = _overlay(build.folder, scratch, "sentinel_schema_test.go", _SCHEMA_TEST)
    command = ("test", "-count=1", overlay, "-run=^TestSentinelSchema$", ".")
    code, text = toolchain.run(command, build.folder, {"SENTINEL_SCHEMA": str(output)})
    if code != 0:
        raise ToolchainError(f"{build.name}: its configuration has no schema:\n{shortened(text.splitlines())}")
    return output.read_bytes()
