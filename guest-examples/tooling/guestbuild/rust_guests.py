from __future__ import annotations

import json
from pathlib import Path

from guestbuild.components import present, publish, remove_others, wasm_tools
from guestbuild.places import BUILD, GUESTS, REPOSITORY
from guestbuild.report import BuiltGuest
from sentinel_host.authoring import stamps
from sentinel_host.authoring.processes import capture, note, run
from sentinel_host.authoring.rust_toolchain import TARGET, find
from sentinel_host.errors import ToolchainError

WORKSPACE = REPOSITORY / "guest-examples" / "rust"
_TARGET_DIRECTORY = BUILD / "cargo" / "guests"


def build_rust(workspace: Path = WORKSPACE, out: Path = GUESTS / "rust") -> list[BuiltGuest]:
    """Build every ``cdylib`` of the cargo workspace into ``out/<package>.wasm``, each a component.

    Raises ToolchainError.
    """
    toolchain = find()
    inputs = stamps.tree_digest(
        [workspace, REPOSITORY / "sdk" / "rust", REPOSITORY / "wit"], salt=f"{toolchain.version}\n{_componentizer()}"
    )
    stamp = out / ".inputs.json"
    if stamps.is_current(stamp, inputs, out):
        return present("rust", out, stamps.recorded(stamp, inputs) or ())
    note(f"building the Rust guests of {workspace}")
    environment = dict(toolchain.environment) | {"CARGO_TARGET_DIR": str(_TARGET_DIRECTORY)}
    build = [*toolchain.cargo, "build", "--locked", "--release", "--workspace", "--target", TARGET]
    run(build, f"building the Rust guests of {workspace}", cwd=workspace, environment=environment)
    metadata = [*toolchain.cargo, "metadata", "--locked", "--no-deps", "--format-version", "1"]
    modules = module_names(capture(metadata, cwd=workspace, environment=environment))
    if not modules:
        raise ToolchainError(f"{workspace} has no package with crate-type cdylib: nothing there is a guest")
    out.mkdir(parents=True, exist_ok=True)
    guests = [
        _componentize(_TARGET_DIRECTORY / TARGET / "release" / f"{module}.wasm", out / f"{package}.wasm")
        for package, module in sorted(modules.items())
    ]
    remove_others(out, (guest.path.name for guest in guests))
    stamps.record(stamp, inputs, {guest.path.name: stamps.file_digest(guest.path) for guest in guests})
    return guests


def module_names(metadata: str) -> dict[str, str]:
    """Package to core module (file stem) of every cdylib, from the JSON of ``cargo metadata``."""
    return {
        package["name"]: target["name"].replace("-", "_")
        for package in json.loads(metadata)["packages"]
        for target in package["targets"]
        if "cdylib" in target["crate_types"]
    }


def _componentizer() -> str:
    return capture((str(wasm_tools()), "--version"))


def _componentize(module: Path, component: Path) -> BuiltGuest:
    fresh = component.with_suffix(".new")
    command = (str(wasm_tools()), "component", "new", str(module), "-o", str(fresh))
    run(command, f"making a component of {component.stem}")
    return publish("rust", fresh, component)
