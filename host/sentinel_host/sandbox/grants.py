"""What a guest is granted beyond the log, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_host.abi.contract import GRANTS


@dataclass(frozen=True, slots=True)
class Grants:
    """``names`` are interfaces that the guest may import; ``kv`` is how many bytes its keys may take."""

    names: frozenset[str] = frozenset()
    kv: int = 1 << 20


NONE = Grants()
ALL = Grants(GRANTS)
"""For looking at a guest that is not run."""
