"""What a guest's failure means for its request, and how it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from sentinel_host.errors import GuestError, GuestUnavailable
from sentinel_host.messages import Response
from sentinel_host.pipeline.middleware import Middleware

Refusal = Callable[[GuestError], Response]
"""Makes the response for a guest that failed closed."""

_log: Final = logging.getLogger("sentinel.pipeline")


def is_skipped(guest: Middleware, error: GuestError) -> bool:
    """Whether the request goes on without the guest. Load and other clients' requests must not
    switch one off.
    """
    return guest.on_failure == "open" and not isinstance(error, GuestUnavailable)


def report(error: GuestError, request_id: bytes) -> None:
    """Log a failure with its guest, hook and frames."""
    frames = "".join(f"\n    {frame}" for frame in error.backtrace)
    # A guest that is not called is no news for every request: it has been reported, and is counted.
    level = logging.DEBUG if isinstance(error, GuestUnavailable) else logging.ERROR
    request = request_id.decode()
    extra = {"guest": error.guest, "hook": error.hook, "request_id": request}
    _log.log(level, "%s (request %s)%s", error, request, frames, extra=extra)
