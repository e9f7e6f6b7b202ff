"""What can be configured, with its defaults.

Every struct is frozen and refuses unknown keys.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import msgspec

from sentinel_host.config.units import Bytes, Seconds

__all__ = ["Bytes", "Seconds"]


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PEM files of a server's certificate chain and its key."""

    cert: str
    key: str


class BindConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One listening address of the public side; `ServerConfig.tls` holds when ``tls`` is absent."""

    address: str
    tls: TlsConfig | None = None


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[server.limits]``: what one client may ask of a worker.

    The keys are the fields of `sentinel_host.http.h1.Limits`, which has the defaults and their precedent.
    """

    head_bytes: Bytes | None = None
    header_count: int | None = None
    head_time: Seconds | None = None
    body_idle: Seconds | None = None
    body_progress: Bytes | None = None
    body_time: Seconds | None = None
    body_bytes: Bytes | None = None
    write_stalled: Seconds | None = None
    keep_alive_idle: Seconds | None = None
    requests_per_connection: int | None = None
    pipelined_requests: int | None = None
    connections: int | None = None
    connections_per_client: int | None = None
    streams_per_connection: int | None = None
    idle_frames: int | None = None
    idle_frames_per_second: int | None = None
    tunnel_idle: Seconds | None = None


class PathsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths that have no safe canonical form are refused, unless they are kept as they stand."""

    encoded_slash: Literal["refuse", "keep"] = "refuse"
    empty_segments: Literal["refuse", "keep"] = "refuse"


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[server]``.

    The admin side asks for ``admin_token``, or for what is in ``admin_token_file``; see `sentinel_host.control.token`.
    A gateway that is to end accepts requests for ``lame_duck``, while ``/readyz`` says otherwise, and then lets those
    in flight end within ``grace``.
    """

    bind: list[str | BindConfig] = msgspec.field(default_factory=lambda: ["127.0.0.1:8080"])
    quic_bind: str | None = None
    admin: str | None = None
    admin_token: str | None = None
    admin_token_file: str | None = None
    tls: TlsConfig | None = None
    workers: int = 1
    grace: Seconds = Seconds(30)
    lame_duck: Seconds = Seconds(0)
    trusted_proxies: list[str] = []
    identity_headers: list[str] = msgspec.field(default_factory=lambda: ["x-principal"])
    header_aliases: Literal["refuse", "drop"] = "drop"
    paths: PathsConfig = PathsConfig()
    limit_store: str | None = None
    limit_headers: Literal["draft", "legacy", "none"] = "draft"
    limit_slots: int = 262_144
    kv_memory: Bytes = Bytes(8 << 20)
    ipv6_prefix: int = 64
    stage_times: bool = False
    limits: LimitsConfig = LimitsConfig()


class GuestsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[guests]``: the folder that holds the artefacts, relative to the configuration file.

    With ``verify_keys`` only files are loaded that one of these Ed25519 keys has signed: each is ``ed25519:`` with the
    public key in base64, or the name of a PEM file, relative to the configuration file.

    With ``watch`` the folder and the configuration file are watched, and what changes is served without a restart.
    ``cache`` is a directory for compiled guests, by default ``sentinel`` in the user's cache directory; a guest's file
    of more than ``max_bytes`` is refused, and one that takes more than ``compile_time`` of running time to compile.
    """

    directory: str = "guests"
    verify_keys: list[str] = []
    watch: bool = True
    cache: str | None = None
    # The largest example guest is well under 1 MiB; a Go or Python runtime compiled to WebAssembly has 2 to 40.
    max_bytes: Bytes = Bytes(64 << 20)
    # The largest example guest takes 0.1 s; 10 MiB of WebAssembly some 10 s.
    compile_time: Seconds = Seconds(30)


class RevertConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a new version goes back: more than ``share`` of its first ``calls`` fail, within ``time``."""

    # A guest that fails in one hook of three fails in a third of its calls.
    share: float = 0.25
    calls: int = 10_000
    time: Seconds = Seconds(600)


class CanaryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new version gets ``weight`` percent of the requests, until ``time`` has passed without a failure of it."""

    weight: int = 5
    time: Seconds = Seconds(600)


class HttpClientConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[guest.NAME.http]``: which HTTP services a guest with the grant ``http-client`` may ask, and how much.

    ``allow`` holds targets such as ``https://auth.example:8443``. Addresses of this machine alone, or of its link, are
    denied whatever the name, unless they lie in one of ``networks``; the admin listener always is. ``timeout`` is for a
    whole call, and ``calls`` are those of one hook; ``request`` and ``response`` bound their sizes, ``connections``
    those to one target of one worker.
    """

    allow: list[str] = []
    networks: list[str] = []
    timeout: Seconds = Seconds(2)
    calls: int = 4
    request: Bytes = Bytes(64 << 10)
    response: Bytes = Bytes(256 << 10)
    connections: int = 16
    ca: str | None = None


class AnswersConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[guest.NAME.limits]``: what one answer of a guest may hold, and how much one call may log.

    ``answer`` is bytes of one answer before it is decoded, a body in it included; ``headers`` how many edits or header
    fields it has, ``header_bytes`` their names and values, ``context`` what it keeps for its later hooks.
    """

    answer: Bytes = Bytes(1 << 20)
    headers: int = 128
    header_bytes: Bytes = Bytes(64 << 10)
    context: Bytes = Bytes(64 << 10)
    log_lines: int = 64


class GuestConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[guest.NAME]``; NAME is the stem of the artefact's file name. ``grants`` are interfaces that it may import.

    ``kv`` is how many bytes its keys may take, with that grant.
    """

    config: dict[str, Any] = {}
    on_failure: Literal["closed", "open"] = "closed"
    deadline: Seconds = Seconds(0.05)
    memory: Bytes = Bytes(16 << 20)
    isolation: Literal["shared", "request"] = "shared"
    instances: int = 8
    bodies: int = 64
    revert: bool | RevertConfig = True
    canary: CanaryConfig | None = None
    upstreams: list[str] = []
    grants: list[str] = []
    kv: Bytes = Bytes(1 << 20)
    http: HttpClientConfig = HttpClientConfig()
    limits: AnswersConfig = AnswersConfig()


class UpstreamConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[upstream]]``: equivalent targets, asked in turn."""

    name: str
    targets: list[str]
    ca: str | None = None
    connect_timeout: Seconds = Seconds(5)
    response_timeout: Seconds = Seconds(60)
    idle_timeout: Seconds = Seconds(60)
    connections: int = 256


class ChainEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One use of a guest; its ``config`` is laid over the guest's own, key by key at the top level."""

    guest: str
    config: dict[str, Any] = {}


class LimitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[route.limits]]``: so many requests per window for every value of the key.

    ``key`` is one of these or a list of them: ``client-ip``, ``route``, ``host``, ``header:NAME`` as the client sent
    it, or ``guest:NAME``, a header as the guests left it. A limit with a ``guest:`` part is checked after the request
    hooks, the others before. ``plans`` gives other numbers of requests by the value of ``plan_header``, which a guest
    sets.

    With `ServerConfig.limit_store`, ``local`` counts here and tells other machines ten times a second; ``strict`` asks
    the store within the request. A leaky bucket is local or strict: it cannot be told as a sum.
    """

    requests: int
    window: Seconds
    key: str | list[str] = "client-ip"
    name: str = "default"
    algorithm: Literal["fixed-window", "leaky-bucket"] = "fixed-window"
    overflow: Literal["share", "open", "closed"] = "share"
    consistency: Literal["local", "strict"] = "local"
    shadow: bool = False
    plan_header: str | None = None
    plans: dict[str, int] = {}

    def parts(self) -> list[str]:
        """The key's parts."""
        return [self.key] if isinstance(self.key, str) else self.key

    @property
    def needs_guests(self) -> bool:
        """Whether what it counts by is known only after the request hooks."""
        return self.plan_header is not None or any(part.startswith("guest:") for part in self.parts())


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[route]]``: what it matches, its guests and its upstream.

    ``upgrades`` are the protocols that a client may change to (RFC 9110 section 7.8) once chain and upstream agree; a
    request for another is an ordinary request.
    """

    path: str
    upstream: str
    name: str | None = None
    hosts: list[str] = []
    methods: list[str] = []
    headers: dict[str, str] = {}
    chain: list[str | ChainEntry] = []
    limit: LimitConfig | None = None
    limits: list[LimitConfig] = []
    preserve_host: bool = False
    trailers: list[str] = []
    upgrades: list[str] = msgspec.field(default_factory=lambda: ["websocket"])

    def all_limits(self) -> list[LimitConfig]:
        """``limit`` and ``limits`` together."""
        return ([self.limit] if self.limit else []) + self.limits

    def entries(self) -> list[ChainEntry]:
        """The chain with every entry spelt out."""
        return [ChainEntry(entry) if isinstance(entry, str) else entry for entry in self.chain]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole configuration; ``file`` is where it came from, for error messages and relative paths.

    ``files`` is what the files say that it names, by path: see `sentinel_host.config.files`.
    """

    file: str
    server: ServerConfig = ServerConfig()
    guests: GuestsConfig = GuestsConfig()
    guest: dict[str, GuestConfig] = {}
    upstream: list[UpstreamConfig] = []
    route: list[RouteConfig] = []
    files: dict[str, bytes] = {}

    def locate(self, name: str) -> str:
        """The path of a file that is named here: a relative one is so to the configuration's."""
        return os.path.join(os.path.dirname(self.file), name)

    def content(self, name: str) -> bytes:
        """What the file says that is named so."""
        return self.files[self.locate(name)]

    def named_guests(self) -> list[str]:
        """The names of all guests that routes use, sorted."""
        return sorted({entry.guest for route in self.route for entry in route.entries()})
