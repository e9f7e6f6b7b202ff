"""Guests in C: the SDK's sources are compiled with the project's, and what no hook calls is left
out.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from sentinel_host.authoring import custom_sections, stamps, zig_toolchain
from sentinel_host.authoring.building import build_once, present
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.processes import attempt
from sentinel_host.authoring.sdk import LINKS, link, sdk_source
from sentinel_host.errors import ToolchainError

_SDK: Final = f"{LINKS}/c"

# Flags of the project, which clangd reads too.
_FLAGS: Final = f"""\
-std=gnu11
-Wall
-Wextra
-I{_SDK}/include
"""

_GUEST: Final = """\
#include <sentinel.h>

const sentinel_response *on_request(sentinel_request *request) {{
  static const sentinel_response refusal = {{.status = 400, .body = SENTINEL_TEXT("a user-agent is needed\\n")}};
  if (!sentinel_has(request->headers, "user-agent")) {{
    sentinel_log(SENTINEL_INFO, "%s does not say what it is", sentinel_string(request->client));
    return &refusal;
  }}
  sentinel_set(&request->edits.headers, "x-guest", SENTINEL_TEXT("{name}"));
  return NULL;
}}
SENTINEL_ON_REQUEST(on_request)
"""

_TESTS: Final = """\
#include <assert.h>
#include <sentinel_test.h>

sentinel_request_hook on_request;

static void a_request_with_a_user_agent_is_marked(void) {{
  sentinel_header headers[] = {{{{SENTINEL_TEXT("user-agent"), SENTINEL_TEXT("test")}}}};
  sentinel_request request = sentinel_test_request("GET", "/", headers, 1);
  assert(on_request(&request) == NULL);
  assert(sentinel_is(sentinel_test_edited(&request.edits.headers, "x-guest"), "{name}"));
}}

static void a_request_without_one_is_refused(void) {{
  sentinel_request request = sentinel_test_request("GET", "/", NULL, 0);
  assert(on_request(&request)->status == 400);
  assert(sentinel_test_lines() == 1);
}}

int main(void) {{
  a_request_with_a_user_agent_is_marked();
  a_request_without_one_is_refused();
}}
"""

# A stack that overflows ends at the beginning of memory, which is a trap and no damage.
_WASM: Final = ("-O2", "-nostdlib", "-Wl,--no-entry", "-Wl,-z,stack-size=131072", "-fdebug-compilation-dir=.")


class C:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "c"
    sources: Final = ("compile_flags.txt", "src", *custom_sections.FILES)

    def name_of(self, folder: Path) -> str | None:
        """The folder's name."""
        is_project = (folder / "compile_flags.txt").is_file() and any((folder / "src").glob("*.c"))
        return folder.resolve().name if is_project else None

    def create(self, name: str) -> dict[str, str]:
        """Flags, guest and unit tests."""
        return {
            "compile_flags.txt": _FLAGS,
            "src/guest.c": _GUEST.format(name=name),
            "test/guest.c": _TESTS.format(name=name),
        }

    def build(self, build: Build) -> None:
        """The compiler's module with the sections that the project's files ask for; skipped if
        nothing has changed.
        """
        sdk = sdk_source("c")
        sources = present(build.folder, self.sources)
        inputs = stamps.tree_digest([*sources, sdk], salt=f"{zig_toolchain.VERSION} {build.debug}")
        build_once(build, inputs, lambda: _built(build, sdk))

    def test(self, folder: Path) -> UnitTests | None:
        """Each file of test/ is a program, compiled natively with src/: by the C compiler of this
        machine, if any.
        """
        programs = sorted(folder.glob("test/*.c"))
        if not programs:
            return None
        sdk = sdk_source("c")
        link(folder / _SDK, sdk)
        kept = folder / "build" / "test"
        kept.mkdir(parents=True, exist_ok=True)
        shared = [f"{_SDK}/src/{path.name}" for path in sorted(sdk.glob("src/*.c")) if path.stem != "wasm"]
        shared += [f"{_SDK}/native/stand_ins.c", *_project_sources(folder)]
        outputs = []
        for source in programs:
            program = (kept / source.stem).resolve()
            arguments = [*_flags(folder), "-g", "-O1", "-o", str(program), f"test/{source.name}", *shared]
            code, output = _compile_natively(arguments, folder)
            if code == 0:
                code, output = attempt((str(program),), cwd=folder)
            outputs.append(output or f"test/{source.name}: passed")
            if code != 0:
                return UnitTests(False, f"test/{source.name}: failed\n{output}")
        return UnitTests(True, "\n".join(outputs))


def _built(build: Build, sdk: Path) -> bytes:
    """The guest's core module."""
    link(build.folder / _SDK, sdk)
    sources = [*_project_sources(build.folder), *sorted(f"{_SDK}/src/{path.name}" for path in sdk.glob("src/*.c"))]
    arguments = ("cc", *zig_toolchain.TARGET, *_flags(build.folder), *_WASM, "-g" if build.debug else "-g0")
    module = zig_toolchain.compile_guest(build, lambda output: (*arguments, "-o", output, *sources))
    return custom_sections.extended(module, custom_sections.of_project(build.folder))


def _compile_natively(arguments: list[str], folder: Path) -> tuple[int, str]:
    for compiler in (os.environ.get("CC"), "cc", "gcc", "clang"):
        if compiler and shutil.which(compiler):
            return attempt((compiler, *arguments), cwd=folder)
    return zig_toolchain.zig(("cc", *arguments), folder)


def _project_sources(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "src").rglob("*.c"))


def _flags(folder: Path) -> list[str]:
    path = folder / "compile_flags.txt"
    try:
        return [line.strip() for line in path.read_text().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise ToolchainError(f"{path}: {error}") from None
