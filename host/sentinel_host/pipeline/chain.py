"""A route's guests, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sentinel_host.native.chain import Hooks
from sentinel_host.pipeline.failures import Refusal
from sentinel_host.pipeline.middleware import Middleware

Places = tuple[tuple[int, Middleware], ...]


class Chain:
    """The guests of one route; immutable, shared by all its requests. ``unfinished`` are
    completions that go on.

    ``request_hooks`` and so on are what C calls of ``requesters`` and so on, by the same indices.
    """

    __slots__ = (
        "completers",
        "completion_hooks",
        "guests",
        "refuse",
        "request_hooks",
        "requesters",
        "responders",
        "response_hooks",
        "unfinished",
    )

    def __init__(self, guests: Sequence[Middleware], refuse: Refusal) -> None:
        self.guests = tuple(guests)
        self.refuse = refuse
        self.unfinished: set[asyncio.Task[None]] = set()
        places = list(enumerate(self.guests))
        backwards = places[::-1]
        # Of lists: compiled, a generator costs a multiple, and each request that is recorded has a
        # chain of its own.
        self.requesters: Places = tuple([(place, guest) for place, guest in places if guest.handles_request])
        self.responders: Places = tuple([(place, guest) for place, guest in backwards if guest.handles_response])
        self.completers: Places = tuple([(place, guest) for place, guest in backwards if guest.handles_completion])
        self.request_hooks = Hooks(
            tuple(
                [place if guest.direct is None else (place, *guest.direct.request) for place, guest in self.requesters]
            )
        )
        self.response_hooks = Hooks(
            tuple(
                [place if guest.direct is None else (place, *guest.direct.response) for place, guest in self.responders]
            )
        )
        self.completion_hooks = Hooks(
            tuple(
                [
                    place if guest.direct is None else (place, *guest.direct.completion)
                    for place, guest in self.completers
                ]
            )
        )
