"""The native call path: guests driven through wasmtime's C API, by C that cffi compiled.

Importing it checks that the C and the installed ``wasmtime`` agree; a mismatch is a `SentinelError`
that names both.
"""

from __future__ import annotations

from sentinel_host.native.failure import CallFailed, Failure, Phase
from sentinel_host.native.guest import SUSPENDED, NativeGuest, Suspension
from sentinel_host.native.log import LogBuffer, LogLine
from sentinel_host.native.plan import CallLimits, Counters, Export, Plan, Returns, Shape, Ticker

__all__ = [
    "SUSPENDED",
    "CallFailed",
    "CallLimits",
    "Counters",
    "Export",
    "Failure",
    "LogBuffer",
    "LogLine",
    "NativeGuest",
    "Phase",
    "Plan",
    "Returns",
    "Shape",
    "Suspension",
    "Ticker",
]
