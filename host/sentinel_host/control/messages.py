"""What a worker and its supervisor say to each other.

Every message is a struct of the union `Message`; a later version adds a struct, or appends fields that have defaults.
Any message may be one-way, a request or an answer: see `Frame`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from sentinel_host.control.snapshot import Snapshot
from sentinel_host.hotload.loader import Offer
from sentinel_host.hotload.placement import Placement
from sentinel_host.hotload.state import GuestState


class ConfigSource(msgspec.Struct, frozen=True):
    """A configuration as it was read once, so that a worker started later serves what its siblings serve.

    ``text`` is the content of ``file``; without one, everything goes to ``upstream``. ``bind`` replaces the
    configured public addresses. ``files`` is what the files say that it names, as `Config` has them.
    """

    file: str
    text: str | None = None
    upstream: str | None = None
    bind: str | None = None
    files: dict[str, bytes] = {}


class ListenerFd(msgspec.Struct, frozen=True):
    """An inherited socket, its listener's name, and the PEM files of its certificate and key if it speaks TLS."""

    name: str
    fd: int
    tls: tuple[str, str] | None = None


class Guests(msgspec.Struct, frozen=True):
    """Every guest that a configuration names: what is offered, and for the others why there is nothing.

    Of an offer that is to serve in another way than alone, ``placements`` says how. Offers come without code, which a
    worker asks for that does not have it.
    """

    offers: list[Offer]
    faults: dict[str, str]
    placements: list[Placement] = []

    def all_placements(self) -> dict[str, Placement]:
        """How each guest is to serve."""
        plain = {offer.name: Placement(offer) for offer in self.offers}
        return plain | {placement.serving.name: placement for placement in self.placements}

    def digests(self) -> dict[str, str]:
        """What tells this from others, by guest."""
        return {name: placement.digest for name, placement in self.all_placements().items()}


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To worker number ``worker`` of ``workers``, first of all: serve this.

    ``shared`` holds the inherited descriptors of shared memory by name. A worker that lacks another guest than those in
    ``tolerated`` says so and ends, and no client has met it; None tolerates all.
    """

    worker: int
    workers: int
    source: ConfigSource
    listeners: list[ListenerFd]
    shared: dict[str, int]
    guests: Guests
    tolerated: list[str] | None = None


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: every listener accepts. ``faults`` is guests that are not in service, with the reason."""

    faults: dict[str, str]
    guests: list[GuestState]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """From a worker that cannot start, and ends."""

    reason: str


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """To a worker: accept nothing more, let requests in flight end within the grace period, and end."""


class StatsRequest(msgspec.Struct, frozen=True, tag="stats-request"):
    """To a worker; it answers `Stats`."""


class Stats(msgspec.Struct, frozen=True, tag="stats"):
    """From a worker, as an answer, and unasked as the last thing it says."""

    snapshot: Snapshot
    faults: dict[str, str]
    guests: list[GuestState]


class CodeRequest(msgspec.Struct, frozen=True, tag="code-request"):
    """From a worker that was offered the guest with this digest: its code from there on; the answer is `Code`."""

    sha256: str
    offset: int


class Code(msgspec.Struct, frozen=True, tag="code"):
    """A piece of a guest's code; an empty one is the end."""

    data: bytes


class Load(msgspec.Struct, frozen=True, tag="load"):
    """To a worker: have a guest serve so; it answers `Taken`."""

    placement: Placement


class LoadFailed(msgspec.Struct, frozen=True, tag="load-failed"):
    """To a worker: there is no new version of a guest, for this reason."""

    name: str
    reason: str


class Reconfigure(msgspec.Struct, frozen=True, tag="reconfigure"):
    """To a worker: serve this configuration instead; it answers `Taken`."""

    source: ConfigSource
    guests: Guests


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """From a worker: what it was told to serve it does, or the old goes on for this reason; and its guests now.

    ``refusing`` are the guests that do not serve with what it was told, and why.
    """

    reason: str
    faults: dict[str, str]
    guests: list[GuestState]
    refusing: dict[str, str] = {}


class Faltered(msgspec.Struct, frozen=True, tag="faltered"):
    """From a worker: a version on trial has failed at least once since the last time."""

    name: str
    sha256: str


class Tripped(msgspec.Struct, frozen=True, tag="tripped"):
    """From a worker: a version on trial fails too much."""

    name: str
    sha256: str
    reason: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The answer to a request that the other side does not take."""

    reason: str


Message: TypeAlias = (
    Start
    | Ready
    | Failed
    | Drain
    | StatsRequest
    | Stats
    | CodeRequest
    | Code
    | Load
    | LoadFailed
    | Reconfigure
    | Taken
    | Faltered
    | Tripped
    | Refused
)


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A message on the wire. A request has an ``id`` above 0, which its answer repeats; id 0 expects no answer."""

    id: int
    answer: bool
    message: Message
