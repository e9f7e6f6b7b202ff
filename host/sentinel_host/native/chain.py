"""A chain's hooks as C calls them, one after the other, without Python between them.

C goes on while hooks end at once with plain edits or none (``host/native/calls/src/chain.h``). With
everything else it stops, and Python does what it does without C.
"""

from __future__ import annotations

from sentinel_host.native._calls import Hooks, run_completion, run_request, run_response
from sentinel_host.native.guest import NativeGuest

__all__ = ["DirectHook", "Hooks", "Stop", "run_completion", "run_request", "run_response"]

DirectHook = tuple[list[NativeGuest], int, int, int, int]
"""What C needs of a hook: the idle instances of its guest, of which it calls the last, the hook's
number, and the most edits, bytes of headers and bytes of context in one answer.
"""

Stop = tuple[int, bytes, NativeGuest | None, bytes | int | None]
"""Why C stopped: the index of the hook, its record, and what it returned.

Bytes are an answer to decode. A number is what `NativeGuest.conclude` takes, of an instance that is
no longer idle. With ``None`` the hook has not been called.
"""
