"""The SDK for C and Zig: its README's guests build and do what they say, and Zig's declarations are
the headers'.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import wasmtime

from guestbuild.places import REPOSITORY
from sentinel_host.authoring import zig_toolchain
from sentinel_host.authoring.c import C
from sentinel_host.authoring.language import Language
from sentinel_host.authoring.project import create_project
from sentinel_host.authoring.zig import Zig
from sentinel_host.pytest_plugin import StartGuest
from sitebuild.markdown import blocks

SDK = REPOSITORY / "sdk" / "c"

# The end of `configure`, and what is put before it, so that no further guest has to be built.
DESCRIBE = {
    "c": (
        "  return sentinel_finish(config);",
        """\
  static const double bounds[] = {1, 60};
  sentinel_metrics_describe(&(sentinel_metric){"age_seconds", SENTINEL_HISTOGRAM, "Age.", "seconds", bounds, 2});
""",
    ),
    "zig": (
        "    return config.finish();",
        """\
    sentinel.metrics.describe("age_seconds", .histogram, .{ .help = "Age.", .unit = "seconds", .bounds = &.{ 1, 60 } });
""",
    ),
}


@pytest.mark.parametrize(("language", "file"), [(C(), "src/guest.c"), (Zig(), "src/guest.zig")])
def test_the_guest_of_the_readme(language: Language, file: str, tmp_path: Path, sentinel_guest: StartGuest) -> None:
    (code,) = [block.text for block in blocks((SDK / "README.md").read_text()) if block.language == language.name]
    project = create_project(tmp_path / "maintenance", language)
    (project.folder / "self-test.json").unlink()
    end, describe = DESCRIBE[language.name]
    assert end in code
    (project.folder / file).write_text(code.replace(end, describe + end))
    project.build()
    guest = sentinel_guest(project.file, config={"open": "/up"})
    assert guest.descriptions == {"age_seconds": ("histogram", "Age.", "seconds", (1, 60))}
    assert guest.request("GET", "/up/now").action == "continue"
    refused = guest.request("GET", "/health")
    assert (refused.status, refused.body) == (503, b"back soon\n")


def test_zig_has_the_functions_of_the_headers() -> None:
    headers = "".join(
        (SDK / "include" / f"{name}.h").read_text() for name in ("sentinel_msgpack", "sentinel", "sentinel_test")
    )
    headers = re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL)
    headers = re.sub(r"^ *#define (?:.*\\\n)*.*", "", headers, flags=re.MULTILINE)
    declared = set(re.findall(r"^[a-z_].*?\b(sentinel_\w+)\((?!.*va_list)", headers, re.MULTILINE))
    hooks = {name for name in declared if name.endswith("_hook")}
    translated = set(re.findall(r"^pub extern fn (sentinel_\w+)\(", (SDK / "zig" / "c.zig").read_text(), re.MULTILINE))
    assert declared - hooks - {"sentinel_test_service"} == translated


@pytest.fixture(scope="module")
def memory_functions(tmp_path_factory: pytest.TempPathFactory) -> tuple[wasmtime.Store, wasmtime.InstanceExports]:
    """The C library's functions that compilers call, as guests have them, and the store they are in."""
    module = tmp_path_factory.mktemp("memory") / "memory.wasm"
    exported = [f"-Wl,--export={name}" for name in ("memcpy", "memmove", "memset", "__heap_base")]
    arguments = ("cc", *zig_toolchain.TARGET, "-std=gnu11", "-O2", "-nostdlib", "-Wl,--no-entry", *exported)
    sources = sorted(str(path) for path in (SDK / "src").glob("*.c"))
    code, output = zig_toolchain.zig(
        (*arguments, f"-I{SDK / 'include'}", "-o", str(module), *sources), tmp_path_factory.mktemp("work")
    )
    assert code == 0, output
    store = wasmtime.Store()
    made = wasmtime.Module.from_file(store.engine, str(module))
    linker = wasmtime.Linker(store.engine)
    linker.define_unknown_imports_as_traps(made)
    return store, linker.instantiate(store, made).exports(store)


def test_memory_is_copied_and_filled_in_every_size(
    memory_functions: tuple[wasmtime.Store, wasmtime.InstanceExports],
) -> None:
    store, exports = memory_functions
    memory, base = exports["memory"], exports["__heap_base"]
    assert isinstance(memory, wasmtime.Memory)
    assert isinstance(base, wasmtime.Global)
    begin = base.value(store)
    before = bytes(range(1, 251)) * 4

    def after(name: str, *arguments: int) -> bytes:
        """The bytes that a call of the function leaves of those from ``begin``."""
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        memory.write(store, before, begin)
        function(store, *arguments)
        return bytes(memory.read(store, begin, begin + len(before)))

    for size in (*range(80), 127, 128, 255, 256, 257, 300):
        for to, start in ((0, 500), (500, 1), (3, 3)):
            copied = before[:to] + before[start : start + size] + before[to + size :]
            assert after("memcpy", begin + to, begin + start, size) == copied, (size, to, start)
        for to, start in ((10, 10), (10, 11), (11, 10), (10, 40), (40, 10), (0, 500)):
            copied = before[:to] + before[start : start + size] + before[to + size :]
            assert after("memmove", begin + to, begin + start, size) == copied, (size, to, start)
        assert after("memset", begin + 7, 0x1F5, size) == before[:7] + b"\xf5" * size + before[7 + size :], size
