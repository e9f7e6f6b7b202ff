"""What can be configured, with its defaults.

Every struct is frozen and refuses unknown keys. The configuration reference is generated from this
module: the docstring below a field says what it does, and the comment above it, if any, where its
default comes from.
"""

from __future__ import annotations

import os
from typing import Any, Literal

import msgspec

from sentinel_host.config.destinations import MirrorConfig, RedirectConfig, RespondConfig
from sentinel_host.config.observing import AccessLogConfig, LogConfig, OtlpConfig, TracingConfig
from sentinel_host.config.units import Bytes, Seconds
from sentinel_host.config.upstreams import UpstreamConfig

__all__ = ["Bytes", "Seconds"]


class CertificateConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One more certificate of a listener."""

    cert: str
    """PEM file of the certificate chain."""
    key: str
    """PEM file of the private key."""


class TlsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A listener's certificates, and what it asks of clients."""

    cert: str
    """PEM file of the certificate chain."""
    key: str
    """PEM file of the private key."""
    certificates: tuple[CertificateConfig, ...] = ()
    """More certificates. A client gets the one that has the server name that it asks for (SNI), or
    a wildcard for it, and the one above if none has. A request for a host of another certificate
    than the one that its connection got is answered 421.
    """
    # nginx and Envoy begin with TLS 1.2 too.
    min_version: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is spoken."""
    alpn: tuple[Literal["h2", "http/1.1"], ...] = ("h2", "http/1.1")
    """The protocols that clients may choose, the preferred one first."""
    client_ca: str | None = None
    """PEM file of the authorities that sign clients' certificates. With it clients are asked for
    one, which guests see (`client-certificate`).
    """
    client_certificate: Literal["require", "request"] = "require"
    """Refuse clients without a certificate, or serve them too. One that `client_ca` has not signed,
    or that has expired, ends the handshake with either.
    """


class BindConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One listening address of the public side."""

    address: str
    """Host and port, such as `127.0.0.1:8080` or `[::1]:8080`."""
    tls: TlsConfig | None = None
    """Certificate and key of this listener; by default `server.tls`."""
    proxy_protocol: tuple[str, ...] = ()
    """Networks of load balancers that begin each connection with a PROXY header, version 1 or 2,
    before TLS. The client's address is the one in it. Other peers are refused on this address, and
    so are connections without a header.
    """


class LimitsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one client may ask of a worker.

    By default they are what `sentinel_host.http.server.limits` says, with its precedent.
    """

    head_bytes: Bytes | None = None
    """Size of a request's head."""
    header_count: int | None = None
    """Header fields of a request."""
    head_time: Seconds | None = None
    """Time for a request's head to arrive."""
    body_idle: Seconds | None = None
    """Time in which `body_progress` bytes of a request's body must arrive, while no response flows
    either.
    """
    body_progress: Bytes | None = None
    """Bytes of a body that count as progress, in both directions."""
    body_time: Seconds | None = None
    """Time for a request's whole body."""
    body_bytes: Bytes | None = None
    """Size of a request's body."""
    write_stalled: Seconds | None = None
    """Time in which a client must take `body_progress` bytes of a response, or it is reset."""
    keep_alive_idle: Seconds | None = None
    """Time that a connection may stay open between two requests."""
    requests_per_connection: int | None = None
    """Requests on one connection."""
    pipelined_requests: int | None = None
    """Requests that an HTTP/1.1 client may send ahead."""
    connections: int | None = None
    """Open connections of a worker."""
    connections_per_client: int | None = None
    """Open connections of one client address."""
    streams_per_connection: int | None = None
    """Requests at a time on one HTTP/2 or HTTP/3 connection."""
    idle_frames: int | None = None
    """HTTP/2 frames at once that make work and carry nothing."""
    idle_frames_per_second: int | None = None
    """The rate at which the budget `idle_frames` refills."""
    tunnel_idle: Seconds | None = None
    """Time in which something must move on an upgraded connection, in either direction."""


class PathsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Paths that have no safe canonical form."""

    encoded_slash: Literal["refuse", "keep"] = "refuse"
    """An escaped slash or backslash: refuse the request with 400, or pass it on unchanged."""
    empty_segments: Literal["refuse", "keep"] = "refuse"
    """An empty segment (`//`): refuse the request with 400, or pass it on unchanged."""


class ServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Listeners, the admin side, processes, and who is trusted."""

    bind: list[str | BindConfig] = msgspec.field(default_factory=lambda: ["127.0.0.1:8080"])
    """Addresses of the public side. An entry is an address, or a table with `address` and `tls`."""
    quic_bind: str | None = None
    """UDP address for HTTP/3. Needs the extra `h3` of the package, and `tls`."""
    admin: str | None = None
    """Address of the admin side; without it there is none."""
    admin_token: str | None = None
    """The token that the admin side asks for. Without one here or elsewhere, the gateway makes
    one.
    """
    admin_token_file: str | None = None
    """A file that holds the token."""
    tls: TlsConfig | None = None
    """Certificate and key of all listeners that have none of their own."""
    workers: int = 1
    """Processes that serve; with 1 there is no supervisor."""
    grace: Seconds = Seconds(30)
    """Time for requests in flight when the gateway stops."""
    lame_duck: Seconds = Seconds(0)
    """Time before that in which requests are accepted while `/readyz` answers 503."""
    trusted_proxies: list[str] = []
    """Addresses and networks whose forwarded headers and request ids are believed."""
    identity_headers: list[str] = msgspec.field(default_factory=lambda: ["x-principal"])
    """Headers that are removed from clients' requests; only guests may set them."""
    # nginx: `underscores_in_headers off` drops them.
    header_aliases: Literal["refuse", "drop"] = "drop"
    """Header names with `_` or `.`, which some servers fold to `-`: refuse the request, or drop the
    field.
    """
    paths: PathsConfig = PathsConfig()
    """Paths with two readings."""
    limit_store: str | None = None
    """URL of a Redis or Valkey server that shares routes' limits between machines."""
    # draft-ietf-httpapi-ratelimit-headers.
    limit_headers: Literal["draft", "legacy", "none"] = "draft"
    """`RateLimit` and `RateLimit-Policy`, the older `RateLimit-Limit`, `-Remaining` and `-Reset`,
    or no fields.
    """
    # 4 MiB of shared memory: a slot is 16 bytes.
    limit_slots: int = 262_144
    """Keys that the table of limits holds."""
    kv_memory: Bytes = Bytes(8 << 20)
    """Shared memory for the keys of all guests; it must hold the quotas of guests with the grant
    `kv`.
    """
    # RFC 6177 gives a site at least a /64.
    ipv6_prefix: int = 64
    """Length of the prefix by which IPv6 clients are counted."""
    stage_times: bool = False
    """Whether `/metrics` tells the time of each stage of a request."""
    limits: LimitsConfig = LimitsConfig()
    """What one client may ask of a worker."""


class GuestsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The folder that holds guests, and how their files are read.

    A guest that the folder does not have may be a standard guest of the package `sentinel-guests`.
    """

    directory: str = "guests"
    """The folder, relative to the configuration file."""
    verify_keys: list[str] = []
    """Ed25519 keys, as PEM files or `ed25519:BASE64`. With any, only guests that one of them signed
    are loaded.
    """
    trust_standard: bool = False
    """With `verify_keys`: load the standard guests of the package `sentinel-guests` without their
    signature.
    """
    watch: bool = True
    """Whether the folder, the configuration and the files that it names are watched and
    reloaded.
    """
    cache: str | None = None
    """Directory for compiled guests and rollback records; by default `sentinel` in the user's cache
    directory.
    """
    # The largest example guest is well under 1 MiB; a Go or Python runtime compiled to WebAssembly
    # has 2 to 40.
    max_bytes: Bytes = Bytes(64 << 20)
    """Size of one guest's file."""
    # The largest example guest takes 0.1 s; 10 MiB of WebAssembly some 10 s.
    compile_time: Seconds = Seconds(30)
    """Processor time for compiling one file."""
    # The standard guests take 20 MiB together, a guest with an interpreter some 40.
    code_memory: Bytes = Bytes(1 << 30)
    """Machine code of all guests, per worker, with versions that are being replaced."""


class RevertConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a new version is rolled back."""

    # A guest that fails in one hook of three fails in a third of its calls.
    share: float = 0.25
    """The share of calls that must fail, across at least three clients."""
    calls: int = 10_000
    """Calls after which a version has passed."""
    time: Seconds = Seconds(600)
    """Time after which a version has passed."""


class CanaryConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a new version is tried on some requests first."""

    weight: int = 5
    """Percent of the requests that the new version gets."""
    time: Seconds = Seconds(600)
    """Time without a failure after which it gets all requests."""


class HttpClientConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which HTTP services a guest with the grant `http-client` may ask, and how much."""

    allow: list[str] = []
    """Targets by scheme, host and port, such as `https://auth.example:8443`. Redirects are not
    followed.
    """
    networks: list[str] = []
    """Networks of this machine and its link that may be asked; they are denied otherwise, whatever
    the name.
    """
    timeout: Seconds = Seconds(2)
    """Time for a whole call; a guest may ask for less."""
    calls: int = 4
    """Calls in one hook."""
    request: Bytes = Bytes(64 << 10)
    """Size of a request's body."""
    response: Bytes = Bytes(256 << 10)
    """Size of a response's body."""
    connections: int = 16
    """Connections to one target, per worker."""
    ca: str | None = None
    """PEM file or directory of authorities, instead of the system's."""
    cert: str | None = None
    """PEM file of the certificate chain that https targets are shown; `key` goes with it."""
    key: str | None = None
    """PEM file of its private key."""


class AnswersConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one answer of a guest may hold, and how much one call may log."""

    answer: Bytes = Bytes(1 << 20)
    """Size of one answer before it is decoded, a body in it included."""
    headers: int = 128
    """Edits, or header fields of a response."""
    header_bytes: Bytes = Bytes(64 << 10)
    """Size of their names and values."""
    context: Bytes = Bytes(64 << 10)
    """Size of the context that is kept for later hooks."""
    log_lines: int = 64
    """Log lines of one call; more are dropped and counted."""


class GuestConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guest; NAME is its file's name without `.wasm`, or a standard guest's name."""

    config: dict[str, Any] = {}
    """What the guest's `configure` hook gets."""
    on_failure: Literal["closed", "open"] = "closed"
    """When the guest fails: answer 503, or continue without it."""
    deadline: Seconds = Seconds(0.05)
    """Running time of one call, after which it traps."""
    start_deadline: Seconds | None = None
    """Running time of a start and of `configure`; by default `250ms`, and `2s` for Python and
    JavaScript.
    """
    memory: Bytes | None = None
    """Memory of one instance; by default `16MiB`, and `64MiB` for Python and JavaScript."""
    isolation: Literal["shared", "request"] = "shared"
    """Whether instances serve one request after another, or each request gets a fresh one."""
    instances: int = 8
    """Instances for hooks on heads, per worker."""
    bodies: int = 64
    """Bodies that the guest may work on at once, per worker; each has an instance of its own."""
    revert: bool | RevertConfig = True
    """When a new version is rolled back; `true` means the defaults, `false` never."""
    canary: CanaryConfig | None = None
    """How a new version is tried on some requests first; by default it is not."""
    log_level: Literal["trace", "debug", "info", "warn", "error"] | None = None
    """The least level that it logs; by default what `log.level` says."""
    upstreams: list[str] = []
    """Upstreams that the guest may choose."""
    grants: list[str] = []
    """Functions of the host beyond the log: `clock`, `random`, `metrics`, `kv`, `http-client`."""
    kv: Bytes = Bytes(1 << 20)
    """Size of the guest's keys and values, with the grant `kv`."""
    http: HttpClientConfig = HttpClientConfig()
    """What it may ask, with the grant `http-client`."""
    limits: AnswersConfig = AnswersConfig()
    """Bounds of its answers."""


class ChainEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One use of a guest in a chain."""

    guest: str
    """The guest's name."""
    config: dict[str, Any] = {}
    """Laid over the guest's own `config`, key by key at the top level."""


class LimitConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many requests per window for every value of a key."""

    requests: int
    """Requests per window."""
    window: Seconds
    """Length of a window, which opens with a key's first request."""
    key: str | list[str] = "client-ip"
    """`client-ip`, `route`, `host`, `header:NAME` as the client sent it, `guest:NAME` as guests
    left it, or a list.
    """
    name: str = "default"
    """Name in header fields and metrics; unique on its route."""
    algorithm: Literal["fixed-window", "leaky-bucket"] = "fixed-window"
    """Whether a window's requests may come at once, or at an even rate."""
    overflow: Literal["share", "open", "closed"] = "share"
    """Keys that find no slot in the table: count them together, let them pass, or refuse them."""
    consistency: Literal["local", "strict"] = "local"
    """With `server.limit_store`: tell it ten times a second, or ask it within the request."""
    shadow: bool = False
    """Count and report, but never refuse."""
    plan_header: str | None = None
    """A header that a guest sets, by whose value `plans` gives other numbers."""
    plans: dict[str, int] = {}
    """Requests per window by the value of `plan_header`."""

    def parts(self) -> list[str]:
        """The key's parts."""
        return [self.key] if isinstance(self.key, str) else self.key

    @property
    def needs_guests(self) -> bool:
        """Whether what it counts by is known only after the request hooks."""
        return self.plan_header is not None or any(part.startswith("guest:") for part in self.parts())


class RouteConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a route matches, its guests, and where its requests go: exactly one of `upstream`,
    `split`, `respond`, `redirect`. A guest that chooses an upstream wins over each of them.
    """

    path: str
    """Prefix that matches at segment borders; the longest wins."""
    upstream: str | None = None
    """Name of the upstream."""
    split: dict[str, int] | None = None
    """Names of upstreams, and the weight of each: its share of the requests beside the others'
    weights.
    """
    # Envoy divides among weighted clusters by chance; nginx's `split_clients` by a text that it is
    # given.
    split_by: str | None = None
    """What keeps requests at one of them: `client-ip`, `path`, `header:NAME` or `cookie:NAME`; by
    default nothing.
    """
    respond: RespondConfig | None = None
    """A response that the gateway makes itself."""
    redirect: RedirectConfig | None = None
    """Where clients are sent instead."""
    mirror: MirrorConfig | None = None
    """Another upstream that gets copies of requests."""
    name: str | None = None
    """Name in metrics and logs; by default the path."""
    scheme: Literal["http", "https"] | None = None
    """Scheme. A route that has one goes before all that have none, whatever their paths. Without
    it, both match.
    """
    hosts: list[str] = []
    """Hosts, in lower case; `*.example` matches every name below it. Without any, all match."""
    methods: list[str] = []
    """Methods. Without any, all match."""
    headers: dict[str, str] = {}
    """Header fields and the values that they must have."""
    chain: list[str | ChainEntry] = []
    """Guests in order. An entry is a name, or a table with `guest` and `config`."""
    limit: LimitConfig | None = None
    """One limit, as an inline table."""
    limits: list[LimitConfig] = []
    """Several limits; the strictest one answers."""
    preserve_host: bool = False
    """Whether the upstream gets the client's Host instead of the target's."""
    trailers: list[str] = []
    """Trailer fields that are passed on; others are dropped. Of gRPC calls, all are passed on."""
    grpc_web: bool = False
    """Whether gRPC-Web requests are passed on as gRPC calls."""
    upgrades: list[str] = msgspec.field(default_factory=lambda: ["websocket"])
    """Protocols that a client may change to (RFC 9110, section 7.8); a request for another is an
    ordinary one.
    """
    # Envoy: 15s. A default would end long polls that worked before.
    timeout: Seconds | None = None
    """Time for the head of the upstream's response, all tries included. Upgrades are not bound by
    it.
    """
    per_try_timeout: Seconds | None = None
    """Time for the head of each try's response; then another endpoint is asked."""
    idle_timeout: Seconds | None = None
    """Time between two pieces of the response's body, instead of the upstream's."""
    total_timeout: Seconds | None = None
    """Time for the whole response, its head included. Upgrades are not bound by it, nor are event
    streams that have begun.
    """
    retry_methods: list[str] = []
    """Methods beside the idempotent ones whose requests may be sent again."""
    hedge_after: Seconds | None = None
    """Time after which an idempotent request is also sent to a second endpoint; the first answer
    serves.
    """
    body_bytes: Bytes | None = None
    """Size of a request's body; a larger one is refused with 413, counted while it streams."""

    def all_limits(self) -> list[LimitConfig]:
        """``limit`` and ``limits`` together."""
        return ([self.limit] if self.limit else []) + self.limits

    def entries(self) -> list[ChainEntry]:
        """The chain with every entry spelt out."""
        return [ChainEntry(entry) if isinstance(entry, str) else entry for entry in self.chain]


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole configuration; ``file`` is where it came from, for error messages and relative paths.

    ``files`` is what the files say that it names, by path: see `sentinel_host.config.files`.
    ``written`` has the texts that held variables as they are written, by their key paths: what
    variables hold may be secret.
    """

    file: str
    server: ServerConfig = ServerConfig()
    guests: GuestsConfig = GuestsConfig()
    tracing: TracingConfig | None = None
    otlp: OtlpConfig = OtlpConfig()
    log: LogConfig = LogConfig()
    access_log: AccessLogConfig | None = None
    guest: dict[str, GuestConfig] = {}
    upstream: list[UpstreamConfig] = []
    route: list[RouteConfig] = []
    files: dict[str, bytes] = {}
    written: dict[str, str] = {}

    def locate(self, name: str) -> str:
        """The path of a file that is named here: a relative one is so to the configuration's."""
        return os.path.join(os.path.dirname(self.file), name)

    def content(self, name: str) -> bytes:
        """What the file says that is named so."""
        return self.files[self.locate(name)]

    def named_guests(self) -> list[str]:
        """The names of all guests that routes use, sorted."""
        return sorted({entry.guest for route in self.route for entry in route.entries()})
