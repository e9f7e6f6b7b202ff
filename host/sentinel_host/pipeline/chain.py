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
    ``watched_hooks`` are the same three for guests of which C calls none.
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
        "watched_hooks",
    )

    def __init__(self, guests: Sequence[Middleware], refuse: Refusal, watched: Chain | None = None) -> None:
        """``guests`` stand one by one for those of ``watched``, if there is such a chain: they
        handle the same hooks, C calls none of them, and what goes on is the other chain's.
        """
        self.guests = tuple(guests)
        self.refuse = refuse
        if watched is not None:
            # Each request that is recorded has a chain of its own: what can be shared is.
            self.unfinished: set[asyncio.Task[None]] = watched.unfinished
            self.requesters: Places = tuple([(place, guests[place]) for place, _ in watched.requesters])
            self.responders: Places = tuple([(place, guests[place]) for place, _ in watched.responders])
            self.completers: Places = tuple([(place, guests[place]) for place, _ in watched.completers])
            self.watched_hooks: tuple[Hooks, Hooks, Hooks] = watched.watched_hooks
            self.request_hooks, self.response_hooks, self.completion_hooks = watched.watched_hooks
            return
        self.unfinished = set()
        places = list(enumerate(self.guests))
        backwards = places[::-1]
        self.requesters = tuple([(place, guest) for place, guest in places if guest.handles_request])
        self.responders = tuple([(place, guest) for place, guest in backwards if guest.handles_response])
        self.completers = tuple([(place, guest) for place, guest in backwards if guest.handles_completion])
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
        self.watched_hooks = (_places_of(self.requesters), _places_of(self.responders), _places_of(self.completers))


def _places_of(guests: Places) -> Hooks:
    return Hooks(tuple([place for place, _ in guests]))
