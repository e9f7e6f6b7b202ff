"""What a worker and its supervisor say to each other.

Every message is a struct of the union `Message`; a later version adds a struct, or appends fields that have defaults.
Any message may be one-way, a request or an answer: see `Frame`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from sentinel_host.control.snapshot import Snapshot


class ConfigSource(msgspec.Struct, frozen=True):
    """A configuration as it was read once, so that a worker started later serves what its siblings serve.

    ``text`` is the content of ``file``; without one, everything goes to ``upstream``. ``bind`` replaces the
    configured public addresses.
    """

    file: str
    text: str | None = None
    upstream: str | None = None
    bind: str | None = None


class ListenerFd(msgspec.Struct, frozen=True):
    """An inherited socket, its listener's name, and the PEM files of its certificate and key if it speaks TLS."""

    name: str
    fd: int
    tls: tuple[str, str] | None = None


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To worker number ``worker`` of ``workers``, first of all: serve this.

    ``shared`` holds the inherited descriptors of shared memory by name.
    """

    worker: int
    workers: int
    source: ConfigSource
    listeners: list[ListenerFd]
    shared: dict[str, int]


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: every listener accepts. ``faults`` is guests that are not in service, with the reason."""

    faults: dict[str, str]


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


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The answer to a request that the other side does not take."""

    reason: str


Message: TypeAlias = Start | Ready | Failed | Drain | StatsRequest | Stats | Refused


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A message on the wire. A request has an ``id`` above 0, which its answer repeats; id 0 expects no answer."""

    id: int
    answer: bool
    message: Message
