from __future__ import annotations

from pathlib import Path

from guestbuild.components import present, publish, remove_others
from guestbuild.places import GUESTS, REPOSITORY
from guestbuild.report import BuiltGuest
from sentinel_host.authoring import node, stamps
from sentinel_host.authoring.processes import run
from sentinel_host.errors import ToolchainError

WORKSPACE = REPOSITORY / "guest-examples" / "assemblyscript"
SDK = REPOSITORY / "sdk" / "assemblyscript"


def build_assemblyscript(workspace: Path = WORKSPACE, out: Path = GUESTS / "assemblyscript") -> list[BuiltGuest]:
    """Build every guest folder of the npm workspace into ``out/<folder>.wasm``, each a component.

    Raises ToolchainError.
    """
    version = node.check()
    shared = [workspace / "package.json", workspace / "package-lock.json", SDK, REPOSITORY / "wit"]
    # npm links the SDK's folder instead of copying it and leaves the dependencies of a linked
    # folder to that folder.
    node.install(SDK)
    node.install(workspace)
    folders = sorted(path.parent for path in workspace.glob("*/assembly"))
    if not folders:
        raise ToolchainError(f"{workspace} has no folder with an assembly/ in it: nothing there is a guest")
    out.mkdir(parents=True, exist_ok=True)
    common = stamps.tree_digest(shared, salt=version)
    guests = [_build(workspace, folder, out / f"{folder.name}.wasm", common) for folder in folders]
    remove_others(out, (guest.path.name for guest in guests))
    return guests


def _build(workspace: Path, folder: Path, component: Path, common: str) -> BuiltGuest:
    inputs = stamps.tree_digest([folder], salt=common)
    stamp = component.with_name(f".{component.stem}.json")
    if stamps.is_current(stamp, inputs, component.parent):
        (guest,) = present("assemblyscript", component.parent, [component.name])
        return guest
    fresh = component.with_suffix(".new")
    command = workspace / "node_modules" / ".bin" / "sentinel-asc"
    run((str(command), "build", str(folder), "-o", str(fresh)), f"building {component.stem}", cwd=workspace)
    guest = publish("assemblyscript", fresh, component)
    stamps.record(stamp, inputs, {component.name: stamps.file_digest(component)})
    return guest
