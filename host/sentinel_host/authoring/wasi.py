"""A core module made for WASI, preview 1, as a guest: what it imports of WASI comes from a module
that is merged in.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Final

from sentinel_host.abi.contract import ARGUMENT_AREA, NEEDED_HOOKS, PACKAGE
from sentinel_host.authoring.flatten import binaryen, core
from sentinel_host.authoring.flatten.reader import CannotFlatten, Reader
from sentinel_host.authoring.flatten.stand_ins import STAND_INS, Needed, stand_in_module
from sentinel_host.sandbox.text_format import assemble

_WASI: Final = "wasi_snapshot_preview1"
_GUEST: Final = "guest"
_OURS: Final = re.compile(
    rf"memory|cabi_realloc|_initialize|{NEEDED_HOOKS}|{ARGUMENT_AREA}"
    rf"|(cabi_post_)?{re.escape(PACKAGE)}/[a-z-]+@[0-9.]+#[a-z-]+"
)


def without_wasi(module: bytes) -> bytes:
    """The module with the gateway's functions, or stand-ins, in place of WASI's.

    The clock and random numbers are the gateway's if the module imports these from the gateway,
    too; otherwise the clock stands still and the numbers are always the same. Raises
    `CannotFlatten` for an import that nothing stands in for, by its name.
    """
    entries = core.imports(module)
    ours = {entry.module for entry in entries if entry.module.startswith(f"{PACKAGE}/")}
    grants = frozenset(name for name in ("clock", "random") if any(f"/{name}@" in found for found in ours))
    signatures = core.signatures(module)
    needed: dict[str, Needed] = {}
    for entry in entries:
        if entry.module != _WASI:
            if not entry.module.startswith(f"{PACKAGE}/"):
                raise CannotFlatten(f"imports {entry}, which a guest cannot have")
            continue
        key = (_WASI, entry.name)
        if key not in STAND_INS:
            raise CannotFlatten(f"imports {entry}, and nothing stands in for it in a guest")
        signature = signatures[Reader(entry.raw, 1).u32()]
        assert signature is not None
        needed[entry.name] = Needed(entry.name, key, signature)
    stand_ins = assemble(stand_in_module(needed.values(), (_GUEST, "memory"), grants, still=True))
    with tempfile.TemporaryDirectory() as scratch:
        files = {name: Path(scratch, name) for name in ("guest", "wasi", "merged", "kept", "cleaned")}
        files["guest"].write_bytes(module)
        files["wasi"].write_bytes(stand_ins)
        binaryen.merge([(files["guest"], _GUEST), (files["wasi"], _WASI)], files["merged"], names=True)
        kept = core.keep_exports(files["merged"].read_bytes(), lambda name: _OURS.fullmatch(name) is not None)
        files["kept"].write_bytes(kept)
        binaryen.clean(files["kept"], files["cleaned"], names=True)
        return files["cleaned"].read_bytes()
