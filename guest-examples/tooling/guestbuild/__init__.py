"""Builds guests: finds or installs the toolchains, compiles, and turns core modules into
components.

Only the standard library is used, so that the noxfile, the tests and a bare interpreter can all
import it.
"""

from __future__ import annotations

from guestbuild.assemblyscript_guests import build_assemblyscript
from guestbuild.report import BuiltGuest
from guestbuild.rust_guests import build_rust
from sentinel_host.authoring.rust_toolchain import cargo_command, rust_environment
from sentinel_host.errors import ToolchainError

__all__ = [
    "BuiltGuest",
    "ToolchainError",
    "build_assemblyscript",
    "build_rust",
    "cargo_command",
    "rust_environment",
]
