"""The cache of all tests, below ``build/``: the user's own is none of their business, and most
tests have the same few guests, which are compiled once.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHED = {"XDG_CACHE_HOME": str(ROOT / "build" / "cache")}

# By their names in the cache: what Go has compiled, packages of PyPI, and the gateway's toolchains
# and merged interpreters.
_SHARED = (
    "go-build",
    "pip",
    *(f"sentinel/{name}" for name in ("flattened", "python-packages", "sdk", "tools", "zig")),
)


def use_own_cache() -> None:
    """Have this process, and what it starts, use the tests' cache.

    It shares with the user's what builds guests: to install and to merge that once more takes
    minutes, and shows nothing that the first time has not.
    """
    own, base = Path(CACHED["XDG_CACHE_HOME"]), os.environ.get("XDG_CACHE_HOME", "")
    users = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    if users == own:
        return
    # The gateway keeps compiled guests there, and takes no directory that others can look into.
    (own / "sentinel").mkdir(mode=0o700, parents=True, exist_ok=True)
    libraries = [f"sentinel/{path.name}" for path in (users / "sentinel").glob("rust-std-*")]
    for name in (*_SHARED, *libraries):
        (users / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            (own / name).symlink_to(users / name)
    os.environ.update(CACHED)
