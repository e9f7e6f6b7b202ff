"""The state of the guests in one process."""

from __future__ import annotations

import msgspec


class GuestState(msgspec.Struct):
    """One guest in one process, for people and programs that ask.

    ``state`` is ``serving``, or ``missing`` when its routes answer 503. The version that serves has
    been doing so ``since`` then, in seconds of the Unix epoch; ``version`` is what it is signed as.
    ``error`` is what went wrong last, at ``failed_at``: an attempt to load another version, or a
    call of the one that serves; empty when nothing did. ``canary`` is the digest of a version that
    gets ``canary_weight`` percent of the requests.
    """

    name: str
    state: str = "missing"
    path: str = ""
    sha256: str = ""
    version: int | None = None
    size: int = 0
    language: str | None = None
    sdk: str | None = None
    abi_version: str = ""
    hooks: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    grants: tuple[str, ...] = ()
    since: float = 0.0
    error: str = ""
    swaps: int = 0
    failed_loads: int = 0
    canary: str = ""
    canary_weight: int = 0
    failed_at: float = 0.0
