"""Telling operators of requests that no route matches: a route that is missing is noticed so."""

from __future__ import annotations

import logging
from time import monotonic
from typing import Final

from sentinel_host.messages import RequestHead
from sentinel_host.sandbox.text import one_line

_log = logging.getLogger("sentinel.gateway")

# Anybody can ask for what is not there, as often as he likes.
_LINES_EACH_SECOND: Final = 10
_MOST_TEXT: Final = 256


class UnmatchedLog:
    """At most ten lines in a second, and one that says how many there would have been beyond."""

    def __init__(self) -> None:
        self._left = _LINES_EACH_SECOND
        self._until = 0.0
        self._unsaid = 0

    def note(self, head: RequestHead) -> None:
        """Log a request that reached no route, with its id."""
        now = monotonic()
        if now >= self._until:
            if self._unsaid:
                _log.info("no route matched %d more requests", self._unsaid)
            self._left, self._until, self._unsaid = _LINES_EACH_SECOND, now + 1.0, 0
        if not self._left:
            self._unsaid += 1
            return
        self._left -= 1
        target = f"{head.scheme}://{head.authority}{head.path}"
        asked = one_line(target[:_MOST_TEXT])
        _log.info("no route matches %s %s", head.method, asked, extra={"request_id": head.request_id})
