"""What became of single requests: records of those that somebody wants to see.
 `record` is what is told of a request, and `Ring` keeps the last records of a worker. `recorder`
decides which requests are recorded; the gateway asks it, and nobody else needs to import it.
"""

from __future__ import annotations

from sentinel_host.observe.record import Change, GuestLine, HookRecord, RequestRecord, StageRecord, TryRecord
from sentinel_host.observe.ring import Ring
from sentinel_host.observe.taken import Taken

__all__ = ["Change", "GuestLine", "HookRecord", "RequestRecord", "Ring", "StageRecord", "Taken", "TryRecord"]
