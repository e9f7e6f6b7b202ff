"""Guests: read, checked, compiled, instantiated and called. No object of the engine leaves this
package.
"""

from __future__ import annotations

from sentinel_host.native.metrics import Description, Series
from sentinel_host.sandbox.compiled import CompiledGuest, compile_guest
from sentinel_host.sandbox.engine import GuestEngine
from sentinel_host.sandbox.grants import Grants, HttpGrant
from sentinel_host.sandbox.limits import Limits
from sentinel_host.sandbox.load import LoadedGuest, load_artefact, load_compiled
from sentinel_host.sandbox.logs import TRACE, GuestLines, GuestLog, Sink, timestamp
from sentinel_host.sandbox.middleware import GuestMiddleware
from sentinel_host.sandbox.probation import Probation, RollbackPolicy
from sentinel_host.sandbox.runtimes import RuntimeDefaults, defaults_of
from sentinel_host.sandbox.settings import AddressSpace, address_space, fingerprint

__all__ = [
    "TRACE",
    "AddressSpace",
    "CompiledGuest",
    "Description",
    "Grants",
    "GuestEngine",
    "GuestLines",
    "GuestLog",
    "GuestMiddleware",
    "HttpGrant",
    "Limits",
    "LoadedGuest",
    "Probation",
    "RollbackPolicy",
    "RuntimeDefaults",
    "Series",
    "Sink",
    "address_space",
    "compile_guest",
    "defaults_of",
    "fingerprint",
    "load_artefact",
    "load_compiled",
    "timestamp",
]
