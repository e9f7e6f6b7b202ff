"""What a worker and its supervisor say to each other.

Every message is a struct of the union `Message`; a later version adds a struct, or appends fields
that have defaults. Any message may be one-way, a request or an answer: see `Frame`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from sentinel_host.config import TlsConfig
from sentinel_host.control.snapshot import Snapshot
from sentinel_host.hotload.deployment import Deployment
from sentinel_host.hotload.guest_version import GuestVersion
from sentinel_host.hotload.state import GuestState
from sentinel_host.net import Remembered
from sentinel_host.observe import Taken


class ConfigSource(msgspec.Struct, frozen=True):
    """A configuration as it was read once, so that a worker started later serves what its siblings
    serve.

    ``text`` is the content of ``file``; without one, everything goes to ``upstream``. ``bind``
    replaces the configured public addresses. ``files`` is what the files say that it names, as
    `Config` has them.
    """

    file: str
    text: str | None = None
    upstream: str | None = None
    bind: str | None = None
    files: dict[str, bytes] = {}


class ListenerFd(msgspec.Struct, frozen=True):
    """An inherited socket, its listener's name, its TLS if it has one, and the networks whose peers
    send PROXY headers.
    """

    name: str
    fd: int
    tls: TlsConfig | None = None
    proxy_protocol: tuple[str, ...] = ()


class QuicFds(msgspec.Struct, frozen=True):
    """The inherited datagram sockets of HTTP/3, by cell, the key and the secret of their group, and
    their TLS.
    """

    fds: list[int]
    key: int
    secret: bytes
    tls: TlsConfig


class Guests(msgspec.Struct, frozen=True):
    """Every guest that a configuration names: its version, or the reason why there is none.

    ``deployments`` has the guests with a canary or a version on probation. Versions come without
    code; a worker that lacks it asks for it.
    """

    versions: list[GuestVersion]
    faults: dict[str, str]
    deployments: list[Deployment] = []

    def all_deployments(self) -> dict[str, Deployment]:
        """The deployment of each guest."""
        plain = {version.name: Deployment(version) for version in self.versions}
        return plain | {deployment.serving.name: deployment for deployment in self.deployments}

    def digests(self) -> dict[str, str]:
        """By guest, the digest of its deployment."""
        return {name: deployment.digest for name, deployment in self.all_deployments().items()}


class Start(msgspec.Struct, frozen=True, tag="start"):
    """To worker number ``worker`` of ``workers``, first of all: serve this.

    ``shared`` holds the inherited descriptors of shared memory by name. A worker that lacks another
    guest than those in ``tolerated`` says so and ends, and no client has met it; None tolerates
    all. ``cell`` is where it counts in the table of endpoints, and which of the sockets of ``quic``
    is its own. ``names`` are answers of the name service that others have got.
    """

    worker: int
    workers: int
    source: ConfigSource
    listeners: list[ListenerFd]
    shared: dict[str, int]
    guests: Guests
    tolerated: list[str] | None = None
    cell: int = 0
    names: Remembered = msgspec.field(default_factory=Remembered)
    quic: QuicFds | None = None


class Prepared(msgspec.Struct, frozen=True, tag="prepared"):
    """From a worker: it has started what `Start` says, and accepts nothing yet. What has changed
    meanwhile is sent to it, and then `Accept`.
    """


class Accept(msgspec.Struct, frozen=True, tag="accept"):
    """To a worker that is prepared: accept connections; it says `Ready`."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From a worker: every listener accepts. ``faults`` is guests that are not in service, with the
    reason.
    """

    faults: dict[str, str]
    guests: list[GuestState]


class Learned(msgspec.Struct, frozen=True, tag="learned"):
    """From a worker: what the name service has answered, where that is new."""

    names: Remembered


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """From a worker that cannot start, and ends."""

    reason: str


class Drain(msgspec.Struct, frozen=True, tag="drain"):
    """To a worker: accept nothing more, let requests in flight end within the grace period, and
    end.
    """


class Draining(msgspec.Struct, frozen=True, tag="draining"):
    """From a worker that drains: no listener accepts any more."""


class Reopen(msgspec.Struct, frozen=True, tag="reopen"):
    """To a worker: the files of its logs were moved away; open them anew."""


class StatsRequest(msgspec.Struct, frozen=True, tag="stats-request"):
    """To a worker; it answers `Stats`."""


class Stats(msgspec.Struct, frozen=True, tag="stats"):
    """From a worker, as an answer, and unasked as the last thing it says."""

    snapshot: Snapshot
    faults: dict[str, str]
    guests: list[GuestState]


class RecordsRequest(msgspec.Struct, frozen=True, tag="records-request"):
    """To a worker: tell the records from number ``after`` on; it answers `Records`.

    With ``watch`` somebody looks at them: for some seconds it records requests that would not be.
    From now on it records requests that bring the token ``explain``, if that is not empty.
    """

    after: int
    watch: bool = False
    explain: str = ""


class Records(msgspec.Struct, frozen=True, tag="records"):
    """From a worker: records of requests, as many as fit into a message."""

    taken: Taken


class LinesRequest(msgspec.Struct, frozen=True, tag="lines-request"):
    """To a worker: tell the lines of the log since the last time; it answers `Lines`."""


class Lines(msgspec.Struct, frozen=True, tag="lines"):
    """From a worker: lines of JSON."""

    lines: list[bytes]


class CodeRequest(msgspec.Struct, frozen=True, tag="code-request"):
    """From a worker that lacks the code with this digest: send it from ``offset`` on; the answer is
    `Code`.
    """

    sha256: str
    offset: int


class Code(msgspec.Struct, frozen=True, tag="code"):
    """A piece of a guest's code; an empty one is the end."""

    data: bytes


class Load(msgspec.Struct, frozen=True, tag="load"):
    """To a worker: apply this deployment; it answers `Applied`."""

    deployment: Deployment


class LoadFailed(msgspec.Struct, frozen=True, tag="load-failed"):
    """To a worker: there is no new version of a guest, for this reason."""

    name: str
    reason: str


class Reconfigure(msgspec.Struct, frozen=True, tag="reconfigure"):
    """To a worker: serve this configuration instead; it answers `Applied`."""

    source: ConfigSource
    guests: Guests


class Applied(msgspec.Struct, frozen=True, tag="applied"):
    """From a worker: it serves what it was told, or nothing changed for this ``reason``; and its
    guests now.

    ``refusing`` has the guests that do not start with what it was told, and why.
    """

    reason: str
    faults: dict[str, str]
    guests: list[GuestState]
    refusing: dict[str, str] = {}


class ProbationDegraded(msgspec.Struct, frozen=True, tag="probation-degraded"):
    """From a worker: a version on probation has failed a call since the last report."""

    name: str
    sha256: str


class ProbationFailed(msgspec.Struct, frozen=True, tag="probation-failed"):
    """From a worker: a version on probation failed more than its rollback policy allows."""

    name: str
    sha256: str
    reason: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The answer to a request that the other side does not take."""

    reason: str


Message: TypeAlias = (
    Start
    | Prepared
    | Accept
    | Ready
    | Learned
    | Failed
    | Drain
    | Draining
    | Reopen
    | StatsRequest
    | Stats
    | LinesRequest
    | Lines
    | RecordsRequest
    | Records
    | CodeRequest
    | Code
    | Load
    | LoadFailed
    | Reconfigure
    | Applied
    | ProbationDegraded
    | ProbationFailed
    | Refused
)


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """A message on the wire. A request has an ``id`` above 0, which its answer repeats; id 0
    expects no answer.
    """

    id: int
    answer: bool
    message: Message
