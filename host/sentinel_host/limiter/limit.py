"""A limit, and the result of a check."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sentinel_host.limiter._table import ffi, lib

if TYPE_CHECKING:
    from sentinel_host.limiter._table import NativeLimit

MAX_REQUESTS: int = lib.SNT_LIMIT_REQUESTS_MAX
"""16,777,215: a count has 24 bits beside its window's end, so that both change in one
instruction.
"""
MAX_WINDOW: float = lib.SNT_LIMIT_WINDOW_MAX / 1000
"""31 days, in seconds."""


class Algorithm(enum.Enum):
    """How requests are counted.

    ``fixed-window``: a key's window opens with its first request; within it, ``requests`` are
    allowed. ``leaky-bucket`` (GCRA, ITU-T I.371): a bucket that holds ``requests`` and drains
    evenly over ``window``.
    """

    FIXED_WINDOW = "fixed-window"
    LEAKY_BUCKET = "leaky-bucket"


class Overflow(enum.Enum):
    """What happens to a key whose slots are all taken by live keys, as in a flood of made-up keys.

    ``share``: all such keys of a limit share one counter of it. ``open``: allowed uncounted.
    ``closed``: refused. Keys that have a slot are never displaced, and stay exact.
    """

    SHARE = "share"
    OPEN = "open"
    CLOSED = "closed"


_ALGORITHMS = {Algorithm.FIXED_WINDOW: lib.SNT_FIXED_WINDOW, Algorithm.LEAKY_BUCKET: lib.SNT_LEAKY_BUCKET}
_OVERFLOWS = {
    Overflow.SHARE: lib.SNT_OVERFLOW_SHARE,
    Overflow.OPEN: lib.SNT_OVERFLOW_OPEN,
    Overflow.CLOSED: lib.SNT_OVERFLOW_CLOSED,
}


@dataclass(frozen=True, slots=True)
class Limit:
    """``requests`` per ``window`` seconds (milliseconds count) for every key.

    ``name`` is what clients read in ``RateLimit`` fields; ``scope`` keeps limits of one name apart,
    such as those of two routes. Limits of the same name, scope, algorithm and window share their
    counters, also across processes and reloads, so that a changed ``requests`` holds at once and
    forgets nothing.

    Raises `ValueError` for numbers out of range and for a name that is not printable ASCII.
    """

    requests: int
    window: float
    algorithm: Algorithm = Algorithm.FIXED_WINDOW
    name: str = "default"
    scope: str = ""
    overflow: Overflow = Overflow.SHARE
    window_ms: int = field(init=False, repr=False, compare=False)
    identity: bytes = field(init=False, repr=False, compare=False)
    """Eight bytes that stand for the counters."""
    native: NativeLimit = field(init=False, repr=False, compare=False)
    native_bytes: bytes = field(init=False, repr=False, compare=False)
    """A copy of ``native`` for callers that do not use cffi."""
    quoted_name: bytes = field(init=False, repr=False, compare=False)
    """The name as a String of structured fields (RFC 9651 section 3.3.3)."""
    policy: bytes = field(init=False, repr=False, compare=False)
    """The limit as a member of ``RateLimit-Policy`` (draft-ietf-httpapi-ratelimit-headers-11
    section 3.1).
    """

    def __post_init__(self) -> None:
        if not 1 <= self.requests <= MAX_REQUESTS:
            raise ValueError(f"requests must be from 1 to {MAX_REQUESTS}, not {self.requests}")
        # The comparison is written so that NaN fails it.
        if not 0.001 <= self.window <= MAX_WINDOW:
            raise ValueError(f"window must be from 0.001 to {MAX_WINDOW:g} seconds, not {self.window:g}")
        if not (self.name and self.name.isascii() and self.name.isprintable()):
            raise ValueError(f"a limit's name must be printable ASCII, not {self.name!r}")
        window_ms = round(self.window * 1000)
        # Each part is hashed with its length, so that no two lists of parts read the same.
        parts = (self.scope, self.name, self.algorithm.value, str(window_ms))
        text = b"".join(b"%d:%b" % (len(part.encode()), part.encode()) for part in parts)
        identity = hashlib.blake2b(text, digest_size=8).digest()
        numbers = {
            "id": int.from_bytes(identity, "little"),
            "requests": self.requests,
            "window_ms": window_ms,
            "algorithm": _ALGORITHMS[self.algorithm],
            "overflow": _OVERFLOWS[self.overflow],
        }
        object.__setattr__(self, "window_ms", window_ms)
        object.__setattr__(self, "identity", identity)
        native: NativeLimit = ffi.new("snt_limit *", numbers)
        object.__setattr__(self, "native", native)
        object.__setattr__(self, "native_bytes", bytes(ffi.buffer(native)))
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        quoted_name = f'"{escaped}"'
        object.__setattr__(self, "quoted_name", quoted_name.encode())
        # Parameter w has no fractions (section 3.1.3), and a wrong window is worse than none.
        window = f";w={self.window:.0f}" if self.window % 1 == 0 else ""
        object.__setattr__(self, "policy", f"{quoted_name};q={self.requests}{window}".encode())
