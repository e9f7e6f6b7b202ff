"""How much one guest may use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sentinel_host.abi.rules import DEFAULT_LIMITS, AnswerLimits
from sentinel_host.sandbox.runtimes import defaults_of


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per instance, on what a guest answers, and on how many instances there are.

    ``memory`` is bytes of linear memory; ``result`` bytes of one answer before it is decoded;
    ``lines`` log lines of one call, of ``log_level`` or above; ``bodies`` how many bodies a guest
    may work on at once. Times are seconds; ``deadline`` and ``start_deadline`` of the guest's own
    running time. ``isolation`` is ``shared``, or ``request`` for a fresh instance in every call.
    """

    # wit/ABI.md section 4; `default_limits` has more for interpreters. Proxy-Wasm hosts and Extism
    # leave memory and results unlimited unless told otherwise.
    memory: int = defaults_of(None).memory
    result: int = 1024 * 1024
    # Compilers emit one table of as many entries as there are functions whose address is taken: a
    # few thousand at most in practice. 2 tables of 65,536 entries are 1 MiB, some 6 % beside the
    # linear memory.
    tables: int = 2
    table_elements: int = 65_536
    answers: AnswerLimits = DEFAULT_LIMITS
    # An access log writes one line a request. Envoy has no such limit, and every guest of a worker
    # shares one buffer.
    lines: int = 64
    # Of `LOG_LEVELS`; whoever runs a gateway says which lines they want.
    log_level: int = 0
    # A thousand times what the example guests take. Cloudflare's Workers get 10 ms of CPU time in
    # the free plan.
    deadline: float = 0.05
    # Of start function, _initialize and configure together. Three times as long, for a call that
    # shares the loop, is still under a second.
    start_deadline: float = defaults_of(None).start_deadline
    isolation: Literal["shared", "request"] = "shared"
    # Calls that end within a tick never overlap, so this is how many may be suspended at once.
    instances: int = 8
    # A body keeps its instance for as long as the slower side takes. Made when needed, some 100 KiB
    # each for a small guest.
    bodies: int = 64
    waiting: int = 64
    wait: float = 0.25
    # Seconds. Long enough for the next burst of a busy minute; a new instance costs well under a
    # millisecond.
    trim_after: float = 30.0
    # Bounds what a leak of a few bytes a call can hold, at a cost of a start, some 50 µs, in so
    # many calls.
    retire_calls: int = 100_000
    # Linear memory never shrinks. One large body is no reason for a new instance; 256 calls pay for
    # one.
    high_water_share: float = 0.75
    high_water_calls: int = 256


def default_limits(language: str | None) -> Limits:
    """The limits of an unconfigured guest in this language."""
    defaults = defaults_of(language)
    return Limits(memory=defaults.memory, start_deadline=defaults.start_deadline)
