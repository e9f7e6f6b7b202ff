"""Loading a guest for its author: one that takes long to compile is kept, as a gateway keeps it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from sentinel_host.hotload.cache import Cache, default_directory
from sentinel_host.sandbox import (
    Grants,
    GuestEngine,
    Limits,
    LoadedGuest,
    compile_guest,
    load_artefact,
    load_compiled,
)
from sentinel_host.sandbox.artefact import parse_artefact, read_file

# Bytes of a file. Guests below this compile in a tenth of a second, those with an interpreter in
# some.
_LARGE: Final = 1 << 20


def load(file: Path, engine: GuestEngine, grants: Grants, limits: Limits | None = None) -> LoadedGuest:
    """Read, compile and check the guest in a file, which is named as the file. Raises
    `GuestLoadError`.
    """
    data = read_file(file)
    if len(data) < _LARGE or (cache := Cache.open(default_directory())) is None:
        return load_artefact(parse_artefact(data, str(file)), file.stem, engine, limits, grants)
    try:
        compiled = cache.get(hashlib.sha256(data).hexdigest())
        if compiled is None:
            compiled = compile_guest(data, str(file))
            cache.put(compiled)
    finally:
        cache.close()
    return load_compiled(compiled, file.stem, str(file), engine, limits, grants)
