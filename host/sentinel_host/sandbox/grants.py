"""What a guest is granted beyond the log, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_host.abi.contract import GRANTS
from sentinel_host.native.plan import Fetch


@dataclass(frozen=True, slots=True)
class HttpGrant:
    """How a guest asks HTTP services: see `Fetch`.

    One hook may ask ``calls`` times, with requests of ``request_bytes`` at most.
    """

    fetch: Fetch
    calls: int = 4
    request_bytes: int = 1 << 16


@dataclass(frozen=True, slots=True)
class Grants:
    """``names`` are interfaces that the guest may import; ``kv`` is how many bytes its keys may
    take.

    Without ``http`` a guest that is granted ``http-client`` is denied every target.
    """

    names: frozenset[str] = frozenset()
    kv: int = 1 << 20
    http: HttpGrant | None = None


NONE = Grants()
ALL = Grants(GRANTS)
"""For looking at a guest that is not run."""
