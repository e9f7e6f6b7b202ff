"""Guests that are projects as `sentinel new` makes them: built by `sentinel build`'s own code, then
made components.
"""

from __future__ import annotations

import re
from pathlib import Path

from guestbuild.components import present, publish, remove_others, wasm_tools
from guestbuild.places import BUILD, GUESTS, REPOSITORY
from guestbuild.report import BuiltGuest
from sentinel_host.authoring import stamps
from sentinel_host.authoring.language import Build, Language
from sentinel_host.authoring.processes import capture, run
from sentinel_host.errors import ToolchainError

WORKSPACE = REPOSITORY / "guest-examples"
WIT = REPOSITORY / "wit"

_INTERFACE = re.compile(rb"sentinel:gateway/([a-z-]+)@[0-9.]+#")
_WORLDS = {
    "lifecycle": "lifecycle-guest",
    "request-handler": "request-guest",
    "response-handler": "response-guest",
    "completion-handler": "completion-guest",
    "request-body-handler": "request-body-guest",
    "response-body-handler": "response-body-guest",
}


def build_projects(
    language: Language, workspace: Path | None = None, out: Path | None = None, *, debug: bool = False
) -> list[BuiltGuest]:
    """Build every project in a folder into ``out/<folder>.wasm``, each a component. Raises
    ToolchainError.
    """
    workspace = workspace or WORKSPACE / language.name
    out = out or GUESTS / language.name
    folders = sorted(path for path in workspace.iterdir() if path.is_dir() and language.name_of(path) is not None)
    if not folders:
        raise ToolchainError(f"{workspace} has no project in {language.name}: nothing there is a guest")
    out.mkdir(parents=True, exist_ok=True)
    modules = BUILD / "modules" / out.parent.name / out.name
    guests = [_build(language, folder, modules / f"{folder.name}.wasm", out, debug) for folder in folders]
    remove_others(out, (guest.path.name for guest in guests))
    return guests


def _build(language: Language, folder: Path, module: Path, out: Path, debug: bool) -> BuiltGuest:
    component = out / module.name
    language.build(Build(folder, folder.name, module, debug))
    inputs = stamps.tree_digest([module, WIT], salt=capture((str(wasm_tools()), "--version")))
    stamp = out / f".{module.stem}.json"
    if stamps.is_current(stamp, inputs, out):
        (guest,) = present(language.name, out, [component.name])
        return guest
    guest = publish(language.name, _componentize(module, component), component)
    stamps.record(stamp, inputs, {component.name: stamps.file_digest(component)})
    return guest


def _componentize(module: Path, component: Path) -> Path:
    """A component of the module's hooks: each has a world of its own, and their union is the
    component's type.
    """
    typed, fresh = component.with_suffix(".typed"), component.with_suffix(".new")
    source = module
    tool, what = str(wasm_tools()), f"making a component of {module.stem}"
    for interface in sorted(set(_INTERFACE.findall(module.read_bytes()))):
        world = _WORLDS[interface.decode()]
        run((tool, "component", "embed", str(WIT), str(source), "--world", world, "-o", str(fresh)), what)
        fresh.replace(typed)
        source = typed
    run((tool, "component", "new", str(typed), "-o", str(fresh)), what)
    typed.unlink()
    return fresh
