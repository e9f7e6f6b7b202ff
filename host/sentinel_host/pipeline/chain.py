"""A route's guests, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sentinel_host.pipeline.failures import Refusal
from sentinel_host.pipeline.middleware import Middleware


class Chain:
    """The guests of one route; immutable, shared by all its requests. ``unfinished`` are completions that go on."""

    __slots__ = ("completers", "guests", "refuse", "requesters", "responders", "unfinished")

    def __init__(self, guests: Sequence[Middleware], refuse: Refusal) -> None:
        self.guests = tuple(guests)
        self.refuse = refuse
        self.unfinished: set[asyncio.Task[None]] = set()
        places = list(enumerate(guests))
        self.requesters = tuple((place, guest) for place, guest in places if guest.handles_request)
        self.responders = tuple((place, guest) for place, guest in reversed(places) if guest.handles_response)
        self.completers = tuple((place, guest) for place, guest in reversed(places) if guest.handles_completion)
