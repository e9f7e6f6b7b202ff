"""Guests in Zig: the author's file is a module whose public functions the SDK's root exports as
hooks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sentinel_host.authoring import custom_sections, stamps, zig_toolchain
from sentinel_host.authoring.building import build_once, present
from sentinel_host.authoring.language import Build, UnitTests
from sentinel_host.authoring.sdk import LINKS, link, sdk_source

_SDK: Final = f"{LINKS}/c"
_GUEST_FILE: Final = "src/guest.zig"

_GUEST: Final = """\
const std = @import("std");
const sentinel = @import("sentinel");

pub fn onRequest(request: *sentinel.Request) ?sentinel.Response {{
    if (request.header("user-agent") == null) {{
        sentinel.log.info("{{s}} does not say what it is", .{{request.client}});
        return .{{ .status = 400, .body = "a user-agent is needed\\n" }};
    }}
    request.setHeader("x-guest", "{name}");
    return null;
}}

test "a request with a user-agent is marked" {{
    var request = sentinel.testing.request("GET", "/", &.{{.{{ .name = "user-agent", .value = "test" }}}});
    try std.testing.expect(onRequest(&request) == null);
    try std.testing.expectEqualStrings("{name}", request.editedHeader("x-guest").?);
}}

test "a request without one is refused" {{
    var request = sentinel.testing.request("GET", "/", &.{{}});
    try std.testing.expect(onRequest(&request).?.status == 400);
    try std.testing.expect(sentinel.testing.lines() == 1);
}}
"""

# With checks: an index out of bounds is a panic with a line in the log, and no damage.
_WASM: Final = (*zig_toolchain.TARGET, "-fno-entry", "-rdynamic", "-O", "ReleaseSafe", "--stack", "131072")
_C_FLAGS: Final = ("-cflags", "-std=gnu11", "-O2", "-fno-sanitize=undefined", "-fdebug-compilation-dir=.", "--")


class Zig:
    """See `sentinel_host.authoring.language.Language`."""

    name: Final = "zig"
    sources: Final = ("src", *custom_sections.FILES)

    def name_of(self, folder: Path) -> str | None:
        """The folder's name."""
        return folder.resolve().name if (folder / _GUEST_FILE).is_file() else None

    def create(self, name: str) -> dict[str, str]:
        """The guest, with its unit tests in the same file."""
        return {_GUEST_FILE: _GUEST.format(name=name)}

    def build(self, build: Build) -> None:
        """The compiler's module with the sections that the project's files ask for; skipped if
        nothing has changed.
        """
        sdk = sdk_source("c")
        sources = present(build.folder, self.sources)
        inputs = stamps.tree_digest([*sources, sdk], salt=f"{zig_toolchain.VERSION} {build.debug}")
        build_once(build, inputs, lambda: _built(build, sdk))

    def test(self, folder: Path) -> UnitTests | None:
        """The `test` blocks of the guest's file and of those that it imports, natively."""
        sdk = sdk_source("c")
        link(folder / _SDK, sdk)
        modules = ("--dep", "sentinel", f"-Mguest={_GUEST_FILE}", f"-Msentinel={_SDK}/zig/sentinel.zig")
        code, output = zig_toolchain.zig(("test", *_c_sources(sdk, "native"), *modules), folder)
        return UnitTests(code == 0, output)


def _built(build: Build, sdk: Path) -> bytes:
    """The guest's core module."""
    link(build.folder / _SDK, sdk)
    modules = (
        *("--dep", "guest", "--dep", "sentinel", f"-Mroot={_SDK}/zig/root.zig"),
        *("--dep", "sentinel", f"-Mguest={_GUEST_FILE}", f"-Msentinel={_SDK}/zig/sentinel.zig"),
    )
    # Without debug information the compiler leaves the names of functions out, too.
    arguments = ("build-exe", *_WASM, "-fno-strip", *_c_sources(sdk, "wasm"), *modules)
    module = zig_toolchain.compile_guest(build, lambda output: (*arguments, f"-femit-bin={output}"))
    if not build.debug:
        module = custom_sections.stripped(module)
    return custom_sections.extended(module, custom_sections.of_project(build.folder))


def _c_sources(sdk: Path, kind: str) -> tuple[str, ...]:
    """The SDK's C, with the operating system's part for a guest or for native tests."""
    found = sorted(f"{_SDK}/src/{path.name}" for path in sdk.glob("src/*.c") if kind == "wasm" or path.stem != "wasm")
    native = [f"{_SDK}/native/stand_ins.c"] if kind == "native" else []
    return (f"-I{_SDK}/include", *_C_FLAGS, *found, *native)
