"""How much one guest may use."""

from __future__ import annotations

from dataclasses import dataclass

from sentinel_host.abi.codec import DEFAULT_LIMITS, AnswerLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per instance, and on what a guest answers.

    ``memory`` is bytes of linear memory; ``result`` bytes of one answer before it is decoded.
    """

    # wit/ABI.md section 4. Proxy-Wasm hosts and Extism leave both unlimited unless told otherwise.
    memory: int = 16 * 1024 * 1024
    result: int = 1024 * 1024
    # Compilers emit one table of as many entries as there are functions whose address is taken: a few thousand at most
    # in practice. 2 tables of 65,536 entries are 1 MiB, some 6 % beside the linear memory.
    tables: int = 2
    table_elements: int = 65_536
    answers: AnswerLimits = DEFAULT_LIMITS


DEFAULT = Limits()
