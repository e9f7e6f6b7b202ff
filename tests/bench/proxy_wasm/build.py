"""Build Envoy's filters: ``wat/*.wat`` by hand, and the same three with the proxy-wasm Rust SDK."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from wasmtime import wat2wasm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "guest-examples" / "tooling"))

from sentinel_host.authoring import rust_toolchain  # noqa: E402
from sentinel_host.authoring.processes import run  # noqa: E402

FILTERS = ("access-log", "api-key-auth", "header-injection")
_WAT = HERE / "wat"
_INCLUDE = re.compile(r"^;;@(\w+)$", re.MULTILINE)
_TARGET = ROOT / "build" / "cargo" / "proxy-wasm"


def _included(match: re.Match[str]) -> str:
    return (_WAT / f"{match[1]}.wat").read_text()


def build(folder: Path) -> Mapping[str, dict[str, Path]]:
    """The artefacts by variant (``wat``, ``rust``) and filter, written into ``folder`` or cargo's
    own.

    Raises `ToolchainError` when there is no Rust toolchain for WebAssembly.
    """
    by_hand = {}
    for name in FILTERS:
        by_hand[name] = folder / f"{name}.wasm"
        by_hand[name].write_bytes(wat2wasm(_INCLUDE.sub(_included, (_WAT / f"{name}.wat").read_text())))
    toolchain = rust_toolchain.find()
    run(
        (*toolchain.cargo, "build", "--locked", "--release", "--examples", "--target", rust_toolchain.TARGET),
        "building Envoy's filters with the proxy-wasm Rust SDK",
        cwd=HERE / "rust",
        environment=dict(toolchain.environment) | {"CARGO_TARGET_DIR": str(_TARGET)},
    )
    examples = _TARGET / rust_toolchain.TARGET / "release" / "examples"
    built = {name: examples / f"{name.replace('-', '_')}.wasm" for name in FILTERS}
    return {"wat": by_hand, "rust": built}
