"""Zig, which compiles C and Zig to WebAssembly: installed once for this user, in one version, from
PyPI.

Its releases change the language, so that no other version will do, and one on PATH is not asked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sentinel_host.authoring.cache import cache_folder
from sentinel_host.authoring.language import Build
from sentinel_host.authoring.processes import attempt
from sentinel_host.authoring.pypi_tools import PypiTool
from sentinel_host.errors import ToolchainError

VERSION: Final = "0.17.1"

# Compilers copy a few bytes by an instruction that is a call into the engine; so they are told that
# there is none, and call the SDK's functions. Hook and SDK are optimised as one program.
TARGET: Final = ("-target", "wasm32-freestanding", "-mcpu=lime1-bulk_memory_opt", "-flto")

# The wheels are those for Linux and macOS.
_TOOL: Final = PypiTool(
    "ziglang",
    VERSION,
    (
        "09953b6af7f64168b915180a42774f520f92d86ef6331b28e33915c7e1f0bb23",
        "4e0b4b9c02b8d0d220e9948010f860b62ff11d96abb39762eca5fa2ef3f7bc97",
        "d0549d5db63961ad9ed83ef628a45e3309542410dbcb6010116f4f2a3274d966",
        "ea6cc5d87b033cf0aedfbc8f9549a908cae6c50ac31f1698188fa48a74524b54",
        "b7c5f02fccd40f89b999ee16a1f5ddced56e6182370f8affe494bcf8a28cf07e",
        "7ec229ead4a08f3bc537ed33fa8c0f811739b81a0d05afbea89db30afb4df1cc",
        "d3bf27478d4593f2df7daf5c59b616a543b8f9e2cc9235bef84d8e54862a4334",
        "87f24e5cdca55f5d47c1e20570eebb61a53957fafe4c35c69740e13affe407ba",
        "d65ae4223b0c351cb3b4596262b8d9773acc9ca94ef8ea9b5fe3ddfa07dd204f",
    ),
    "the compiler of C and Zig",
    "90 MB",
)


def find() -> Path:
    """The command. Raises ToolchainError if it is not there and cannot be installed."""
    return _TOOL.folder() / "ziglang" / "zig"


def zig(arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run the command in a folder; its exit code and output. What it has compiled once is kept for
    this user.
    """
    kept = str(cache_folder("zig"))
    environment = {"ZIG_GLOBAL_CACHE_DIR": kept, "ZIG_LOCAL_CACHE_DIR": kept}
    return attempt((str(find()), *arguments), cwd=folder, environment=environment)


def compile_guest(build: Build, arguments: Callable[[str], Sequence[str]]) -> bytes:
    """The core module that the compiler makes by the ``arguments`` for a file to write.

    Raises ToolchainError with the compiler's message.
    """
    with tempfile.TemporaryDirectory(prefix="sentinel-") as scratch:
        output = Path(scratch, "guest.wasm")
        code, text = zig(arguments(str(output)), build.folder)
        if code != 0:
            raise ToolchainError(f"{build.name} does not build:\n{_relevant(text)}")
        return output.read_bytes()


# More would push the message itself out of sight.
_MOST_LINES: Final = 48


def _relevant(output: str) -> str:
    return "\n".join(output.splitlines()[:_MOST_LINES])
